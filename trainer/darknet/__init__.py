"""The real darknet's formats, as pure functions over values."""
