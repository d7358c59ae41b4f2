# SPDX-License-Identifier: MIT
"""How plot.py and report.py end: an error is one line, and Ctrl-C is no traceback."""
import os
import signal
import sys

INTERRUPTED = 130  # as a shell says of a program that SIGINT ended


def _say():
    print(f"\n{sys.argv[0].rpartition('/')[2]}: interrupted", file=sys.stderr, flush=True)


def _interrupted_while_loading(*_):
    """Loading takes a while. A module may take an exception for an error of its own."""
    _say()
    os._exit(INTERRUPTED)


def _interrupted(*_):
    _say()
    sys.exit(INTERRUPTED)


signal.signal(signal.SIGINT, _interrupted_while_loading)

try:
    import matplotlib
    import numpy  # noqa: F401  (matplotlib's own; a broken installation shows here)
except ImportError as error:
    sys.exit(f"plots: {sys.executable} cannot import {error.name}; Debian and Ubuntu: "
             "apt-get install python3-matplotlib, then run this with /usr/bin/python3")
matplotlib.use("agg")  # files only, with or without a screen

from readings import standard_output
from readings.json_file import ResultsError


def run(name, main):
    signal.signal(signal.SIGINT, _interrupted)
    with standard_output.needed(name):
        try:
            main()
        except ResultsError as error:
            sys.exit(f"{name}: {error}")
