"""Google Drive: ``remote`` is what the rest of drivesync sees of it."""
