"""Number masking: two people call each other through a rented number."""

__version__ = "0.1.0"
