#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses an include or import that goes up.

Folders are layers. A file uses its own layer and those below, and an include names the room that its
header comes from: #include "summary/ratio.h".

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
OF_LAB_TESTS = {
    "allocation_count.h", "lab_test.h", "loop_test.h", "ring_test.h", "stream_test.h", "failing_calls.h",
}

# Python: each room and the rooms that it imports from, the lowest room first. A room is a folder or one
# file. BELOW_ALL imports nothing of ours: plots/ and the harness both read documents with plots/readings.
BELOW_ALL = {"plots/readings", "harness/processes"}
COURSE = {"harness/course/labs.py", "harness/course/proctor", *BELOW_ALL}
PYTHON_ROOMS = {
    "plots/readings": set(),
    "harness/processes": {"plots/readings"},
    "plots/drawing": {"plots/readings"},
    "plots/figures": {"plots/readings", "plots/drawing"},
    "plots/pages": {"plots/readings", "plots/drawing", "plots/figures"},
    "plots": {"plots/readings", "plots/drawing", "plots/figures", "plots/pages"},
    "harness/course/labs.py": BELOW_ALL,
    "harness/course/proctor": {"harness/course/labs.py", *BELOW_ALL},
    "harness/course/learning": COURSE,
    "harness/course/grading": COURSE,
    "harness/course/mutation": COURSE,
    "harness/course": {"harness/course/learning", "harness/course/grading", "harness/course/mutation", *COURSE},
    "harness/studies": BELOW_ALL,
    "harness/peers": BELOW_ALL,
    "harness/trust": BELOW_ALL,
    "harness/schema": set(),
    "harness/lint": set(),
}
# Where an import is looked for, after the script's own folder.
PYTHON_PATH = ("plots", "harness/course", "harness/processes", "harness/studies", "harness/tests")
# What these import is not judged: tests, and what `make new-lab` copies.
PYTHON_APART = ("plots/tests", "harness/tests", "harness/course/new_lab", "labs")


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

    def header(self, searched):
        """The header's path, or None: the first that is found in these folders."""
        for folder in searched:
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


def own_folders(path):
    """The file's folder. An alternate replaces some files of its lab, so the lab's folder is its own, too."""
    folder = os.path.dirname(path)
    lab, below, _ = folder.partition("/alternates/")
    return [folder, lab] if below else [folder]


def reach_of(folder, rooms):
    """The folders whose headers a file of this folder may include, or None for all of them."""
    room = folder.removeprefix("harness/")
    if room in rooms:
        return {COMMON, *(f"harness/{name}" for name in rooms[:rooms.index(room) + 1])}
    return {
        COMMON: {COMMON},
        "labs": {COMMON},
        "harness/trust": {COMMON},
        "harness/peers": {COMMON, "harness/peers", *(f"harness/{name}" for name in rooms)},
        "harness/course": {COMMON, "harness/base", "harness/course", CONFORMANCE},
        CONFORMANCE: {COMMON, CONFORMANCE},
        "harness/tests": None,
    }.get(folder, set())


def fault_of_include(include, rooms):
    if include.written in GENERATED:
        return None
    folder = folder_of(include.path)
    own = own_folders(include.path)
    header = include.header([*own, "harness", COMMON, "harness/course", "harness/course/proctor", CONFORMANCE])
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
    if folder == "labs" and (os.path.dirname(header) in own or include.written in OF_LAB_TESTS):
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


def room_of(path):
    """The innermost room that holds the path, or None."""
    while path and path not in PYTHON_ROOMS:
        path = os.path.dirname(path)
    return path or None


def module_path(module, importer):
    """The file or folder of ours that is imported, or None: Python's own, or a library's."""
    folder = os.path.dirname(importer)
    if module.startswith("."):
        return folder
    first = module.split(".")[0]
    for place in (folder, *PYTHON_PATH):
        for found in (os.path.join(place, f"{first}.py"), os.path.join(place, first)):
            if os.path.exists(found) and (found.endswith(".py") or any(files_below(found, ".py"))):
                return found
    return None


def fault_of_import(path, module):
    room, imported_path = room_of(path), module_path(module, path)
    if not imported_path:
        return None
    if imported_path.endswith(".py") and "__main__" in read(imported_path):
        return f"{imported_path} is a script; what others need of it belongs in a file beside it"
    target = room_of(imported_path)
    if target == room or target in PYTHON_ROOMS[room]:
        return None
    return f"{room} may not import {target or imported_path}: " \
        f"it may import {', '.join(sorted(PYTHON_ROOMS[room])) or 'nothing'}"


def upward_rooms():
    """The table itself: each room imports only from rooms before it."""
    lower = set()
    for room, reach in PYTHON_ROOMS.items():
        for above in sorted(reach - lower):
            yield f"{sys.argv[0]}: PYTHON_ROOMS: {room} stands before {above}, from which it imports"
        lower.add(room)


def python_faults():
    yield from upward_rooms()
    for path in [p for top in ("plots", "harness", "labs") for p in files_below(top, ".py")]:
        if path.startswith(tuple(f"{folder}/" for folder in PYTHON_APART)):
            continue
        if os.path.dirname(path) not in PYTHON_ROOMS and path not in PYTHON_ROOMS:
            yield f"{path}: {os.path.dirname(path)} is no room (see PYTHON_ROOMS in {sys.argv[0]})"
            continue
        for number, module in imported(path):
            fault = fault_of_import(path, module)
            if fault:
                yield f"{path}:{number}: {module}: {fault}"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", required=True)
    rooms = parser.parse_args().rooms.split()
    faults = [*c_faults(rooms), *python_faults()]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
