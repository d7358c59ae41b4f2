#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Refuses a function of more than 70 lines, from its name to its closing brace, in C and Python.

Tests and the alternates of labs are exempt: a long list of cases is not hard to read.
"""
import ast
import json
import os
import subprocess
import sys

LINES_MAX = 70
FOLDERS = ("common", "harness", "labs", "plots")
EXEMPT_FOLDERS = {"tests", "alternates", "__pycache__"}


def is_exempt(path):
    return path.startswith("labs/") and os.path.basename(path) == "tests.c"


def product_files(ending):
    for top in FOLDERS:
        for path, folders, names in os.walk(top):
            folders[:] = sorted(set(folders) - EXEMPT_FOLDERS)
            paths = (os.path.join(path, name) for name in sorted(names) if name.endswith(ending))
            yield from (p for p in paths if not is_exempt(p))


def c_functions():
    """(path, line, name, lines) of each."""
    command = ["ctags", "--output-format=json", "--languages=C", "--langmap=C:+.h", "--kinds-C=f",
               "--fields=+ne", "-f", "-", *product_files((".c", ".h"))]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    # A newer ctags warns of its own parsers.
    if listed.returncode:
        sys.exit(f"functions: ctags: {listed.stderr.strip()}")
    for line in listed.stdout.splitlines():
        tag = json.loads(line)
        if tag["_type"] == "tag" and "end" in tag:
            yield tag["path"], tag["line"], tag["name"], tag["end"] - tag["line"] + 1


def python_functions():
    for path in product_files(".py"):
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read(), path)
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, node.lineno, node.name, node.end_lineno - node.lineno + 1


def main():
    found = [*c_functions(), *python_functions()]
    too_long = [each for each in found if each[3] > LINES_MAX]
    for path, line, name, lines in too_long:
        print(f"{path}:{line}: {name}() has {lines} lines; a function has at most {LINES_MAX}",
              file=sys.stderr)
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
