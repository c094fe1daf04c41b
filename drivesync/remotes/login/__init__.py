"""How a user gets credentials outside Colab, and is told whose they are."""
