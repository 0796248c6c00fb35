"""Emulated providers on loopback."""
