#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""grade.py SUBMISSIONS: grades one submission or a folder of them, unattended. See docs/instructor.md.

Of a submission only the files that lab.toml names are taken. They are compiled and run shut in
(sandbox.py), linked with the grader's own tests, and the verdict is the proctor's. Before any of them
the reference solution goes the same way: what it cannot do here, no submission is asked for.
"""
import argparse
import contextlib
import hashlib
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import labs
import programs
import reports
import sandbox
import submission
from labs import ROOT, CourseError
from programs import Outcome

COMPILE_WALL_S = 60
COMPILE_CPU_S = 30
HEADERS = ("/usr/", "/opt/", "/lib", "/nix/", "/gnu/")  # where a system's headers lie
# Who puts objects together, as the compiler does itself: a submission's files become one, of which no
# name can be seen from outside. So it cannot put a main(), read() or expect() of its own in the place
# of the tests' or the library's; the contract needs no name, engines register by a section.
LINK = """out=$1 lab=$2 tests=$3; shift 3
ld -r -o "$out.o" "$@" && objcopy --keep-global-symbol=iolab_keeps_none "$out.o" &&
build/course/compile "$lab" "$out" "$tests" "$out.o" && nm -u "$out.o" && readelf -SW "$out.o"
"""
# Functions that an engine seldom needs, and that one which forges its tests' verdict can use. Where the
# reference does without them, a person should look at who does not.
UNUSUAL = set("""prctl syscall getenv secure_getenv environ __environ dlsym dlopen ptrace process_vm_readv
process_vm_writev memfd_create mmap mprotect open open64 openat fopen fopen64 fork vfork clone execve
system popen exit _exit quick_exit kill raise sigaction signal longjmp _longjmp __longjmp_chk""".split())


@dataclass
class Examined:
    """What became of one lab's files."""

    outcomes: list  # of programs.Outcome, one for each test of the lab
    warnings: str = ""  # the compiler's
    broken: dict = field(default_factory=dict)  # {file: why it could not be compiled}
    trouble: str = ""  # why nothing could be run, in a few words
    calls: set = field(default_factory=set)  # the names that the files leave to the libraries
    early: bool = False  # whether they hold code that runs before main()
    seconds: float = 0


@dataclass
class LabGrade:
    lab: labs.Lab
    examined: Examined
    counted: list  # the names of the tests that give points
    telling: list  # of these, the ones that the untouched starter fails
    unusual: set  # what they call of UNUSUAL, and the reference does not
    absent: dict  # {file: why it was not taken}

    def points(self, exercise):
        """(points, passed tests, tests): an exercise's points are shared equally among its tests. What
        the untouched starter passes, too, gives nothing by itself."""
        mine = [o for o in self.examined.outcomes
                if o.exercise == exercise.number and o.name in self.counted]
        passed = [o.name for o in mine if o.status == "passed"]
        gained = any(name in self.telling for name in passed)
        return (exercise.points * len(passed) / len(mine) if gained else 0.0), len(passed), len(mine)

    @property
    def total(self):
        return sum(self.points(e)[0] for e in self.lab.exercises)

    @property
    def most(self):
        return sum(e.points for e in self.lab.exercises if self.points(e)[2])


@dataclass
class Grade:
    name: str  # as the folder is called, made printable
    file_name: str  # what its reports are called
    labs: list = field(default_factory=list)
    remark: str = ""
    ignored: list = field(default_factory=list)  # files that nobody asked for
    seconds: float = 0

    @property
    def total(self):
        return sum(g.total for g in self.labs)

    @property
    def most(self):
        return sum(g.most for g in self.labs)


# What it is compiled with and judged by.


