# SPDX-License-Identifier: MIT
"""How a program ends whose words cannot be written: in one line, with status 1, as iolab's commands do."""
import contextlib
import os
import sys


@contextlib.contextmanager
def needed(name):
    """For all that the program `name` does. A reader that went away, as head(1) does, is told nothing."""
    if sys.stdout is None:  # closed: the next file that is opened would get its number, and all the words
        sys.exit(f"{name}: standard output is closed")
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OSError as error:
        # Python writes what is left once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1 if isinstance(error, BrokenPipeError) else
                 f"{name}: {error.filename or 'standard output'}: {error.strerror}")
