# SPDX-License-Identifier: MIT
"""Where the learner is: work/progress, one fact on each line, in plain words. People may edit it.

    current 04_epoll                                 the lab for commands without LAB=
    started 04_epoll 2026-11-24T21:40:00Z
    passed 04_epoll 1 2026-11-24T21:55:00Z           exercise 1 passed, at the last check
    failing 04_epoll 2 sends_all_of_a_long_write/tcp the first failure of the last check
    complete 04_epoll 2026-11-24T22:10:00Z 9f3a...   everything passed; the files had this digest
    hints 04_epoll 2 1                               exercise 2: one hint was given
    predicted 04_epoll 2026-11-24T22:11:00Z
    measured 04_epoll results-2026-11-24T221200Z

An unknown line stays as it is. A line that begins with # is a remark.
"""
import os
import re
import sys
import time

import labs
from readings import whole_file

# What follows each word.
SHAPES = {
    "current": re.compile(r"(?P<lab>\S+)"),
    "started": re.compile(r"(?P<lab>\S+) (?P<value>\S+)"),
    "passed": re.compile(r"(?P<lab>\S+) (?P<exercise>\d+) (?P<value>\S+)"),
    "failing": re.compile(r"(?P<lab>\S+) (?P<exercise>\d+) (?P<value>\S+)"),
    "complete": re.compile(r"(?P<lab>\S+) (?P<value>\S+ [0-9a-f]+)"),
    "hints": re.compile(r"(?P<lab>\S+) (?P<exercise>\d+) (?P<value>\d+)"),
    "predicted": re.compile(r"(?P<lab>\S+) (?P<value>\S+)"),
    "measured": re.compile(r"(?P<lab>\S+) (?P<value>\S+)"),
}
# A lab has at most one of these.
SINGLE = ("failing",)


def path():
    return os.path.join(labs.WORK, "progress")


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Progress:
    warned = False

    def __init__(self):
        self.current = ""
        self.facts = {}  # (word, lab, exercise or 0): value
        self.kept = []  # remarks and unknown lines
        foreign = []
        try:
            with open(path(), encoding="utf-8", errors="replace") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = []
        for number, line in enumerate(lines, 1):
            if not self._take(line):
                self.kept.append(line)
                if not line.startswith("#"):
                    foreign.append(str(number))
        if foreign and not Progress.warned:
            Progress.warned = True
            print(f"iolab: {path()}: line {', '.join(foreign)} not understood and ignored; "
                  "you may delete it", file=sys.stderr)

    def _take(self, line):
        """Takes in a line. Returns whether it is a fact, or empty."""
        word, _, rest = " ".join(line.split()).partition(" ")
        shape = SHAPES.get(word)
        found = shape and shape.fullmatch(rest)
        if not found:
            return not word
        if word == "current":
            self.current = found["lab"]
        else:
            groups = found.groupdict()
            self.facts[word, groups["lab"], int(groups.get("exercise") or 0)] = groups["value"]
        return True

    def get(self, word, lab, exercise=0):
        return self.facts.get((word, lab.name, exercise))

    def exercises(self, word, lab):
        """The exercises that have a line with `word`."""
        return sorted(e for w, name, e in self.facts if w == word and name == lab.name)

    def note(self, word, lab, value, exercise=0):
        if word in SINGLE:
            self.forget(word, lab)
        self.facts[word, lab.name, exercise] = value

    def forget(self, word, lab, exercise=None):
        for key in [k for k in self.facts if k[:2] == (word, lab.name)]:
            if exercise in (None, key[2]):
                del self.facts[key]

    def save(self):
        lines = [f"current {self.current}"] if self.current else []
        for (word, lab, exercise), value in sorted(self.facts.items(), key=lambda f: f[0][1:]):
            lines.append(" ".join([word, lab, *([str(exercise)] if exercise else []), value]))
        os.makedirs(labs.WORK, exist_ok=True)
        whole_file.write(path(), "".join(line + "\n" for line in self.kept + lines))
