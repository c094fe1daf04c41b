"""A page that shows how a run stands, to a browser on this machine or behind Colab's proxy."""
