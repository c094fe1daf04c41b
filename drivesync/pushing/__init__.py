"""The parts of a push: ``pusher`` takes snapshots to a remote, ``landing`` one of them, ``standing`` decides."""
