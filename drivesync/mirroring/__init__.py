"""The parts of ``push --all``: ``compare`` finds what differs, ``upload_plan`` decides, ``sending`` brings."""
