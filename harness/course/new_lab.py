#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""new_lab.py NN_word: lays out an empty lab, labs/NN_word/, from the files of new_lab/.

It builds, its solution passes and its starter fails, so there is something that works from the first
minute on. TODO marks what you have to write; `make check-course LAB=NN` lists the rest.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys

import labs
from labs import ROOT, CourseError
from readings import standard_output

TEMPLATE = os.path.join(ROOT, "harness", "course", "new_lab")
NAME = re.compile(r"(\d\d)_([a-z][a-z0-9_]*)")


def check_name(name):
    """Returns the lab's number and its word."""
    found = NAME.fullmatch(name)
    if not found:
        raise CourseError(f"'{name}' cannot name a lab: use two digits, _ and a word in small letters, "
                          "as in 10_splice")
    if os.path.exists(os.path.join(labs.LABS, name)):
        raise CourseError(f"labs/{name} exists already")
    for lab in labs.all_labs():
        if lab.number == found[1]:
            raise CourseError(f"lab {found[1]} exists already: labs/{lab.name}")
        if found[2] in lab.engines:
            raise CourseError(f"labs/{lab.name} has an engine called {found[2]} already; choose another word")
    return found[1], found[2]


def make(name):
    """Returns the new lab's folder."""
    number, word = check_name(name)
    folder = os.path.join(labs.LABS, name)
    for file in sorted(os.listdir(TEMPLATE)):
        text = labs.read(os.path.join(TEMPLATE, file))
        for mark, value in (("LAB=NN", f"LAB={number}"), ("Lab NN", f"Lab {number}"),
                            ("labs/LAB/", f"labs/{name}/"), ("NEWLAB", word)):
            text = text.replace(mark, value)
        labs.write(os.path.join(folder, file), text)
    if shutil.which("clang-format"):  # where lines break depends on the name's length
        subprocess.run(["clang-format", f"--style=file:{os.path.join(ROOT, '.clang-format')}", "-i",
                        *glob.glob(os.path.join(folder, "*.c"))], check=True)
    for empty in ("mutants", "alternates"):
        os.mkdir(os.path.join(folder, empty))
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", metavar="NN_word", nargs="?", default="", help="number and word, as in 10_splice")
    name = parser.parse_args().name
    try:
        if not name:
            raise CourseError("which name? make new-lab LAB=10_splice")
        folder = make(name)
    except (CourseError, OSError, subprocess.CalledProcessError) as error:
        print(f"new-lab: {error}", file=sys.stderr)
        return 1
    number = name[:2]
    print(f"{os.path.relpath(folder)}/: a lab that builds and has nothing to teach yet\n"
          f"What each file holds: docs/add-a-lab.md. What is still missing: make check-course LAB={number}")
    return 0


if __name__ == "__main__":
    with standard_output.needed("new-lab"):
        sys.exit(main())
