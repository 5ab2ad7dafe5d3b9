"""The house assembled: settings in, running server out."""

__version__ = "0.1.0"
