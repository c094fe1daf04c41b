"""A tree to train from, made of images and their labels."""
