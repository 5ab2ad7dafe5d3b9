"""Commands of the client protocol, each carried out for one connection."""
