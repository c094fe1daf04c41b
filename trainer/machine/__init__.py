"""What the machine has that darknet is built with and runs on: looked at, never changed."""
