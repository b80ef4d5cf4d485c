"""Documents and conversations as memory-mapped tokens."""
