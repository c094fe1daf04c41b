"""Where a tree is kept: the protocol, and one module for each kind of place."""
