# SPDX-License-Identifier: MIT
"""Builds a lab's test program around an engine, and has the proctor run it."""
import contextlib
import functools
import glob
import hashlib
import itertools
import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass, field

from labs import ROOT, SOURCES, CourseError  # first: it says where children and readings lie
import children
from proctor.findings import Finding, sentence
from readings import whole_file

BUILD_LIMIT_S = 120
UNWANTED_S = 0.1  # how soon run_each() sees that nobody wants its results

# The proctor's exit statuses, beside 0 and 1: proctor.c names them.
NO_TEST = 3
TRACING_REFUSED = 120


# The address of a nested function is code that GCC puts on the stack, and the proctor lets no memory become code.
TRAMPOLINE = "trampoline generated"
TRAMPOLINE_CURE = "The address of a nested function is taken, so code would lie on the stack. Make that function a static " \
                  "one of the file, and give it what it needs by an argument."


@dataclass
class Outcome:
    """The result of one test."""

    name: str
    exercise: int
    status: str  # "passed", "failed", "skipped"; in the grader also "not_run"
    findings: list = field(default_factory=list)  # of Finding: why it failed, or was skipped
    output: list = field(default_factory=list)  # the lines that the program printed
    events: list = field(default_factory=list)  # what led there, see findings.event_line()
    events_cut: bool = False  # there were more, before these
    # What the proctor saw of a test that passed, {name: count}; None where nothing was watched.
    engine_calls: dict | None = None
    own_calls: dict | None = None
    engine_moved_bytes: dict | None = None  # {"in": 4096, "out": 0}
    faults: int = 0  # calls of the engine that were made to fail
    rings: int = 0  # of io_uring
    own_waits: list = field(default_factory=list)  # the calls by which the test itself waited

    def found(self, *ids):
        """The first finding with one of these ids, or None."""
        return next((f for f in self.findings if f.id in ids), None)


@dataclass
class Verdict:
    """The results of all tests on one engine."""

    outcomes: list
    trouble: str = ""  # why there are none, in words: does not compile, the proctor could not run
    status: int = 0  # the proctor's exit status: NO_TEST, TRACING_REFUSED
    cut_short: bool = False  # a test hung, and later ones were not run

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
    """The folder's name in the Makefile."""
    parts = ["build"] + (["clang"] if cc.startswith("clang") else []) + \
            ([sanitize.replace(",", "-")] if sanitize else [])
    return os.path.join(ROOT, *parts)


def prepare(cc="gcc", sanitize=""):
    """Builds the trusted parts: the library of test programs, the script that compiles, the proctor.
    Returns their folder."""
    command = ["make", "-s", f"CC={cc}", f"SANITIZE={sanitize}", "course"]
    done = children.run(command, cwd=ROOT)
    if done.returncode != 0:
        raise CourseError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return os.path.join(build_folder(cc, sanitize), "course")


@functools.cache
def thread_sanitizer_trouble(cc="gcc"):
    """Why no program of ThreadSanitizer runs here, in words; "" when one does."""
    program = os.path.join(build_folder(cc, "thread"), "nothing")  # does nothing; made once, run each time
    os.makedirs(os.path.dirname(program), exist_ok=True)
    if not os.path.exists(program):
        try:
            with whole_file.replacing(program) as fresh:
                subprocess.run([cc, "-fsanitize=thread", "-o", fresh, "-xc", "-"], input="int main(void) { return 0; }",
                               capture_output=True, text=True, check=True)
        except subprocess.CalledProcessError:
            return f"{cc} does not make programs for it (is its library installed?)"
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return (done.stderr.strip().splitlines() or [f"its programs end with {done.returncode} here"])[0]
    return ""


def with_cure(words):
    """The compiler's words; with what to do, where they say only what is wrong."""
    return f"{words}\n{TRAMPOLINE_CURE}" if TRAMPOLINE in words else words


