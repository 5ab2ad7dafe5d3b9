"""What users want to be told: their choices, consent and quiet hours, and why they were told."""
