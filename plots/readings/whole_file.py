# SPDX-License-Identifier: MIT
"""Writes a file whole or not at all."""
import os
import tempfile


def write(path, content):
    """Text or bytes. Until all is on the disk the old file stays; a link at its place is replaced, not
    followed. Returns the path."""
    new = None
    try:
        # A name that nobody else has: two programs may write the same file.
        handle, new = tempfile.mkstemp(prefix=".iolab-", suffix=".new", dir=os.path.dirname(path) or ".")
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(new, 0o666 & ~_umask())
        os.replace(new, path)
    except BaseException as error:
        if new:
            os.unlink(new)
        if isinstance(error, OSError):
            error.filename = path
        raise
    return path


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask
