"""Demo data: a few people, what they talk about, and a wedding to prepare."""
