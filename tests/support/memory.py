"""Where the files of tests lie: in memory, where there is room for them."""

import os
import shutil
from pathlib import Path

_TMPFS = Path("/dev/shm")
_ROOM = 4 << 30
"""What all workers of a run need together, in bytes, with much to spare."""


def in_memory() -> Path | None:
    """A folder whose files are never written to a disk; None where the machine has no room.

    A database of PostgreSQL is 350 files. To make and drop one for each test costs ext4 a
    quarter of a second, most of it a search for an inode that was not freed just now.
    """
    if not (_TMPFS.is_dir() and os.access(_TMPFS, os.W_OK)):
        return None
    return _TMPFS if shutil.disk_usage(_TMPFS).free >= _ROOM else None
