"""Which modules a chain has, in which order, and its genesis."""
