#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes the comparisons and traces that the figures of the literature need, in one results folder.

Each comparison is a separate `iolab compare` in FOLDER/study/<name>. Existing ones are kept, unless
they were quick and this run is not.
"""
import argparse
import sys

from experiments import COMPARISONS, TRACES, named
from making import children, make, note, study_notes, was_quick
from readings import number_option


def parse():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="results folder; created if missing")
    parser.add_argument("--quick", action="store_true",
                        help="short runs, under two minutes: for a first look")
    parser.add_argument("--only", metavar="NAME", action="append",
                        help="only the comparisons and files whose names begin with NAME; may be "
                        "repeated. Names: " + ", ".join([*COMPARISONS, *TRACES]))
    parser.add_argument("--file", help="test file (default: iolab run's)")
    parser.add_argument("--rounds", metavar="N", type=number_option.whole(1, 1000),
                        help="rounds of each comparison; a verdict needs 5 (default: 5). To repeat one "
                        "that could not tell, delete its folder and use --only")
    return parser.parse_args()


def wanted_by(asked):
    """The names that --only chose, each once."""
    unknown = [word for word in asked if not named(word)]
    if unknown:
        sys.exit(f"study.py: --only {unknown[0]}: there are {', '.join([*COMPARISONS, *TRACES])}")
    return list(dict.fromkeys(name for word in asked for name in named(word)))


def main():
    options = parse()
    wanted = wanted_by(options.only or [""])
    note(options.folder, was_quick(options.folder), study_notes.read(options.folder).get("missing"))
    try:
        reasons = [make(options.folder, name, options.quick, options.file, options.rounds)
                   for name in wanted]
    except KeyboardInterrupt:
        print(f"Interrupted: what is whole is kept in {options.folder}; the same command goes on "
              "from there.", flush=True)
        raise
    sys.exit(1 if any(reasons) else 0)


if __name__ == "__main__":
    children.main("study.py", main)
