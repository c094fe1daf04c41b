"""Copies a tree between Google Drive and a disk, verified; knows nothing of what the files mean."""
