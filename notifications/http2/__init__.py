"""HTTP/2 without I/O: what a connection reads and writes, at either end."""
