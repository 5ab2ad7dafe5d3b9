"""Publishing to channels and looking back at what was published."""
