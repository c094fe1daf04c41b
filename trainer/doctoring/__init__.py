"""Whether this machine, this tree and its Drive are fit for a training: a line for each, and what to do about it."""
