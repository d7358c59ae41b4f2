#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""forged.py LAB FILE TEST: what the proctor says of an engine in one test. FILE is compiled, linked and watched as the
grader does it, but without its sandbox. Prints TAP, or why nothing was run."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "course"))
# pylint: disable=wrong-import-position
import labs
from grading import examine
from proctor import programs


def main():
    lab, source, test = labs.find(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
    programs.prepare()
    with tempfile.TemporaryDirectory(prefix="iolab-", dir="/var/tmp") as kit:
        examine.make_kit(kit, [lab], [])
        made, out = (os.path.join(kit, name) for name in ("object.o", "forged"))
        subprocess.run(["build/course/compile-object", lab.name, made, source], cwd=kit, check=True)
        linked = subprocess.run(["sh", "-c", examine.LINK, "link", out, lab.name,
                                 " ".join(programs.below(lab, examine.course_of(""))), f"labs/{lab.name}/tests.o", made],
                                cwd=kit, capture_output=True, text=True, check=False)
        if linked.returncode != 0:
            print(programs.with_cure(linked.stderr))
            return linked.returncode
        lines = linked.stdout.splitlines()
        forbidden = lab.forbidden_among(line[2:] for line in lines if line.startswith("U "))
        if forbidden:
            print(f"calls {forbidden}")
            return 1
        return subprocess.run([os.path.join(kit, "build", "course", "proctor"), "--forbid", "/nowhere", *examine.places_of(lines),
                               *["--layer"] * lab.is_layer, "--list-from", os.path.join(kit, "labs", lab.name, "list"),
                               "--only", test, out], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
