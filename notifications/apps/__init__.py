"""Apps and what they show to providers: several in one house, changed while it runs."""
