"""Templates: the words of notifications, in each language, versioned and checked before use."""
