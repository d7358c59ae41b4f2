# SPDX-License-Identifier: MIT
"""A line on standard error that says how far a script is, on a terminal that can rewrite it."""
import os
import sys


def obeys_escapes(stream):
    """Is it a terminal that obeys escape sequences? TERM=dumb says that it is none of these."""
    return stream.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb")


def show(text):
    """Takes the place of what was shown before; "" leaves nothing."""
    if obeys_escapes(sys.stderr):
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
