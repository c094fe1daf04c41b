"""Archives that users made, unpacked into the tree as they come: ``unpack`` is what a pull uses.

    unpack      which archives there are, and what has to be done about each
    extract     one archive: read, told from damage, recorded
    placing     one member after the other gets its place in the tree, or keeps it
    zips, tars  what is in an archive, in the order in which it lies there
    ranges      the archive's bytes, by several connections, in order
    witness     what was read from the middle, seen again in order
    forward     these as a file that is read from the front to the end
    record      what was unpacked, so that it is not fetched again, and what was changed here is noticed
    withheld    the listing without the archives
    naming      PURE: where a member goes, if it may

A member lies where ``unzip`` run in the archive's own folder would put it: ``obj/1.jpg`` of ``data/obj.zip`` is
``data/obj/1.jpg``, and ``1.jpg`` is ``data/1.jpg``. No folder is added, and none is taken away, so an archive that
holds one folder of its own name gives that folder once. Folders come with their files; empty ones do not.

Of an archive that comes damaged the members that are in place by then stay there, each of them whole, and are
compared, or written again, by the next try or the next pull: only when the checksum of the whole archive was the
remote's is it recorded as done.
"""
