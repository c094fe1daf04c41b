"""``python -m drivesync``."""

import sys

try:
    from drivesync.cli import main
except KeyboardInterrupt:
    # Loading takes a moment; nothing has begun.
    sys.exit(75)

if __name__ == "__main__":
    main()
