"""What events of each type need: one file for each, in Arabic, French and English."""
