"""A git repository, to pull from: ``remote`` is what the rest of drivesync sees of it."""
