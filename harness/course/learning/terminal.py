# SPDX-License-Identifier: MIT
"""Prints texts for the learner; colours only on a terminal."""
import os
import sys
import textwrap

import progress_line

CODES = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}
WIDTH = 96


def is_terminal():
    return sys.stdout.isatty()


def paint(text, colour):
    if not progress_line.obeys_escapes(sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{CODES[colour]}m{text}\033[0m"


def say(text=""):
    print(text, flush=True)


def wrapped(text, indent="", hanging=None):
    """Lines of at most WIDTH columns; all but the first begin with `hanging`."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent,
                         subsequent_indent=indent if hanging is None else hanging,
                         break_long_words=False, break_on_hyphens=False)


def say_wrapped(text, indent="", hanging=None):
    for line in wrapped(text, indent, hanging):
        say(line)


def clear():
    if progress_line.obeys_escapes(sys.stdout):
        print("\033[H\033[2J\033[3J", end="", flush=True)


def say_next(*steps):
    """Prints what to do now: (command, what it does) pairs, the most likely first."""
    say()
    say(paint("Next:", "bold"))
    room = max([len(command) for command, _ in steps if len(command) < 40], default=0) + 2
    for command, meaning in steps:
        shown = paint(command.ljust(room), "bold")
        if len(command) < 40:
            say(f"  {shown}{meaning}".rstrip())
        else:
            say(f"  {shown}")
            say(f"  {' ' * room}{meaning}")


def count(number, noun):
    """"1 test", "3 tests"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