def _run_compiler(command):
    """Returns what the compiler printed; raises when it failed."""
    try:
        # Ended by a signal, a compiler may leave what it has just made in the folder for such files.
        with tempfile.TemporaryDirectory(prefix="iolab-") as scratch:
            done = children.run(command, BUILD_LIMIT_S, cwd=ROOT, errors="replace",
                                env={**os.environ, "TMPDIR": scratch})
    except subprocess.TimeoutExpired as error:
        raise CourseError(f"the compiler was not done after {BUILD_LIMIT_S} s") from error
    if done.returncode != 0:
        raise CourseError(with_cure(done.stderr.strip()) or f"the compiler ended with {done.returncode}")
    return done.stderr.strip()


def tests_object(lab, cc="gcc", sanitize="", wrap=()):
    """The object of the lab's tests.c, compiled only when it is older than what it is made from: the
    library is made anew when a header of the course changes, the script when a flag does."""
    course = os.path.join(build_folder(cc, sanitize), "course")
    source, script = lab.path("tests.c"), os.path.join(course, "compile-object")
    place = hashlib.sha256(source.encode()).hexdigest()[:8]  # there are labs of one name in several folders
    made = os.path.join(course, f"{lab.name}-{place}-tests.o")
    # No file of the library includes loop_test.h.
    headers = glob.glob(os.path.join(ROOT, "harness", "course", "proctor", "*.h"))
    newest_ns = max(os.stat(path).st_mtime_ns for path in (source, script, os.path.join(course, "tests.a"), *headers))
    if not os.path.exists(made) or os.stat(made).st_mtime_ns <= newest_ns:
        with whole_file.replacing(made) as fresh:  # several may compile it at once
            _run_compiler([*wrap, script, lab.name, fresh, source])
    return made


def compile_object(lab, source, out, sanitize="", cc="gcc"):
    """One file of the lab. Returns what the compiler printed; raises when it failed."""
    return _run_compiler([os.path.join(build_folder(cc, sanitize), "course", "compile-object"), lab.name, out, source])


def link(lab, out, objects):
    """A program of the lab's tests. Raises when it cannot be linked."""
    _run_compiler([os.path.join(build_folder(), "course", "compile"), lab.name, out, *objects])


def below(lab, course):
    """What the lab's files stand on: the reference of other folders, an object for each. `course`: where the
    trusted parts of a build lie."""
    return [os.path.join(course, "below", f"{folder}.o") for folder in lab.stands_on]


def names_in(listing):
    """Those that nm -P prints, and is told to print no others."""
    return {line.split()[0] for line in listing.splitlines() if line}


def refuse_forbidden(lab, sources, course, wrap):
    """Raises where the files, or objects, call a function that lab.toml forbids."""
    with tempfile.TemporaryDirectory(prefix="iolab-") as scratch:
        for source in sources if lab.without["functions"] else ():
            made = source if source.endswith(".o") else os.path.join(scratch, "object.o")
            if made != source:
                _run_compiler([*wrap, os.path.join(course, "compile-object"), lab.name, made, "-w", source])
            called = subprocess.run(["nm", "-u", "-P", made], capture_output=True, text=True, check=True).stdout
            function = lab.forbidden_among(names_in(called))
            if function:
                finding = Finding("calls_forbidden", {"function": function, "why": lab.without["why"]})
                raise CourseError(f"{os.path.basename(source)}: {sentence(finding)}")


def compile_tests(lab, sources, out, cc="gcc", sanitize="", wrap=()):
    """Compiles the lab's tests with the learner's files `sources`, or their objects, into the program `out`. Returns
    what the compiler printed; raises when it failed. Engines of below are found before those of the files. `wrap` is
    put before the compiler's command."""
    course = os.path.join(build_folder(cc, sanitize), "course")
    os.makedirs(os.path.dirname(out), exist_ok=True)
    parts = [path for path in sources if path.endswith((*SOURCES, ".o"))]
    words = _run_compiler([*wrap, os.path.join(course, "compile"), lab.name, out, tests_object(lab, cc, sanitize, wrap),
                           *below(lab, course), *parts])
    refuse_forbidden(lab, parts, course, wrap)
    return words


RESULT = re.compile(r"(not )?ok (\d+) - (\S+)( # SKIP)?")
BLOCK_BEGIN, BLOCK_END = "  ---", "  ..."


