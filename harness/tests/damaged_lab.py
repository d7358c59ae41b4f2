#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""damaged_lab.py LAB.TOML: is a damaged lab.toml refused in one line, or used, and never a traceback?

Takes away or replaces the value at each place of the file, one at a time, and reads the lab as the
course's programs do.
"""
import copy
import os
import sys
import tempfile
import tomllib
import traceback

WRONG = ("DELETED", "text", "", -1, 0, 10 ** 30, 2.5, True, [], {}, [[]], "\N{BELL}/")


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from places(inner, (*path, i))


def damage(about, path, wrong):
    damaged = copy.deepcopy(about)
    inner = damaged
    for step in path[:-1]:
        inner = inner[step]
    if wrong == "DELETED":
        del inner[path[-1]]
    else:
        inner[path[-1]] = wrong
    return damaged


def toml(value):
    """Inline, which every TOML reader takes."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(c if c.isprintable() and c not in '"\\' else f"\\u{ord(c):04x}" for c in value) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + "}"
    return repr(value)


def use(folder):
    """Everything that is read of a lab before anything is compiled. Returns the reason of a refusal."""
    import labs
    from learning import measure, predictions
    try:
        lab = labs.Lab(folder)
    except labs.CourseError as error:
        return str(error)
    predictions.questions(lab)
    measure.compare_words(lab, "results")
    sum(exercise.points for exercise in lab.exercises)
    return None


def main():
    with open(sys.argv[1], "rb") as file:
        about = tomllib.load(file)
    failed = refused = 0
    with tempfile.TemporaryDirectory() as root:
        os.environ["IOLAB_LABS"] = root
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "course"))
        os.mkdir(os.path.join(root, "90_x"))
        damages = [(path, wrong) for path in places(about) if path for wrong in WRONG]
        for path, wrong in damages:
            damaged = damage(about, path, wrong)
            with open(os.path.join(root, "90_x", "lab.toml"), "w", encoding="utf-8") as file:
                file.write("".join(f"{toml(key)} = {toml(inner)}\n" for key, inner in damaged.items()))
            place = ".".join(map(str, path))
            try:
                reason = use("90_x")
            except Exception:
                traceback.print_exc()
                reason, failed = None, failed + 1
                print(f"a traceback: {place} is {wrong!r}")
            if reason is None:
                continue
            refused += 1
            if "\n" in reason or "lab.toml: " not in reason or str(path[0]) not in reason:
                failed += 1
                print(f"{place} is {wrong!r}: the reason does not say where: {reason!r}")
    print(f"{len(damages)} damages, {refused} refused, {failed} failed")
    sys.exit(1 if failed or refused < len(damages) / 2 else 0)


if __name__ == "__main__":
    main()
