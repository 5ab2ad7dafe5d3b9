"""Pushes that died: every attempt their class allows failed. Seen, understood, tried again."""
