#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""damaged.py FOLDER [EVERY]: is a damaged file refused in one line, or drawn, and never a traceback?

Puts wrong values at the places of each document of a results folder, one at a time: one in EVERY of all
that there are (default: 211; `make check-slowly`: 37). One in 25 of these is drawn if it is accepted.
"""
import copy
import json
import os
import shutil
import sys
import tempfile
import traceback
import warnings

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import command  # noqa: F401  (matplotlib without a screen)
from figures import registry
from readings.json_file import ResultsError

WRONG = (None, "text", "", -1, 0, 1e308, 10 ** 400, 2.5, True, [], {}, [None], "\N{BELL}{no_name}")
SAMPLES = 2  # of the items of a list
DRAWN = 25
FILES = {"summary.json": registry.PANELS, **{figure.file: (figure,) for figure in registry.TRACES},
         "study/depths/summary.json": [f for f in registry.LITERATURE if f.name in ("depth_curve", "depth_syscalls")],
         "study/offered_load_stalled/summary.json": [f for f in registry.LITERATURE if f.name == "offered_load"],
         "doctor.json": [f for f in registry.LITERATURE if f.name == "hardware_counters"]}


def places(value, path=()):
    """Of every value in the document; of a long list the first ones and the last."""
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i in sorted({*range(min(SAMPLES, len(value))), len(value) - 1} - {-1}):
            yield from places(value[i], (*path, i))


def damaged(content, path, wrong):
    """A copy with the wrong value there; `wrong` of ... removes what is there. Shares all else with `content`."""
    if not path:
        return wrong
    found = inner = copy.copy(content)
    for key in path[:-1]:
        inner[key] = copy.copy(inner[key])
        inner = inner[key]
    if wrong is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = wrong
    return found


class Trial:
    """The folder with one file replaced."""

    def __init__(self, golden, name):
        self.scratch = tempfile.mkdtemp()
        self.folder = os.path.join(self.scratch, "results")
        shutil.copytree(golden, self.folder)
        self.path = os.path.join(self.folder, name)
        self.tried = self.drawn = 0
        self.faults = []

    def try_one(self, content, figures, words):
        self.tried += 1
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(json.dumps(content))  # json.dump() is many times slower
        for figure in figures:
            try:
                found = figure.load(self.folder)
                if found and figure.claim:
                    figure.judge(found)
                if found and self.tried % DRAWN == 0:
                    self.drawn += 1
                    figure.alt_text(found) if figure.claim else None
                    figure.draw(found)
            except ResultsError as error:
                said = str(error)
                if "\n" in said or os.path.basename(self.path) not in said:
                    self.faults.append(f"{words}: {figure.name}: {said}")
            except Exception:
                last = traceback.format_exc().strip().splitlines()
                self.faults.append(f"{words}: {figure.name}: {last[-1]} at {last[-3].strip()}")

    def end(self):
        shutil.rmtree(self.scratch)


def shortened(content):
    """A summary with few configurations is read faster, and breaks as well."""
    if "configurations" in content:
        everything = content["configurations"]
        content["configurations"] = everything[:4] + [c for c in everything if c["status"] != "ok"][:1]
    return content


def main():
    golden, every = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 211
    warnings.simplefilter("ignore")
    faults, turn = [], 0
    for name, figures in FILES.items():
        with open(os.path.join(golden, name), encoding="utf-8") as file:
            content = shortened(json.load(file))
        trial = Trial(golden, name)
        for path in places(content):
            for wrong in (*WRONG, ...):
                turn += 1
                if turn % every or wrong is ... and not path:
                    continue
                said = "(removed)" if wrong is ... else repr(wrong)[:20]
                trial.try_one(damaged(content, path, wrong), figures,
                              f"{name}: {'.'.join(map(str, path))} = {said}")
        trial.end()
        faults += trial.faults
        print(f"{name}: {trial.tried} damages, {trial.drawn} drawn, {len(trial.faults)} faults", flush=True)
    print("\n".join(faults[:40]))
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
