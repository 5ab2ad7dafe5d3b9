"""Users' standing: what stands against them, and whether and when they were there."""
