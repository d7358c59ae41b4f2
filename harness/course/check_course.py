#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_course.py [LAB...]: does each lab do what docs/add-a-lab.md demands?

Its parts are there. The starter builds without a warning and fails the intended test. Each exercise can
be tested alone, and as a learner comes to it. Solution and alternates pass, also under sanitizers. Every
mutant is killed by the test that it names, each time. The handout's commands run as written, and its links
lead somewhere. The solution passes many times while the CPUs are busy. Prints TAP.
"""
import argparse
import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import as_completed

import labs
import children
from labs import ROOT, CourseError
from proctor import programs
from proctor.findings import RULES, account_lines
from proctor.sanitizers import ADDRESS, THREAD
from readings import number_option, standard_output

MUTANTS_LEAST = 12
ALTERNATES_LEAST = 3
PROGRAM_LINES_MOST = 150
REPEATS = 20
JOBS_A_CPU = 1.5  # tests sleep, too
RUNS_A_CPU = 4  # of the whole tests, which sleep most of their time
LABS_AT_ONCE = 2  # one's handout runs its commands one after another, and leaves CPUs for the other's tests
BLOCK_LIMIT_S = 120
# All labs depend on these.
FOUNDATIONS = ("common/", "harness/course/", "harness/tests/conformance/", "Makefile")
# Findings that a starter must not cause: it may be wrong, but not this.
DISASTERS = RULES | {"crashed", "hung", "ended", "main_not_reached"}


def need_build():
    """Raises in a tree that is not built: what make check-course builds first is needed here, too."""
    for part in (("iolab",), ("tests", "conformance"), ("tests", "without_io_uring")):
        path = os.path.join(ROOT, "build", *part)
        if not os.path.exists(path):
            raise CourseError(f"{os.path.relpath(path)} is missing: make check-course builds it")


class Tap:
    """Prints a line for each check, from any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.passed = self.failed = self.skipped = 0

    def check(self, what, words=""):
        """`words` say what is wrong; "" means nothing. Returns whether all is well."""
        with self.lock:
            self.passed += not words
            self.failed += bool(words)
            number = self.passed + self.failed + self.skipped
            print(f"{'not ok' if words else 'ok'} {number} - {what}")
            for line in str(words).splitlines()[:40]:
                print(f"# {line}")
            sys.stdout.flush()
        return not words

    def skip(self, what, why):
        with self.lock:
            self.skipped += 1
            print(f"ok {self.passed + self.failed + self.skipped} - {what} # SKIP {why}", flush=True)

    def note(self, words):
        with self.lock:
            print(f"# {words}", flush=True)

    def end(self):
        print(f"1..{self.passed + self.failed + self.skipped}\n"
              f"# {self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed else 0


def account(verdict, among=None):
    """The failures of a verdict, in a few lines."""
    if verdict.trouble:
        return verdict.trouble
    failed = [o for o in verdict.failed if among is None or o in among]
    return "\n".join(f"{o.name}: {' / '.join(w.strip() for w in account_lines(o)[:3])}" for o in failed)


class Object:
    """What a file of the lab was compiled to; no path: not yet."""

    def __init__(self):
        self.lock, self.path, self.words = threading.Lock(), "", ""


class LabCheck:
    def __init__(self, lab, tap, scratch, repeats):
        self.lab, self.tap, self.scratch, self.repeats = lab, tap, scratch, repeats
        self.count = 0
        self.killed = self.accepted = self.tests = 0
        self.counting = threading.Lock()
        self.objects = {}  # {what an object is made of: Object}

    def say(self, what, words=""):
        return self.tap.check(f"lab {self.lab.number}: {what}", words)

    def add_to(self, what, more):
        """Checks of one lab run side by side, and each would add to what it has read before."""
        with self.counting:
            setattr(self, what, getattr(self, what) + more)

    def place(self, name):
        folder = os.path.join(self.scratch, self.lab.name, name)
        os.makedirs(folder, exist_ok=True)
        return folder

    def build(self, files, name, cc="gcc", sanitize=""):
        """Returns (program, the compiler's words). A file is compiled once: a mutant changes one of several."""
        folder = self.place(f"{name}-{cc}-{sanitize or 'plain'}")
        for file, text in files.items():
            labs.write(os.path.join(folder, file), text)
        headers = [text for file, text in files.items() if not file.endswith(labs.SOURCES)]
        made = [self.compiled(os.path.join(folder, file), (cc, sanitize, file, text, *headers))
                for file, text in files.items() if file.endswith(labs.SOURCES)]
        program = os.path.join(folder, "tests")
        words = programs.compile_tests(self.lab, [found.path for found in made], program, cc, sanitize)
        return program, "\n".join(filter(None, [*(found.words for found in made), words]))

    def compiled(self, source, made_of):
        """The Object of a file, compiled unless another of the same text was."""
        with self.counting:
            found = self.objects.setdefault(made_of, Object())
        with found.lock:
            if not found.path:
                found.words = programs.compile_object(self.lab, source, source + ".o", made_of[1], made_of[0])
                found.path = source + ".o"
        return found

    def verdict(self, files, name, options=(), cc="gcc", sanitize="", wrap=None):
        try:
            program, _ = self.build(files, name, cc, sanitize)
        except CourseError as error:
            return programs.Verdict([], f"does not compile: {error}")
        if sanitize:
            options = [*options, "--untraced"]
        return programs.run_tests(program, options, wrap=wrap or ())

    def check_parts(self):
        lab = self.lab
        for name in ("README.md", "tests.c", "hints.md", "answers.md", "demands.toml", lab.program, *lab.files):
            self.say(f"{name} is there", "" if os.path.exists(lab.path(name)) else "it is missing")
        handout = labs.read(lab.path("README.md"))
        for name in lab.programs:
            lines = len(labs.read(lab.path(name)).splitlines())
            self.say(f"{name} has at most {PROGRAM_LINES_MOST} lines",
                     "" if lines <= PROGRAM_LINES_MOST else f"it has {lines}")
            compiled = re.search(rf"^cc .* labs/{lab.name}/{re.escape(name)}(?: |$)", handout, re.M)
            self.say(f"the handout compiles {name}", "" if compiled else f"no line cc ... labs/{lab.name}/{name}")
        program, _ = self.build(lab.solution(), "list")
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
        if lab.without["functions"]:
            self.say("the handout says why a function may not be called",
                     "" if " ".join(lab.without["why"].split()) in " ".join(handout.split()) else "lab.toml's words are not in it")
        names = {words[0]: int(words[1]) for words in map(str.split, listed.splitlines())}
        self.tests = len(names)
        for exercise in lab.exercises:
            mine = [name for name, number in names.items() if number == exercise.number]
            wrong = "" if names.get(exercise.fails) == exercise.number else \
                f"lab.toml says that its untouched region fails {exercise.fails}, which is no test of it"
            self.say(f"exercise {exercise.number} has tests", wrong if mine else "it has none")
            hints = lab.hints().get(exercise.number, [])
            self.say(f"exercise {exercise.number} has hints in rising strength",
                     "" if len(hints) >= 2 else f"{len(hints)} in hints.md")
        mutants, alternates = lab.mutants(), lab.alternates()
        self.say(f"at least {MUTANTS_LEAST} mutants",
                 "" if len(mutants) >= MUTANTS_LEAST else f"mutants/ has {len(mutants)} (*.patch)")
        self.say(f"at least {ALTERNATES_LEAST} alternates",
                 "" if len(alternates) >= ALTERNATES_LEAST else
                 f"alternates/ has {len(alternates)} (folders)")
        questions = set(re.findall(r"\*\*Question (\d+)", labs.read(lab.path("README.md"))))
        answers = set(re.findall(r"^## Question (\d+)", labs.read(lab.path("answers.md")), re.M))
        wrong = [f"README.md asks question {n}, answers.md has no ## Question {n}"
                 for n in questions - answers]
        wrong += [f"answers.md answers question {n}, README.md does not ask it"
                  for n in answers - questions]
        if not questions:
            wrong = ["README.md asks none; one begins with **Question 1"]
        self.say("every question of the handout has its answer", "\n".join(sorted(wrong)))
        self.say("nothing is left to write", "\n".join(self.left_to_write()))

    def left_to_write(self):
        """The TODOs of make new-lab that are still there: "engine.c:3: TODO what it asks ..."."""
        for name in ("lab.toml", "README.md", "hints.md", "answers.md", "demands.toml", "tests.c",
                     *self.lab.programs, *self.lab.files):
            for number, line in enumerate(labs.read(self.lab.path(name)).splitlines(), 1):
                if re.search(r"\bTODO\b", line):
                    yield f"{name}:{number}: {line.strip()}"

    def check_starter(self):
        first = self.lab.exercises[0]
        for cc in ("gcc", "clang"):
            try:
                words = self.build(self.lab.starter(), "starter", cc)[1]
            except CourseError as error:
                words = str(error)
            self.say(f"the starter builds with {cc} without a warning", words)
        verdict = self.verdict(self.lab.starter(), "starter")
        failed = verdict.failed
        wrong = verdict.trouble
        if not wrong and not any(o.name == first.fails for o in failed):
            wrong = f"it passes {first.fails}"
        self.say(f"the starter fails {first.fails}", wrong)
        bad = [o for o in failed if o.found(*DISASTERS)]
        self.say("the starter neither crashes nor hangs", account(verdict, bad) if bad else "")

    def check_exercise(self, exercise):
        """The exercises below it pass. Its own other tests and those above are not run: they may fail, and hang."""
        others = {e.number for e in self.lab.exercises} - {exercise.number}
        try:
            program, _ = self.build(self.lab.starter(others), f"without-{exercise.number}")
            wrong = self.failures_below(program, exercise)
        except CourseError as error:
            wrong = str(error)
        self.say(f"exercise {exercise.number} is tested alone by {exercise.fails}",
                 wrong or self.lets_pass(program, exercise.fails))

    @staticmethod
    def lets_pass(program, test):
        """Words where the program passes the test, "" where it fails it."""
        verdict = programs.run_tests(program, ["--only", test])
        return verdict.trouble or ("" if any(o.name == test for o in verdict.failed) else f"it passes {test}")

    def check_way(self, number):
        """A learner on the way: exercises up to this one are solved, and the starter's code of the later ones is
        still there. A bug in it must not hide what the next exercise lacks."""
        done, following = self.lab.exercises[number - 1:number + 1]
        try:
            program, _ = self.build(self.lab.starter(set(range(1, number + 1))), f"solved-to-{number}")
            verdict = programs.run_tests(program, ["--only", done.fails])
            wrong = verdict.trouble or account(verdict) or self.lets_pass(program, following.fails)
        except CourseError as error:
            wrong = str(error)
        self.say(f"with the exercises up to {number} solved, {done.fails} passes and {following.fails} fails", wrong)

    def failures_below(self, program, exercise):
        for lower in self.lab.exercises:
            if lower.number < exercise.number:
                verdict = programs.run_tests(program, ["--exercise", str(lower.number)])
                words = verdict.trouble or account(verdict)
                if words:
                    return words
        return ""

    def solution_builds(self):
        """(what is said, how to build and run it), an entry for each build."""
        yield "the solution passes", {}
        yield "the solution passes, built with clang", {"cc": "clang"}
        yield "the solution passes under ASan and UBSan", {"sanitize": ADDRESS}
        if self.lab.threads:
            yield "the solution passes under ThreadSanitizer", {"sanitize": THREAD}
        if "io_uring" not in self.lab.needs:
            yield "the solution passes with io_uring refused", {
                "name": "solution-refused", "wrap": [os.path.join(ROOT, "build", "tests", "without_io_uring")]}

    def check_solution(self, what, how):
        self.say(what, self.full_account(self.verdict(self.lab.solution(), **{"name": "solution", **how})))

    @staticmethod
    def full_account(verdict):
        return account(verdict) or ("" if verdict.passed else "no test passed")

    def check_alternate(self, name, files):
        plain = self.full_account(self.verdict(files, f"alternate-{name}"))
        words = plain or self.full_account(
            self.verdict(files, f"alternate-{name}", sanitize=ADDRESS))
        self.add_to("accepted", self.say(f"the alternate {name} passes, under ASan and UBSan too", words))

    def check_mutant(self, mutant):
        if mutant.processor not in ("", platform.machine()):
            self.tap.skip(f"lab {self.lab.number}: the mutant {mutant.name}", f"it is one for {mutant.processor}")
            return
        folder = self.place(f"mutant-{mutant.name}")
        try:
            labs.apply_mutant(self.lab, mutant, folder)
            files = {name: labs.read(os.path.join(folder, name)) for name in self.lab.files}
            program, _ = self.build(files, f"mutant-{mutant.name}", sanitize=mutant.sanitize)
            words = self.survives(program, ["--only", mutant.killed_by, "--stop-at-first",
                                            *(["--untraced"] if mutant.sanitize else [])])
        except CourseError as error:
            words = str(error)
        self.add_to("killed", self.say(f"the mutant {mutant.name} is killed by {mutant.killed_by}", words))

    def survives(self, program, options):
        """What lets the mutant live; once in five runs is enough (make check-course-slowly). A single run may be
        the one in a thousand in which the race goes well: then two more must kill it, and a note tells of it."""
        runs = max(1, self.repeats // REPEATS)
        for number in range(1, runs + 1):
            verdict = programs.run_tests(program, options)
            if runs == 1 and not verdict.trouble and not verdict.failed:
                self.tap.note(f"lab {self.lab.number}: {options[1]} passed once")
                verdicts = [programs.run_tests(program, options) for _ in range(2)]
                verdict = next((v for v in verdicts if v.trouble or not v.failed), verdicts[0])
            if verdict.trouble or not verdict.failed:
                return verdict.trouble or f"{options[1]} passes" + (f" in run {number} of {runs}" if runs > 1 else "")
        return ""

    def check_repeats(self):
        """Runs the tests several times at once, beside a busy CPU, to find those that need an idle machine."""
        program, _ = self.build(self.lab.solution(), "repeats")
        with busy_cpu(), children.pool(RUNS_A_CPU * len(os.sched_getaffinity(0))) as pool:
            runs = [pool.submit(programs.run_tests, program) for _ in range(self.repeats)]
            words = ""
            for number, run in enumerate(as_completed(runs), 1):
                words = self.full_account(run.result())
                if words:
                    pool.shutdown(wait=False, cancel_futures=True)
                    words = f"run {number}: {words}"
                    break
        self.say(f"the solution passes {self.repeats} times, {RUNS_A_CPU} at once for each CPU, beside a busy one", words)

    @staticmethod
    def misquoted(source, quoted):
        """The first part of a quotation that does not stand in the file, or "". A line of dots leaves lines out."""
        try:
            text = labs.read(os.path.join(ROOT, source))
        except OSError as error:
            return str(error)
        for part in re.split(r"^\s*\.\.\.\n", quoted, flags=re.M):
            if part not in text:
                return f"this does not stand there:\n{part}"
            text = text[text.index(part) + len(part):]
        return ""

    def check_handout(self):
        readme = self.lab.path("README.md")
        text = labs.read(readme)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if not target.startswith(("http:", "https:", "#")):
                path = os.path.join(self.lab.folder, target.split("#")[0])
                self.say(f"README.md: {target} leads somewhere",
                         "" if os.path.exists(path) else "it does not")
        known = {lab.number for lab in labs.all_labs()}
        absent = sorted({n for words in re.findall(r"\blabs? ((?:\d\d(?:, | and )?)+)", text, re.I)
                         for n in re.findall(r"\d\d", words)} - known)
        self.say("README.md names no lab that is not there", f"lab {', '.join(absent)}" if absent else "")
        for source, quoted in re.findall(r"^```c (\S+)\n(.*?)^```", text, re.M | re.S):
            self.say(f"README.md quotes {source} as it is", self.misquoted(source, quoted))
        folder = self.place("handout")
        os.symlink(labs.LABS, os.path.join(folder, "labs"))
        for name in ("build", "common", "harness", "plots", "docs", "Makefile"):
            os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
        for number, block in enumerate(re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S), 1):
            try:
                done = children.run(["bash", "-c", block], BLOCK_LIMIT_S, cwd=folder, errors="replace",
                                    stdin=subprocess.DEVNULL)
                words = "" if done.returncode == 0 else \
                    f"status {done.returncode}\n{(done.stdout + done.stderr)[-1500:]}"
            except subprocess.TimeoutExpired:
                words = f"not done after {BLOCK_LIMIT_S} s"
            self.say(f"README.md: the commands of block {number} ({block.splitlines()[0]}) run",
                     words)

    def run(self):
        try:
            self.check_parts()
        except (OSError, CourseError) as error:
            self.say("its parts can be read", str(error))
            return
        with children.pool(int(JOBS_A_CPU * os.cpu_count())) as pool:
            jobs = [pool.submit(self.check_solution, *build) for build in self.solution_builds()]
            jobs += [pool.submit(self.check_starter)]
            jobs += [pool.submit(self.check_exercise, e) for e in self.lab.exercises]
            jobs += [pool.submit(self.check_way, e.number) for e in self.lab.exercises[:-1]]
            jobs += [pool.submit(self.check_alternate, *a) for a in self.lab.alternates()]
            jobs += [pool.submit(self.check_mutant, m) for m in self.lab.mutants()]
            for job in jobs:
                job.result()  # raises what the check itself raised
        self.check_handout()
        self.check_repeats()

    def row(self):
        lab = self.lab
        return (f"# {lab.name:14} {len(lab.exercises):9} {self.tests:6} "
                f"{self.killed:>8} of {len(lab.mutants()):<3} "
                f"{self.accepted:>6} of {len(lab.alternates())}")


@contextlib.contextmanager
def busy_cpu():
    with children.child([sys.executable, "-c", "while True: pass"]) as process:
        try:
            os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            yield
        finally:
            process.kill()
            process.wait()


def chosen_labs(o):
    if o.labs:
        return [labs.find(word) for word in o.labs]
    everything = labs.all_labs()
    if not o.since:
        return everything
    changed = subprocess.run(["git", "diff", "--name-only", o.since], cwd=ROOT, capture_output=True,
                             text=True, check=False)
    if changed.returncode != 0:
        raise CourseError(f"--since {o.since}: {changed.stderr.strip()}")
    paths = changed.stdout.splitlines()
    if any(p.startswith(FOUNDATIONS) for p in paths):
        return everything
    return [lab for lab in everything if any(p.startswith(f"labs/{lab.name}/") for p in paths)]


def check_contract_table(tap):
    """docs/contract-tests.md: each sentence of contract, headers and handouts has a test, or a reason."""
    table = os.path.join(ROOT, "harness", "tests", "contract_table.py")
    done = subprocess.run([sys.executable, "-B", table, "--check"], cwd=ROOT, capture_output=True, text=True,
                          check=False)
    tap.check("each sentence of contract, headers and handouts has a test", done.stderr if done.returncode else "")
    for line in done.stdout.splitlines():
        print(f"# {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labs", nargs="*", metavar="LAB", help="only these, as in 04 (default: all)")
    parser.add_argument("--repeats", type=number_option.whole(0, 10 ** 6), default=REPEATS,
                        help="how often the solution must pass in a row, and a twentieth of that how often each "
                             f"mutant must be killed (default {REPEATS})")
    parser.add_argument("--since", metavar="REV",
                        help="only labs that changed since this git revision")
    o = parser.parse_args()
    children.catch_signals()
    tap = Tap()
    rows = []
    try:
        need_build()
        for cc, sanitize in (("gcc", ""), ("clang", ""), ("gcc", ADDRESS)):
            programs.prepare(cc, sanitize)
        checked = chosen_labs(o)
        if any(lab.threads for lab in checked):
            programs.prepare("gcc", THREAD)
        check_contract_table(tap)
        tap.check("there are labs to check", "" if checked or o.since else "no folder has a lab.toml")
        scratch = tempfile.mkdtemp(prefix="iolab-course-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        try:
            checks = [LabCheck(lab, tap, scratch, o.repeats) for lab in checked]
            with children.pool(LABS_AT_ONCE) as pool:
                for job in [pool.submit(check.run) for check in checks]:
                    job.result()  # raises what the check itself raised
            rows = [check.row() for check in checks]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except CourseError as error:
        tap.check("the course can be checked", str(error))
    except KeyboardInterrupt:
        tap.end()
        sys.exit(children.INTERRUPTED)
    status = tap.end()
    if rows:
        print("# lab            exercises  tests   mutants killed  alternates\n" + "\n".join(rows))
    sys.exit(status)


if __name__ == "__main__":
    with standard_output.needed("check-course"):
        main()
