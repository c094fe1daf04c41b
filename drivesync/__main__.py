"""``python -m drivesync``."""

from drivesync.cli import main

if __name__ == "__main__":
    main()
