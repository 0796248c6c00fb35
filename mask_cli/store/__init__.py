"""Where mappings are kept: a contract, and SQLite behind it."""
