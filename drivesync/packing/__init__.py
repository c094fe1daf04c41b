"""Packs: a tree's small files, together in a few large ones beside it, so that a pull brings them in seconds.

background   packs beside a training
pack         the use case
storing      packs and their manifest on the remote
marked       which packs a kill may have left there
local        which of the remote's files are here, byte for byte
tarstream    a pack's bytes, made as they are read
pace         how much of a core that may take
plan         PURE: what goes into which pack, what stays, what goes
"""
