"""Nodes of a house: who they are, what they tell and ask each other."""
