"""The server that providers ask: who is dialled, what is said, what is kept of a call."""