def make_kit(kit, chosen):
    """A copy of what a submission may see: headers, the library, the tests. No solution is in it."""
    for pattern in ("common", "harness", "harness/course", "harness/tests/conformance", "build"):
        os.makedirs(os.path.join(kit, pattern), exist_ok=True)
        for name in os.listdir(os.path.join(ROOT, pattern)):
            if name.endswith(".h"):
                shutil.copyfile(os.path.join(ROOT, pattern, name), os.path.join(kit, pattern, name))
    os.makedirs(os.path.join(kit, "build", "course"))
    for name in ("tests.a", "compile", "compile-object", "proctor"):
        shutil.copy(os.path.join(ROOT, "build", "course", name), os.path.join(kit, "build", "course"))
    for lab in chosen:
        folder = os.path.join(kit, "labs", lab.name)
        os.makedirs(folder)
        shutil.copyfile(lab.path("tests.c"), os.path.join(folder, "tests.c"))
        for script, out, source in (("compile-object", "tests.o", "tests.c"),
                                    ("compile", "list", "tests.o")):
            command = [os.path.join("build", "course", script), lab.name,
                       os.path.join(folder, out), os.path.join(folder, source)]
            done = subprocess.run(command, cwd=kit, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise CourseError(f"labs/{lab.name}/tests.c: {done.stderr[-2000:]}")
    for path, folders, files in os.walk(kit):  # whatever the umask is
        for name in (*folders, *files):
            whole = os.path.join(path, name)
            os.chmod(whole, 0o755 if os.access(whole, os.X_OK) else 0o644)


def dependencies(text):
    """The files that a compiler's rule (-MD) names after its colon."""
    words = re.sub(r"\\\n", " ", text).partition(":")[2]
    return [re.sub(r"\\(.)", r"\1", word).replace("$$", "$")
            for word in re.findall(r"(?:\\.|[^\s\\])+", words)]


class Grader:
    def __init__(self, options, chosen, hidden):
        self.options, self.labs = options, chosen
        self.scratch = tempfile.mkdtemp(prefix="iolab-grade-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.kit = os.path.join(self.scratch, "kit")
        self.forbidden = [os.path.realpath(path) for path in hidden]
        self.proctor_options = []
        self.counted, self.telling, self.calls = {}, {}, {}  # by lab
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _prepare(self):
        for path in self.forbidden:
            if os.path.realpath(self.scratch).startswith(path.rstrip("/") + "/"):
                raise CourseError(f"{path} is kept from submissions, so the grader cannot work in it; "
                                  "set TMPDIR to a folder elsewhere")
        os.chmod(self.scratch, 0o711)
        os.makedirs(self.kit, 0o755)
        make_kit(self.kit, self.labs)
        self.sandbox = sandbox.Sandbox(self.scratch, self.forbidden)
        self.tests = {lab.name: self._list_tests(lab) for lab in self.labs}

    def close(self):
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _list_tests(self, lab):
        listed = subprocess.run([os.path.join(self.kit, "labs", lab.name, "list"), "--list"],
                                capture_output=True, text=True, check=True).stdout
        tests = [Outcome(words[0], int(words[1]), "failed") for words in map(str.split, listed.splitlines())]
        for test in tests:
            if not 1 <= test.exercise <= len(lab.exercises):
                raise CourseError(f"labs/{lab.name}: {test.name} belongs to exercise {test.exercise}, "
                                  "which lab.toml lacks")
        return tests

    def uid(self, number):
        return self.options.first_uid + number if self.sandbox.is_root else None

    def calibrate(self):
        """The reference's and the starter's turn. Says which tests count here."""
        for lab in self.labs:
            files = {name: text.encode() for name, text in lab.solution().items()}
            for attempt in (1, 2):
                examined = self.examine(lab, files, self.uid(0))
                failed = [o for o in examined.outcomes if o.status == "failed"]
                if not failed:
                    break
                if "ptrace is refused" in examined.trouble:
                    self.proctor_options = ["--untraced"]
                    self.sandbox.barriers.append("system calls: NOT watched, ptrace is refused here; "
                                                 "tests that count them give no points")
            else:
                words = " / ".join(failed[0].words[:3])
                raise CourseError(f"the reference solution of lab {lab.number} fails {len(failed)} tests "
                                  f"here, so nothing can be graded. The first: {failed[0].name}: "
                                  f"{examined.trouble or words}")
            counted = [o.name for o in examined.outcomes if o.status == "passed"]
            files = {name: text.encode() for name, text in lab.starter().items()}
            starter = self.examine(lab, files, self.uid(0)).outcomes
            self.telling[lab.name] = [o.name for o in starter if o.name in counted and o.status != "passed"]
            self.counted[lab.name], self.calls[lab.name] = counted, examined.calls

    def examine(self, lab, files, uid):
        """Compiles and runs `files` ({name: bytes}) as a submission to `lab`."""
        room = tempfile.mkdtemp(prefix="room-", dir=self.scratch)
        start = time.monotonic()
        try:
            examined = self._examine(lab, files, uid, room)
        finally:
            if uid is not None:
                self.sandbox.kill_user(uid)
                self.sandbox.sweep(uid)
            make_removable(room)
            shutil.rmtree(room, ignore_errors=True)
        examined.seconds = time.monotonic() - start
        return examined

    def _examine(self, lab, files, uid, room):
        os.chmod(room, 0o711)
        source, build, run = (os.path.join(room, name) for name in ("source", "build", "run"))
        for folder, mode in ((source, 0o755), (build, 0o700), (run, 0o711)):
            os.mkdir(folder)
            os.chmod(folder, mode)
        if uid is not None:
            os.chown(build, uid, uid)
        outcomes = [Outcome(o.name, o.exercise, "failed") for o in self.tests[lab.name]]
        examined = Examined(outcomes)
        objects = []
        for name, text in files.items():
            path = os.path.join(source, name)
            with open(path, "wb") as file:
                file.write(text)
            os.chmod(path, 0o644)
            words = self._compile(lab, path, build, uid, [self.kit, source])
            if words.startswith("!"):
                examined.broken[name] = words[1:]
            else:
                objects.append(os.path.join(build, name + ".o"))
                examined.warnings += words + "\n" if words else ""
        if objects:
            out = os.path.join(build, "program")
            command = ["sh", "-c", LINK, "link", out, lab.name, f"labs/{lab.name}/tests.o", *objects]
            linked = self.sandbox.run(command, COMPILE_WALL_S, uid, self.kit, [self.kit, source], [build],
                                      cpu_s=COMPILE_CPU_S)
            program = os.path.join(room, "program")
            examined.calls = set(re.findall(r"^ +[Uw] (\w+)", linked.stdout, re.M))
            examined.early = bool(re.search(r" \.(preinit_array|init_array|ctors)", linked.stdout))
            if linked.status == 0 and take_program(out, program):
                self._run(lab, program, run, uid, examined)
                return examined
            for name in files:
                examined.broken.setdefault(name, linked.stopped or shorten(linked.stderr, room, self.kit))
        examined.trouble = examined.trouble or ("does not compile" if files else "nothing to compile")
        for outcome in outcomes:
            outcome.words = [examined.trouble]
        return examined

    def _compile(self, lab, path, build, uid, readable):
        """Returns the compiler's words; after a "!" why there is no object."""
        out = os.path.join(build, os.path.basename(path))
        command = ["build/course/compile-object", lab.name, out + ".o", "-MD", "-MF", out + ".d", path]
        ended = self.sandbox.run(command, COMPILE_WALL_S, uid, self.kit, readable, [build],
                                 cpu_s=COMPILE_CPU_S)
        words = shorten(ended.stderr, os.path.dirname(path), self.kit)
        if ended.status != 0:
            return "!" + (f"the compiler was ended: {ended.stopped}" if ended.stopped else
                          words or f"the compiler ended with status {ended.status}")
        try:
            with open(out + ".d", encoding="utf-8", errors="replace") as file:
                included = dependencies(file.read(1 << 20))
        except OSError:
            return "!the compiler left no list of included files"
        for file in included:
            real = os.path.realpath(os.path.join(self.kit, file))
            ours = real.startswith(self.kit + "/") or (
                real.startswith(HEADERS) and not any(real.startswith(p + "/") for p in self.forbidden))
            if real != path and (not ours or real.endswith(".c")):
                return f"!it includes {file}, which is not for a submission to read"
        return words

    def _run(self, lab, program, run, uid, examined):
        with open(program, "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        command = [os.path.join(self.kit, "build", "course", "proctor"), *self.proctor_options,
                   "--list-from", os.path.join(self.kit, "labs", lab.name, "list")]
        if uid is not None:
            command += ["--uid", str(uid)]
        for folder in self.forbidden:
            command += ["--forbid", folder]
        ended = self.sandbox.run([*command, program], self.options.limit_s, readable=[self.kit, program],
                                 writable=[run], environment={"TMPDIR": run})
        seen = {o.name: o for o in programs.read_tap(ended.stdout)}
        with open(program, "rb") as file:
            changed = hashlib.sha256(file.read()).digest() != before
        if changed:
            examined.trouble = "the test program was changed while it ran"
        elif ended.stopped:
            examined.trouble = ended.stopped
        elif ended.status not in (0, 1):
            examined.trouble = ended.stderr.strip()[:300] or f"the proctor ended with status {ended.status}"
        elif len(seen) < len(examined.outcomes):
            examined.trouble = "the proctor ended early"
        counted = self.counted.get(lab.name)
        for i, expected in enumerate(examined.outcomes):
            outcome = seen.get(expected.name)
            if changed or not outcome or outcome.exercise != expected.exercise:
                expected.words = [f"not run: {examined.trouble}"]
                continue
            # Status 77 is the program's own word; it holds where the reference says the same.
            if outcome.status == "skipped" and counted is not None and outcome.name in counted:
                outcome.status = "failed"
                outcome.words = ["the test skipped itself, and the reference's does not: " +
                                 " ".join(outcome.words)]
            examined.outcomes[i] = outcome

    def grade(self, number, name, path, file_name):
        """The grade of one submission; number counts from 1."""
        grade = Grade(reports.printable(name), file_name)
        start = time.monotonic()
        taken, remarks = set(), []
        for lab in self.labs:
            files, absent = {}, {}
            parts = submission.place_of(path, lab) or ()
            for file in lab.files:
                taken.add(os.path.join(*parts, file))
                try:
                    if os.path.islink(path):
                        raise CourseError(f"{file} refused: the submission is a symbolic link")
                    files[file] = submission.take_file(path, (*parts, file))
                except (CourseError, OSError) as error:
                    absent[file] = str(error)
            examined = self.examine(lab, files, self.uid(number))
            explain_absence(lab, examined, {**absent, **examined.broken})
            result = LabGrade(lab, examined, self.counted[lab.name], self.telling[lab.name],
                              (examined.calls & UNUSUAL) - self.calls[lab.name], absent)
            grade.labs.append(result)
            words = remark(result, files)
            remarks += [f"lab {lab.number}: {words}" if len(self.labs) > 1 else words] if words else []
        grade.ignored = [] if os.path.islink(path) else submission.other_files(path, taken)
        if grade.ignored:
            more = ", ..." if len(grade.ignored) > 4 else ""
            remarks.append(f"not graded: {', '.join(grade.ignored[:4])}{more}")
        grade.remark = "; ".join(remarks)
        grade.seconds = time.monotonic() - start
        return grade


def make_removable(room):
    """Folders that their owner made unreadable, for a grader that is not root."""
    for path, folders, _ in os.walk(room):
        for name in folders:
            whole = os.path.join(path, name)
            with contextlib.suppress(OSError):
                if not os.path.islink(whole):
                    os.chmod(whole, 0o700)


def take_program(made, program):
    """Copies what the compiler made to where its user cannot write. False when it is no plain file."""
    try:
        fd = os.open(made, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as source:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return False
        with open(program, "wb") as target:
            shutil.copyfileobj(source, target)
    os.chmod(program, 0o555)
    return True


def shorten(words, *folders):
    """A compiler's words without the folders in which the grader put things."""
    for folder in folders:
        words = words.replace(folder + "/source/", "").replace(folder + "/", "")
    return reports.printable(words.strip(), keep_lines=True)


def exercises_in(lab, name):
    """The exercises whose regions lie in this file of the solution."""
    return {int(m[2]) for m in map(labs.BEGIN.match, lab.solution()[name].splitlines()) if m and m[2]}


def explain_absence(lab, examined, absent):
    """Tests of exercises that lie in a file which is not there say so."""
    for name, why in absent.items():
        mine = exercises_in(lab, name)
        elsewhere = set().union(*(exercises_in(lab, n) for n in lab.files if n not in absent), set())
        for outcome in examined.outcomes:
            if outcome.status == "failed" and outcome.exercise in mine - elsewhere:
                first = why.splitlines()[0] if why else "?"
                what = f"{name} does not compile: {first}" if name in examined.broken else why
                outcome.words = [what, *[w for w in outcome.words if w != "nothing to compile"]]


def remark(result, files):
    """One line on what is out of the ordinary."""
    lab, examined = result.lab, result.examined
    parts = list(result.absent.values())
    parts += [f"{name} does not compile" if "which is not for a submission" not in why else f"{name}: {why}"
              for name, why in examined.broken.items()]
    if {name: text.decode(errors="replace") for name, text in files.items()} == lab.starter():
        parts.append("the untouched starter")
    if examined.trouble and examined.trouble not in ("does not compile", "nothing to compile"):
        parts.append(examined.trouble)
    failed = [o for o in examined.outcomes if o.status == "failed" and o.words]
    for words, what in (("hung:", "hung"), ("crashed with", "crashed")):
        count = sum(o.words[0].startswith(words) for o in failed)
        parts += [f"{what} in {count} test{'s' * (count > 1)}"] if count else []
    rules = ("the program ", "the process ended", "the test skipped")
    parts += [o.words[0] for o in failed if o.words[0].startswith(rules)][:1]
    if examined.warnings:
        parts.append("compiles with warnings")
    if result.unusual or examined.early:
        parts.append("to be read by a person: " + ", ".join(
            [*(["code before main()"] if examined.early else []), *sorted(result.unusual)]))
    return reports.printable("; ".join(parts))


def choose_labs(o, paths):
    known = labs.all_labs()
    if o.lab:
        return [labs.find(word) for word in o.lab.split(",")]
    named = [lab for lab in known if any(submission.names_lab(path, lab) for _, path in paths)]
    if not named:
        raise CourseError("which lab? No submission has a folder that is named as one; say LAB=04, say")
    return named


def prepare_out(out, submissions):
    """An empty folder for the grades. Earlier grades go; anything else stays and is an error."""
    above = os.path.realpath(submissions)
    if os.path.commonpath([os.path.realpath(out), above]) == above:
        raise CourseError(f"OUT={out} lies within SUBMISSIONS; name another folder")
    os.makedirs(out, exist_ok=True)
    there = os.listdir(out)
    if there and "class.csv" not in there:
        raise CourseError(f"OUT={out} is not empty and holds no grades; name another folder")
    for name in there:
        if name.endswith(reports.SUFFIXES):
            os.unlink(os.path.join(out, name))
    if there:
        print(f"{out}: earlier grades are replaced")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", metavar="SUBMISSIONS", nargs="?",
                        help="one submission, or a folder with one each")
    parser.add_argument("--lab", help="the lab (or 01,04); else those that the submissions' folders name")
    parser.add_argument("--out", default=os.path.join("results", "grades"), help="where the grades go")
    parser.add_argument("--jobs", type=int, default=1, help="submissions at once, 1 (default) or 2")
    parser.add_argument("--limit-s", type=float, default=300, help="for all tests of a lab (default 300)")
    parser.add_argument("--first-uid", type=int, default=64100,
                        help="as root: the first of the users that submissions run as (default 64100)")
    o = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        return run(o)
    except (CourseError, OSError) as error:
        print(f"grade: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("grade: interrupted; the grades written so far are whole", file=sys.stderr)
        return 130


def run(o):
    if not 1 <= o.jobs <= 2:
        raise CourseError(f"JOBS={o.jobs}: 1 or 2; tests that share a CPU with more disturb each other")
    if not o.submissions:
        raise CourseError("which submissions? make grade SUBMISSIONS=folder")
    if not os.path.isdir(o.submissions):
        raise CourseError(f"SUBMISSIONS={o.submissions} is no folder")
    paths = submission.submissions_in(o.submissions, labs.all_labs())
    if not paths:
        raise CourseError(f"SUBMISSIONS={o.submissions} holds no submission: no engine.c, and no folder")
    chosen = choose_labs(o, paths)
    without = [lab for lab in chosen if not lab.has_solution]
    if without:
        raise CourseError(f"lab {without[0].number} has no solution here: grading takes the whole course, "
                          "not a handout")
    if os.geteuid() == 0:
        taken = sandbox.users_taken(range(o.first_uid, o.first_uid + len(paths) + 1))
        if taken:
            raise CourseError(f"user {taken[0]} is taken ({taken[1]}); choose another range: "
                              "FIRST_UID=70000, say")
    prepare_out(o.out, o.submissions)
    programs.prepare()
    names = reports.file_names([name for name, _ in paths])
    hidden = [ROOT, labs.LABS, o.submissions, o.out]
    with contextlib.closing(Grader(o, chosen, hidden)) as grader:
        progress = Progress(len(paths))
        progress.show("the reference solution")
        grader.calibrate()
        grades = [None] * len(paths)
        lock = threading.Lock()

        def job(number):
            name, path = paths[number]
            progress.show(reports.printable(name))
            grade = grader.grade(number + 1, name, path, names[number])
            with lock:
                grades[number] = grade
                done = [g for g in grades if g]
                reports.write_submission(o.out, grade)
                reports.write_class(o.out, done, chosen, len(paths), grader.sandbox.barriers)
                progress.count += 1

        with ThreadPoolExecutor(o.jobs) as pool:
            jobs = [pool.submit(job, number) for number in range(len(paths))]
            try:
                for one in jobs:
                    one.result()  # an exception of the grader's own ends it
            except BaseException:
                grader.sandbox.stopping = True
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        progress.clear()
        print(reports.class_table(grades, chosen, len(paths), grader.sandbox.barriers), end="")
    print(f"\nEach submission's account, and class.csv: {o.out}/")
    return 0


class Progress:
    """A line that changes, on a terminal only."""

    def __init__(self, total):
        self.total, self.count = total, 0

    def show(self, name):
        if sys.stderr.isatty():
            print(f"\r\033[K[{self.count}/{self.total}] {name[:60]}", end="", file=sys.stderr, flush=True)

    def clear(self):
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
