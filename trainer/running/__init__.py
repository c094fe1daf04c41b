"""A program as a stream of events: ``process`` is what the rest of trainer sees of it."""
