"""Recovery: what a client missed, from memory or from the store."""
