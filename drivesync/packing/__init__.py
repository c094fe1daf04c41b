"""Packs: a tree's small files, together in a few large ones beside it, so that a pull brings them in seconds.

plan         PURE: what goes into which pack, what stays, what goes
local        which of Drive's files are here, byte for byte
tarstream    a pack's bytes, made as they are read
storing      packs and manifest on the remote
pack         the use case
background   the same beside a training
pace         how much of the machine that may take
"""
