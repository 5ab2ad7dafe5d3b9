"""The operators' page: what is coming, what is late, and why somebody is told or is not."""
