"""PURE: what an attempt ended of, and what follows: ``diagnosis`` says the one, ``policy`` the other."""
