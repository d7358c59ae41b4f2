# SPDX-License-Identifier: MIT
"""Building a lab's test program around somebody's engine, and having the proctor run it."""
import os
import re
import subprocess
from dataclasses import dataclass, field

from labs import ROOT, CourseError

BUILD_LIMIT_S = 120


@dataclass
class Outcome:
    """One test's."""

    name: str
    exercise: int
    status: str  # "passed", "failed", "skipped"
    words: list = field(default_factory=list)  # the proctor's account of a failure


@dataclass
class Verdict:
    """Of all tests on one engine."""

    outcomes: list
    trouble: str = ""  # why there are none: does not compile, the proctor could not run
    cut_short: bool = False  # a test hung, and those after it were not run

    def named(self, name):
        return [o for o in self.outcomes if o.name == name or o.name.startswith(name + "/")]

    @property
    def failed(self):
        return [o for o in self.outcomes if o.status == "failed"]

    @property
    def passed(self):
        return [o for o in self.outcomes if o.status == "passed"]

    @property
    def ok(self):
        return not self.trouble and not self.failed and bool(self.passed)


def build_folder(cc="gcc", sanitize=""):
    """As the Makefile names it."""
    parts = ["build"] + (["clang"] if cc.startswith("clang") else []) + \
            ([sanitize.replace(",", "-")] if sanitize else [])
    return os.path.join(ROOT, *parts)


def prepare(cc="gcc", sanitize=""):
    """The trusted parts: the library that test programs link, the script that compiles, the proctor.
    Returns the folder in which they lie."""
    command = ["make", "-s", f"CC={cc}", f"SANITIZE={sanitize}", "course"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CourseError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return os.path.join(build_folder(cc, sanitize), "course")


def compile_tests(lab, sources, out, cc="gcc", sanitize="", extra=(), wrap=()):
    """The lab's tests with the engine files `sources` into the program `out`. Returns the
    compiler's words, "" when it had none; raises when it failed. `wrap` is put before the
    command: how a grader becomes another user."""
    course = os.path.join(build_folder(cc, sanitize), "course")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    command = [*wrap, os.path.join(course, "compile"), lab.name, out, lab.path("tests.c"),
               *sources, *extra]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False,
                              errors="replace", timeout=BUILD_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise CourseError(f"the compiler was not done after {BUILD_LIMIT_S} s") from error
    if done.returncode != 0:
        raise CourseError(done.stderr.strip() or f"the compiler ended with {done.returncode}")
    return done.stderr.strip()


RESULT = re.compile(r"^(not )?ok \d+ - (\S+) # exercise (\d+)(?: # SKIP (.*))?$")


def read_tap(text):
    outcomes = []
    for line in text.splitlines():
        found = RESULT.match(line)
        if found:
            status = "failed" if found[1] else "skipped" if found[4] is not None else "passed"
            outcomes.append(Outcome(found[2], int(found[3]), status,
                                    [found[4]] if found[4] else []))
        elif line.startswith("# ") and outcomes and outcomes[-1].status == "failed":
            outcomes[-1].words.append(line[2:])
    # The last lines count; they belong to no test.
    if outcomes and outcomes[-1].words and re.match(r"\d+ passed, ", outcomes[-1].words[-1]):
        outcomes[-1].words.pop()
    return outcomes


def run_tests(program, options=(), env=None, limit_s=900, wrap=()):
    """Has the proctor run the program's tests. `wrap` is put before the command."""
    proctor = os.path.join(ROOT, "build", "course", "proctor")
    try:
        done = subprocess.run([*wrap, proctor, *options, program], capture_output=True, text=True,
                              check=False, errors="replace", timeout=limit_s, env=env,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Verdict([], f"the tests were not done after {limit_s} s")
    outcomes = read_tap(done.stdout)
    if done.returncode not in (0, 1) or not outcomes:
        if "--untraced" not in options and "ptrace is refused" in done.stderr:
            return run_tests(program, [*options, "--untraced"], env, limit_s, wrap)
        return Verdict(outcomes, done.stderr.strip() or f"the proctor ended with {done.returncode}")
    return Verdict(outcomes)