def read_tap(text):
    """The outcomes in the proctor's output, whose form tap.h describes. Results without their whole block
    and numbers out of order are passed over."""
    outcomes = []
    lines = text.split("\n")
    for at, line in enumerate(lines):
        found = RESULT.fullmatch(line)
        if not found or int(found[2]) != len(outcomes) + 1 or \
                lines[at + 1:at + 4:2] != [BLOCK_BEGIN, BLOCK_END]:
            continue
        block = json.loads(lines[at + 2])
        outcomes.append(Outcome(found[3], block["exercise"],
                                "failed" if found[1] else "skipped" if found[4] else "passed",
                                [Finding(f["id"], f["values"]) for f in block["findings"]],
                                block.get("output", []), block.get("events", []),
                                block.get("events_cut", False), block.get("engine_calls"),
                                block.get("own_calls"), block.get("engine_moved_bytes"), block.get("faults", 0),
                                block.get("rings", 0), block.get("own_waits", [])))
    return outcomes


@contextlib.contextmanager
def proctor_environment():
    """An environment for a proctor. What it leaves behind when it is ended goes away with the block."""
    # Not below /tmp: in memory, O_DIRECT is refused.
    with tempfile.TemporaryDirectory(prefix="iolab-", dir=os.environ.get("TMPDIR", "/var/tmp")) as scratch:
        yield {**os.environ, "TMPDIR": scratch}


def tests_in(program, exercise=0, prefix="", engine=""):
    """The tests of the program that are asked for, as (name, exercise, engine)."""
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True).stdout
    rows = [(name, int(number), spec.split(":")[0])
            for name, number, _, spec in (line.split("\t")[:4] for line in listed.splitlines())]
    return [row for row in rows if row[0].startswith(prefix) and exercise in (0, row[1]) and engine in ("", row[2])]


def run_each(program, tests, wrap=(), unwanted=None):
    """Runs `tests` of tests_in() without a proctor. Says of each whether it holds, and never why it does not. Ends them
    once `unwanted`, a threading.Event, is set: then those that had not ended count as failed. `wrap` is put before the
    command."""
    command = [*wrap, program, "--each", *(name for name, _, _ in tests)]
    with proctor_environment() as environment, \
            children.child(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True) as process:
        while True:
            try:
                printed, _ = process.communicate(timeout=UNWANTED_S)
                break
            except subprocess.TimeoutExpired:
                if unwanted and unwanted.is_set():
                    process.kill()
    ends = dict(map(str.split, printed.splitlines()))
    return [Outcome(name, exercise, ends.get(name, "failed")) for name, exercise, _ in tests]


def together(verdicts):
    """One verdict of several proctors that took turns with the tests, by --part."""
    for verdict in verdicts:
        if verdict.trouble:
            return verdict
    turns = itertools.zip_longest(*(verdict.outcomes for verdict in verdicts))
    return Verdict([outcome for turn in turns for outcome in turn if outcome],
                   cut_short=any(verdict.cut_short for verdict in verdicts))


def run_tests(program, options=(), limit_s=900, wrap=()):
    """Has the proctor run the program's tests. `wrap` is put before the command."""
    proctor = os.path.join(ROOT, "build", "course", "proctor")
    try:
        with proctor_environment() as environment:
            done = children.run([*wrap, proctor, *options, program], limit_s, text=False, env=environment,
                                stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return Verdict([], f"the tests were not done after {limit_s} s")
    if done.returncode == TRACING_REFUSED and "--untraced" not in options:
        return run_tests(program, [*options, "--untraced"], limit_s, wrap)
    return verdict_of(done.stdout, done.stderr, done.returncode)


def verdict_of(tap, errors, status):
    """From the bytes that the proctor printed, and its exit status."""
    outcomes = read_tap(tap.decode(errors="replace"))
    if status in (0, 1) and outcomes:
        return Verdict(outcomes)
    return Verdict(outcomes, errors.decode(errors="replace").strip() or f"the proctor ended with status {status}", status=status)
