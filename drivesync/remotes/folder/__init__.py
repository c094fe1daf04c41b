"""A mounted Drive, or any directory: ``remote`` is what the rest of drivesync sees of it."""
