# SPDX-License-Identifier: MIT
"""Writes a file whole or not at all."""
import contextlib
import errno
import os
import stat
import tempfile


@contextlib.contextmanager
def replacing(path):
    """Yields the name of a file to write instead. When the block ends well, that file takes the place of
    `path`; else it is removed. A link at `path` is replaced, not followed; a device or a pipe is left there."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise OSError(errno.EINVAL, "it is no plain file and stays as it is", path)
    # A name that nobody else has: two programs may write the same file.
    handle, new = tempfile.mkstemp(prefix=".iolab-", suffix=".new", dir=os.path.dirname(path) or ".")
    os.fchmod(handle, 0o666 & ~_umask())
    os.close(handle)
    try:
        yield new
        os.replace(new, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        raise


def write(path, content):
    """Writes text or bytes. The old file stays until all is on the disk. Returns the path."""
    try:
        with replacing(path) as new:
            with open(new, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        error.filename = path
        raise
    return path


def _umask():
    # Not umask(2), which changes it for a moment, for all threads.
    with open("/proc/self/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("Umask:")), 8)
