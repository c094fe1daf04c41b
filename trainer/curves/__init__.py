"""A run's loss and mAP over all sessions: ``metrics`` keeps them, ``chart`` draws them."""
