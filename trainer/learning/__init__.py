"""What attempts have taught: ``history`` and ``learned`` keep it, ``derived`` starts the next one by it."""
