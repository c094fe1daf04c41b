"""Compiles the darknet of a tree for the machine at hand, and keeps what was compiled for the next one like it."""
