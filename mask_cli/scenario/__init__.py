"""The Voximplant call scenario: its text, its checks, its reports."""
