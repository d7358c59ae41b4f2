#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""rooms.py [FOLDER]: does no import of plots/ go up, and is no function longer than 70 lines?"""
import ast
import os
import sys

ROOMS = ("readings", "drawing", "figures", "pages", "")  # lowest first; plot.py and report.py are the last
LONGEST_LINES = 70


def imports(tree):
    """(line, module) of everything that is imported, "pages" and "nodes" of `from pages import nodes` alike."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module


def faults(folder, room, name):
    path = os.path.join(folder, room, name)
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    here = os.path.relpath(path, folder)
    own = {file[:-3] for file in os.listdir(folder) if file.endswith(".py")}
    for line, module in imports(tree):
        target = module.split(".")[0]
        target = "" if target in own else target
        if target in ROOMS and ROOMS.index(target) > ROOMS.index(room):
            yield f"{here}:{line}: imports {module}, which is above {room}/"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= LONGEST_LINES:
            yield f"{here}:{node.lineno}: {node.name}() has more than {LONGEST_LINES} lines"


def main():
    folder = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(
        os.path.abspath(__file__)), "..")
    found = [fault for room in ROOMS for name in sorted(os.listdir(os.path.join(folder, room)))
             if name.endswith(".py") for fault in faults(folder, room, name)]
    print("\n".join(found) or "every import goes down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
