"""What the tests and the tools share: whole copies, a person who uses them, servers to index."""
