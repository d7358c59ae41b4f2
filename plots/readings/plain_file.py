# SPDX-License-Identifier: MIT
"""Opens a file of a results folder. A pipe or a device at its place might never end."""
import errno
import os
import stat


def opened(path, mode="r", **options):
    """As open(), to read; raises OSError when it is no plain file, and waits for nobody."""
    def opener(name, flags):
        number = os.open(name, flags | os.O_NONBLOCK)
        if stat.S_ISREG(os.fstat(number).st_mode):
            return number
        os.close(number)
        raise OSError(errno.EINVAL, "it is no plain file", name)
    return open(path, mode, opener=opener, **options)
