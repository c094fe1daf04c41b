"""Runs darknet and keeps it running: from the last good checkpoint, to the end."""
