#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses an include or import that goes up.

Folders are floors. A file uses what lies on its own floor or below, and names the room that it takes
a header from: #include "summary/ratio.h".

    arrows.py --rooms "base meters ..."     the harness's rooms, from the lowest to the highest
"""
import argparse
import ast
import os
import re
import sys

INCLUDE = re.compile(r'^#\s*include\s+(["<])([^">]+)[">]')
# Made by the build, beside the objects.
GENERATED = {"build_info.h", "documents_text.h", "syscall_list.h"}
COMMON = "common"
CONFORMANCE = "harness/tests/conformance"
# Headers that every lab's tests.c may include, besides those of common.
OF_LAB_TESTS = {"lab_test.h", "failing_calls.h"}

# Python: a folder whose scripts put it on the path, and its rooms from the lowest to the highest. The
# scripts themselves stand above all rooms. Rooms of one floor do not import each other.
PYTHON_FLOORS = {
    "plots": [{"readings"}, {"drawing"}, {"figures"}, {"pages"}],
    "harness/course": [{"labs"}, {"proctor"}, {"learning", "grading", "mutation"}],
}
# Neither imported nor rooms: tests, and what `make new-lab` copies.
APART = {"tests", "new_lab"}


def files_below(folder, *endings):
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(n for n in folders if n != "__pycache__")
        for name in sorted(names):
            if name.endswith(endings):
                yield os.path.join(path, name)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Include:
    """One #include of one file, and the header that it means."""

    def __init__(self, path, number, written, of_system):
        self.path, self.written, self.of_system = path, written, of_system
        self.where = f"{path}:{number}: \"{written}\""

    def header(self, own_folder, searched):
        """The header's path, or None. The order is the compiler's: the file's own folder first."""
        for folder in [own_folder, *searched]:
            found = os.path.join(folder, self.written)
            if os.path.isfile(found):
                return os.path.normpath(found)
        return None


def includes_of(path):
    for number, line in enumerate(read(path).splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield Include(path, number, found[2], of_system=found[1] == "<")


def folder_of(path):
    """common, labs, harness/ROOM or harness/tests/..."""
    parts = path.split(os.sep)
    if parts[0] != "harness":
        return parts[0]
    return CONFORMANCE if path.startswith(CONFORMANCE + "/") else "/".join(parts[:2])


def reach_of(folder, rooms):
    """The folders whose headers a file of this folder may include, or None for all of them."""
    room = folder.removeprefix("harness/")
    if room in rooms:
        return {COMMON, *(f"harness/{name}" for name in rooms[:rooms.index(room) + 1])}
    return {
        COMMON: {COMMON},
        "labs": {COMMON},
        "harness/trust": {COMMON},
        "harness/peers": {COMMON, *(f"harness/{name}" for name in rooms)},
        "harness/course": {COMMON, "harness/base", "harness/course", CONFORMANCE},
        CONFORMANCE: {COMMON, CONFORMANCE},
        "harness/tests": None,
    }.get(folder, set())


def fault_of_include(include, rooms):
    if include.written in GENERATED:
        return None
    folder = folder_of(include.path)
    own = os.path.dirname(include.path)
    header = include.header(own, ["harness", COMMON, "harness/course", "harness/course/proctor", CONFORMANCE])
    if ".." in include.written.split("/"):
        return "an include does not climb"
    if not header:
        return None if include.of_system else "no such header"
    at = folder_of(header)
    if include.of_system:
        return f'a header of ours stands in quotes: "{include.written}"'
    if at.removeprefix("harness/") in rooms and include.written != header.removeprefix("harness/"):
        return f'a room\'s header is named with its room: "{header.removeprefix("harness/")}"'
    reach = reach_of(folder, rooms)
    if reach is None or at in reach:
        return None
    if folder == "labs" and (os.path.dirname(header) == own or include.written in OF_LAB_TESTS):
        return None
    return f"{folder} may not include {at}: it may include {', '.join(sorted(reach)) or 'nothing'}"


def c_faults(rooms):
    for top in (COMMON, "labs", "harness"):
        for path in files_below(top, ".c", ".h"):
            for include in includes_of(path):
                fault = fault_of_include(include, rooms)
                if fault:
                    yield f"{include.where}: {fault}"


def imported(path):
    """(line, module) of each import, wherever it stands."""
    for node in ast.walk(ast.parse(read(path), path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def python_faults(top, floors):
    floor_of = {room: number for number, floor in enumerate(floors) for room in floor}
    for path in files_below(top, ".py"):
        room = os.path.relpath(path, top).split(os.sep)[0].removesuffix(".py")
        if room in APART:
            continue
        if os.path.isdir(os.path.join(top, room)) and room not in floor_of:
            yield f"{path}: {top}/{room} is no room of {top} (see PYTHON_FLOORS in {sys.argv[0]})"
            continue
        floor = floor_of.get(room, len(floors))
        for number, module in imported(path):
            target = module.split(".")[0]
            is_script = target not in floor_of and os.path.isfile(os.path.join(top, f"{target}.py"))
            above = floor_of.get(target, len(floors) if is_script else -1)
            if target != room and (above > floor or above == floor < len(floors)):
                yield f"{path}:{number}: {module}: {top}/{room} may not import {target}, " + \
                    ("which is no lower" if above == floor else "which is above it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", required=True)
    rooms = parser.parse_args().rooms.split()
    faults = list(c_faults(rooms))
    for top, floors in PYTHON_FLOORS.items():
        faults += python_faults(top, floors)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
