# SPDX-License-Identifier: MIT
"""Compiles a submission's files and has the proctor run a lab's tests on them, all in a sandbox.

The steps: compile each file alone and check what it includes; join the objects into one that shows no
names; link that with the grader's tests; copy the program out of its user's reach; run the proctor.
"""
import hashlib
import itertools
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from dataclasses import dataclass, field

import labs
from grading import functions, reports, sandbox
from labs import ROOT, SOURCES, CourseError
from proctor import programs
from proctor.findings import Finding, sentence
from proctor.programs import Outcome
from proctor.sanitizers import ADDRESS, THREAD, read_report

COMPILE_WALL_S = 60
COMPILE_CPU_S = 30
HEADERS = ("/usr/", "/opt/", "/lib", "/nix/", "/gnu/")  # where a system's headers lie
# Joins a submission's objects into one that shows no names but the lab's interface: what the tests call. So a
# main(), read() or expect() of its own cannot replace the one of the tests or the library. Engines need no
# name: they register by a section. What a layer stands on is linked before it, so an engine of its own takes
# no other's place. objcopy leaves some kinds of names as they are (unique ones, for example); those are refused.
# What is printed: a line "U name" for each function taken from elsewhere, without the middle of a long one, so
# that the list has room; "early" for code that runs before main(), where the function that chooses an ifunc runs
# too; "late" for code that runs after it; "bytes" for what may be code and no compiler made from C; "registers" for
# an IO_ENGINE();
# "tells" and the address from which the test speaks to the proctor, "segments" and that of the program's table,
# "code", and where the test's own code begins and how long it is. A section of that name is nobody's but the tests'.
LINK = """out=$1 lab=$2 below=$3 tests=$4; shift 4
ld -r -d -o "$out.o" "$@" && objcopy --keep-global-symbol=iolab_keeps_none \\
    --rename-section iolab_tests=.text $(sed 's/^/--keep-global-symbol=/' "labs/$lab/interface") "$out.o" || exit
! readelf -SW "$out.o" | grep -qE ' \\.note\\.GNU-stack .* X ' || {
    echo "trampoline generated" >&2; exit 1; }
shown=$(nm -g --defined-only -P "$out.o" | cut -d ' ' -f 1 | grep -vxF -f "labs/$lab/interface" | head -n 1 | cut -c 1-100)
[ -z "$shown" ] || { echo "a name of a kind that cannot be hidden: $shown" >&2; exit 1; }
build/course/compile "$lab" "$out" "$tests" $below "$out.o" || exit
nm -P "$out" | sed -n 's/^iolab_tells T \\([0-9a-f]*\\).*/tells 0x\\1/p'
readelf -SW "$out" | sed -n 's/^ *\\[ *[0-9]*\\] iolab_tests  *PROGBITS *\\([0-9a-f]*\\) [0-9a-f]* \\([0-9a-f]*\\) .*/code 0x\\1 0x\\2/p'
readelf -lW "$out" | sed -n 's/^ *PHDR *[^ ]* \\([0-9a-fx]*\\).*/segments \\1/p'
readelf -SsW "$out.o" | grep -qE ' \\.(preinit_array|init_array|ctors)| IFUNC ' && echo early
readelf -SW "$out.o" | grep -qE ' \\.(fini_array|dtors)' && echo late
readelf -SsW "$out.o" | sed 's/^ *\\[ *//; s/\\]//' | awk '$8 ~ /X/ { code[$1] = 1; odd += $2 !~ /^\\.text/ || $8 ~ /W/ }
    $4 == "OBJECT" && code[$7] { odd++ } END { exit !odd }' && echo bytes
readelf -SW "$out.o" | grep -q ' io_engines ' && echo registers
nm -u -P "$out.o" | cut -d ' ' -f 1 | sort -u | grep -vxF -f build/course/ordinary |
    awk '{ print "U " (length($0) > 99 ? substr($0, 1, 60) "..." substr($0, length($0) - 29) : $0) }'
exit 0
"""
# The same for a sanitizer's build. What LINK refuses was refused before, and a sanitizer adds code of its own
# that runs before main().
LINK_SANITIZED = """out=$1 lab=$2 below=$3 script=$4 tests=$5; shift 5
ld -r -d -o "$out.o" "$@" && objcopy --keep-global-symbol=iolab_keeps_none \\
    $(sed 's/^/--keep-global-symbol=/' "labs/$lab/interface") "$out.o" || exit
"$script" "$lab" "$out" "$tests" $below "$out.o"
"""
PREPROCESSED_BYTES_MOST = 32 << 20
LINE_MARKER = re.compile(rb'# \d+ "((?:[^"\\]|\\.)*)"')
ASSEMBLER = re.compile(rb"\b(?:asm|__asm|__asm__)\b")
WORDS_BYTES_MOST = 8000  # of a compiler's words, and the same in lines:
WORDS_LINES_MOST = 60
LINE_BYTES_MOST = 300
ASSEMBLER_SAYS = re.compile(r".*Assembler messages:$|\S+?:\d+: (Error|Warning): ")
# Of the code that a compiler makes.
CODE_SECTIONS = (".text", ".text.unlikely", ".text.startup", ".text.hot", ".text.exit")
# Read at run time, these would be printed into an account that others read.
PRIVATE_FILES = ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")


@dataclass
class Examined:
    """The results of one lab's files."""

    outcomes: list  # of programs.Outcome, one for each test of the lab
    warnings: str = ""  # the compiler's
    broken: dict = field(default_factory=dict)  # {file: the Finding why it could not be compiled}
    trouble: Finding | None = None  # why tests could not be run
    calls: set = field(default_factory=set)  # what the files take from libraries: all but the most ordinary
    early: bool = False  # is there code that runs before main()?
    late: bool = False  # after it?
    bytes: bool = False  # that is written as numbers?
    assembler: bool = False  # or as assembler in C?
    registers: bool = True  # is there an IO_ENGINE() in any of them?
    seconds: float = 0
    program: str = ""  # where its tests could be run


def course_of(sanitize):
    """Where the kit has what compiles tests, as a path in it."""
    return os.path.join(os.path.relpath(programs.build_folder(sanitize=sanitize), ROOT), "course")


def make_kit(kit, chosen, builds):
    """Copies what a submission may see: headers, the library, the tests. It holds no solution. `builds`: the
    sanitizers' ones."""
    for pattern in ("common", "harness/course/proctor", "harness/tests/conformance", "build"):
        os.makedirs(os.path.join(kit, pattern), exist_ok=True)
        for name in os.listdir(os.path.join(ROOT, pattern)):
            if name.endswith(".h"):
                shutil.copyfile(os.path.join(ROOT, pattern, name), os.path.join(kit, pattern, name))
    os.makedirs(os.path.join(kit, "build", "course"))
    with open(os.path.join(kit, "build", "course", "ordinary"), "w", encoding="ascii") as file:
        file.write("".join(f"{name}\n" for name in sorted(filter(lambda name: not functions.interface_of(name), functions.ORDINARY))))
    shutil.copy(os.path.join(ROOT, "build", "course", "proctor"), os.path.join(kit, "build", "course"))
    for build in ("", *builds):
        os.makedirs(os.path.join(kit, course_of(build)), exist_ok=True)
        for name in ("tests.a", "compile", "compile-object"):
            shutil.copy(os.path.join(ROOT, course_of(build), name), os.path.join(kit, course_of(build)))
        for path in {path for lab in chosen for path in programs.below(lab, course_of(build))}:
            os.makedirs(os.path.join(kit, os.path.dirname(path)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, path), os.path.join(kit, path))
    name_code(os.path.join(kit, course_of(""), "tests.a"))
    for lab in chosen:
        folder = os.path.join(kit, "labs", lab.name)
        os.makedirs(folder)
        shutil.copyfile(lab.path("tests.c"), os.path.join(folder, "tests.c"))
        for build in ("", *builds):
            place_tests_object(lab, build, os.path.join(folder, f"tests-{build}.o" if build else "tests.o"))
        name_code(os.path.join(folder, "tests.o"))
        make_list(lab, folder)
    for path, folders, files in os.walk(kit):  # readable for all, under any umask
        for name in (*folders, *files):
            whole = os.path.join(path, name)
            os.chmod(whole, 0o755 if os.access(whole, os.X_OK) else 0o644)


def name_code(path):
    """Puts the code of the object or library into a section iolab_tests: so the tests' code lies in one place of a
    program, and the submission's in others."""
    subprocess.run(["objcopy", *(f"--rename-section={name}=iolab_tests" for name in CODE_SECTIONS), path], check=True)


def place_tests_object(lab, build, out):
    """The one that the learner's commands keep; compiled anew for a user who may not write there."""
    try:
        shutil.copyfile(programs.tests_object(lab, sanitize=build), out)
    except OSError:
        programs.compile_object(lab, lab.path("tests.c"), out, build)
    except CourseError as error:
        raise CourseError(f"labs/{lab.name}/tests.c: {str(error)[-2000:]}") from error


def interface_of(lab, tests_object):
    """The names of the reference that the tests call: what a layer must show. An engine shows none."""
    if not lab.is_layer:
        return set()
    with tempfile.TemporaryDirectory(prefix="iolab-") as scratch:
        objects = []
        for name in lab.sources:
            objects.append(os.path.join(scratch, name + ".o"))
            programs.compile_object(lab, lab.path(name), objects[-1])
        called, made = (programs.names_in(subprocess.run(["nm", "-P", *words], capture_output=True, text=True, check=True).stdout)
                        for words in (["-u", tests_object], ["-g", "--defined-only", *objects]))
    return called & made


def make_list(lab, folder):
    """Writes `interface`, the names that a submission shows, and `list`, a program that names the tests and can run
    none: the submission may read it, so the reference is no part of it. What the lab stands on lies in the kit anyway."""
    tests = os.path.join(folder, "tests.o")
    names = sorted(interface_of(lab, tests))
    labs.write(os.path.join(folder, "interface"), "".join(f"{name}\n" for name in names))
    programs.link(lab, os.path.join(folder, "list"),
                  [tests, *programs.below(lab, course_of("")), *(f"-Wl,--defsym={name}=0" for name in names)])


def dependencies(text):
    """The files after the colon in a compiler's dependency rule (-MD)."""
    words = re.sub(r"\\\n", " ", text).partition(":")[2]
    return [re.sub(r"\\(.)", r"\1", word).replace("$$", "$")
            for word in re.findall(r"(?:\\.|[^\s\\])+", words)]


class Examiner:
    def __init__(self, chosen, hidden, limit_s, sanitizers):
        """For the labs `chosen`. `hidden`: folders that no submission may see. `sanitizers`: does what passes run
        again under them?"""
        self.limit_s = limit_s  # for all tests of a lab
        self.scratch = tempfile.mkdtemp(prefix="iolab-grade-", dir=os.environ.get("TMPDIR", "/var/tmp"))
        self.kit = os.path.join(self.scratch, "kit")
        self.forbidden = [os.path.realpath(path) for path in hidden]
        self.proctor_options = []
        self.unsaid = {}  # {(lab, sanitizer): the tests of which it reports something in the reference, too}
        try:
            self._prepare(chosen, sanitizers)
        except BaseException:
            self.close()
            raise

    def _prepare(self, chosen, sanitizers):
        for path in self.forbidden:
            if os.path.realpath(self.scratch).startswith(path.rstrip("/") + "/"):
                raise CourseError(f"{path} is hidden from submissions, so the grader cannot work in it; "
                                  "set TMPDIR to a folder elsewhere")
        os.chmod(self.scratch, 0o711)
        os.makedirs(self.kit, 0o755)
        self.sandbox = sandbox.Sandbox(self.scratch, self.forbidden, sanitizers)
        self.builds = [] if self.sandbox.why_no_sanitizers else [ADDRESS]
        if self.builds and any(lab.threads for lab in chosen):
            trouble = programs.thread_sanitizer_trouble()
            self.builds += [] if trouble else [THREAD]
            self.sandbox.barriers += [f"ThreadSanitizer: NOT run ({trouble})"] if trouble else []
        for build in self.builds:
            programs.prepare(sanitize=build)
        make_kit(self.kit, chosen, self.builds)
        self.tests = {lab.name: self._list_tests(lab) for lab in chosen}

    def close(self):
        remove_tree(self.scratch)

    def _list_tests(self, lab):
        listed = subprocess.run([os.path.join(self.kit, "labs", lab.name, "list"), "--list"],
                                capture_output=True, text=True, check=True).stdout
        tests = [Outcome(words[0], int(words[1]), "failed") for words in map(str.split, listed.splitlines())]
        for test in tests:
            if not 1 <= test.exercise <= len(lab.exercises):
                raise CourseError(f"labs/{lab.name}: {test.name} belongs to exercise {test.exercise}, "
                                  "which lab.toml lacks")
        return tests

    def examine(self, lab, files, uid, sanitize=True):
        """Compiles and runs `files` ({name: bytes}) as a submission to `lab`. The reference comes first: what a
        sanitizer reports of it is held against nobody."""
        room = tempfile.mkdtemp(prefix="room-", dir=self.scratch)
        start = time.monotonic()
        try:
            examined = self._examine(lab, files, uid, room)
            for build in self.builds if sanitize and examined.program else ():
                self._run_sanitized(lab, build, list(files), room, uid, examined)
        finally:
            if uid is not None:
                self.sandbox.kill_user(uid)
                self.sandbox.sweep(uid)
            remove_tree(room)
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
        for name in files:
            if not name.endswith(SOURCES):
                continue
            path = os.path.join(source, name)
            words, broken = self._compile(lab, path, build, uid, [self.kit, source], examined)
            if broken:
                examined.broken[name] = broken
            else:
                objects.append(os.path.join(build, name + ".o"))
                examined.warnings += words + "\n" if words else ""
        if objects:
            out = os.path.join(build, "program")
            command = ["sh", "-c", LINK, "link", out, lab.name, " ".join(programs.below(lab, course_of(""))),
                       f"labs/{lab.name}/tests.o", *objects]
            linked = self.sandbox.run(command, COMPILE_WALL_S, uid, self.kit, [self.kit, source], [build],
                                      cpu_s=COMPILE_CPU_S)
            program = os.path.join(room, "program")
            lines = linked.stdout.splitlines()
            taken = (reports.printable(line[2:]) for line in lines if line.startswith("U "))
            examined.calls = {name for name in taken if functions.interface_of(name) or not functions.is_ordinary(name)}
            examined.early, examined.late, examined.bytes = ("early" in lines, "late" in lines, "bytes" in lines)
            examined.registers = "registers" in lines or linked.status != 0
            forbidden = lab.forbidden_among(examined.calls)
            if linked.status == 0 and forbidden:
                examined.trouble = Finding("calls_forbidden", {"function": forbidden, "why": lab.without["why"]})
                for outcome in outcomes:
                    outcome.findings = [examined.trouble]
                return examined
            if linked.status == 0 and take_program(out, program):
                self._run(lab, program, run, uid, examined, places_of(lines))
                examined.program = "" if examined.trouble else program
                return examined
            for name in files:
                words = shorten(programs.with_cure(linked.stderr), room, self.kit)
                examined.broken.setdefault(name, compiler_finding(linked, words))
        examined.trouble = Finding("does_not_compile" if files else "nothing_to_compile")
        for outcome in outcomes:
            outcome.findings = [examined.trouble]
        return examined

    def _compile(self, lab, path, build, uid, readable, examined):
        """Returns the compiler's words, and a Finding why there is no object, or None."""
        out = os.path.join(build, os.path.basename(path))
        # Only the assembler's own list names what it includes (.incbin). -pipe keeps the compiler's
        # temporary file out of that list.
        command = ["build/course/compile-object", lab.name, out + ".o", "-pipe", f"-Wa,--MD,{out}.ad"]
        # First the list alone, whose words nobody sees: a compiler quotes what it includes. Its text after all macros
        # shows assembler that a macro puts together.
        lists = [*command[:2], out + ".i", "-E", "-MD", "-MF", out + ".d", path]
        listed = self.sandbox.run(lists, COMPILE_WALL_S, uid, self.kit, readable, [build], cpu_s=COMPILE_CPU_S)
        if listed.status == 0 and (file := self._forbidden_in(path, out + ".d")):
            return "", file
        if holds_assembler(out + ".i", os.path.dirname(path)):
            examined.assembler = True
        ended = self.sandbox.run([*command, path], COMPILE_WALL_S, uid, self.kit, readable, [build],
                                 cpu_s=COMPILE_CPU_S)
        words = shorten(programs.with_cure(without_quotes(ended.stderr)), os.path.dirname(path), self.kit)
        if ended.status != 0:
            return words, compiler_finding(ended, words)
        # What compiles can be listed. If it was not, something else was in the way.
        if listed.status != 0:
            listed = self.sandbox.run(lists, COMPILE_WALL_S, uid, self.kit, readable, [build], cpu_s=COMPILE_CPU_S)
        if listed.status != 0:
            return words, Finding("compiler_listed_nothing", status=listed.status)
        return words, self._forbidden_in(path, out + ".ad")

    def _forbidden_in(self, path, list_of_files):
        """A Finding for the first file, in a compiler's list, that a submission may not read; or None."""
        try:
            with open(list_of_files, encoding="utf-8", errors="replace") as file:
                included = dependencies(file.read(1 << 20))
        except OSError:
            return Finding("compiler_named_nothing")
        for file in included:
            real = os.path.realpath(os.path.join(self.kit, file))
            # The submission's files lie beside one another, and a link among them was refused before.
            is_own_header = os.path.dirname(real) == os.path.dirname(path) and real.endswith(".h")
            ours = real.startswith(self.kit + "/") or (
                real.startswith(HEADERS) and not any(real.startswith(p + "/") for p in self.forbidden))
            if real != path and file != os.path.basename(path) and not is_own_header and (not ours or real.endswith(SOURCES)):
                return Finding("includes_forbidden", {"file": reports.printable(file)[:LINE_BYTES_MOST]})
        return None

    def _run(self, lab, program, run, uid, examined, places):
        with open(program, "rb") as file:
            before = hashlib.sha256(file.read()).digest()
        command = [os.path.join(self.kit, "build", "course", "proctor"), *self.proctor_options,
                   "--list-from", os.path.join(self.kit, "labs", lab.name, "list"), *places, *["--layer"] * lab.is_layer]
        if uid is not None:
            command += ["--uid", str(uid)]
        for folder in [*self.forbidden, *filter(os.path.exists, PRIVATE_FILES)]:
            command += ["--forbid", folder]
        seen, late = self._run_exercises(lab, [*command, program], program, run, examined)
        with open(program, "rb") as file:
            changed = hashlib.sha256(file.read()).digest() != before
        if changed:
            examined.trouble = Finding("program_changed")
        elif not examined.trouble and not late and len(seen) < len(examined.outcomes):
            examined.trouble = Finding("proctor_ended_early")
        for i, expected in enumerate(examined.outcomes):
            outcome = seen.get(expected.name)
            if not changed and outcome and outcome.exercise == expected.exercise:
                examined.outcomes[i] = outcome
            elif not changed and expected.exercise in late:
                expected.status = "not_run"
                expected.findings = [Finding("time_used_up", {"exercise": expected.exercise,
                                                              "limit_s": late[expected.exercise]})]
            else:
                why = sentence(examined.trouble) if examined.trouble else "the proctor does not name it"
                expected.findings = [Finding("not_run", {"why": why})]

    def _run_sanitized(self, lab, sanitize, names, room, uid, examined):
        """Compiles the files again with a sanitizer, and runs the tests of exercises that passed. What the
        sanitizer reports counts; a test that fails for another reason there does not, since all is slower."""
        engines = threaded_engines(lab) if sanitize == THREAD else [""]
        exercises = whole_exercises(examined.outcomes)
        if not engines or not exercises:
            return
        source, build, run = (os.path.join(room, name) for name in ("source", "build", "run"))
        out, kit_course = os.path.join(build, f"program-{sanitize}"), course_of(sanitize)
        where = {"uid": uid, "cwd": self.kit, "readable": [self.kit, source], "writable": [build],
                 "cpu_s": COMPILE_CPU_S}
        sources = [name for name in names if name.endswith(SOURCES)]
        objects = [os.path.join(build, f"{name}-{sanitize}.o") for name in sources]
        for name, made in zip(sources, objects):
            self.sandbox.run([os.path.join(kit_course, "compile-object"), lab.name, made, "-pipe", "-w",
                              os.path.join(source, name)], COMPILE_WALL_S, **where)
        linked = self.sandbox.run(["sh", "-c", LINK_SANITIZED, "link", out, lab.name,
                                   " ".join(programs.below(lab, kit_course)), os.path.join(kit_course, "compile"), f"labs/{lab.name}/tests-{sanitize}.o", *objects],
                                  COMPILE_WALL_S, **where)
        program = os.path.join(room, f"program-{sanitize}")
        if linked.status != 0 or not take_program(out, program):
            return
        command = [os.path.join(self.kit, "build", "course", "proctor"), "--untraced", "--list-from",
                   os.path.join(self.kit, "labs", lab.name, "list"), *(["--uid", str(uid)] if uid is not None else [])]
        seen = []
        for exercise, engine in itertools.product(exercises, engines):
            options = ["--exercise", str(exercise), *(["--engine", engine] if engine else [])]
            ended = self.sandbox.run([*command, *options, program], self.limit_s / len(exercises),
                                     readable=[self.kit, program], writable=[run], environment={"TMPDIR": run},
                                     reserves_much=True)
            seen += programs.read_tap(ended.stdout)
        reported = find_reports(names, seen)
        unsaid = self.unsaid.setdefault((lab.name, sanitize), set(reported))
        take_reports(examined.outcomes, {name: report for name, report in reported.items() if name not in unsaid})

    def _run_exercises(self, lab, command, program, run, examined):
        """Returns {name: outcome}, and {exercise: its limit in s} where the time was used up. Each exercise
        has its share of the time and what earlier ones left of theirs, so that tests which hang take the
        time of their own exercise alone."""
        numbers = sorted({o.exercise for o in examined.outcomes})
        seen, late = {}, {}
        left_s = self.limit_s
        for at, number in enumerate(numbers):
            share_s = self.limit_s / len(numbers)
            wall_s = max(share_s, left_s - share_s * (len(numbers) - at - 1))
            ended = self.sandbox.run([*command[:-1], "--exercise", str(number), program], wall_s,
                                     readable=[self.kit, program], writable=[run],
                                     environment={"TMPDIR": run})
            left_s -= ended.seconds
            for outcome in programs.read_tap(ended.stdout):
                seen.setdefault(outcome.name, outcome)
            if ended.late:
                late[number] = round(wall_s)
            elif ended.stopped:
                examined.trouble = Finding("stopped", {"why": ended.stopped})
                break
            elif ended.status == programs.TRACING_REFUSED:
                examined.trouble = Finding("tracing_refused")
                break
            elif ended.status not in (0, 1):
                words = ended.stderr.strip()[:300] or f"the proctor ended with status {ended.status}"
                examined.trouble = Finding("proctor_failed", {"why": words})
        return seen, late


def whole_exercises(outcomes):
    """The numbers of the exercises of which nothing failed."""
    numbers = {o.exercise for o in outcomes if o.status == "passed"}
    return sorted(numbers - {o.exercise for o in outcomes if o.status not in ("passed", "skipped")})


def threaded_engines(lab):
    """The engines that start threads, as the reference has them. A layer works with the threads of others: ""
    stands for all engines."""
    if lab.is_layer:
        return [""] if lab.threads else []
    texts = lab.solution().values() if lab.threads else []
    return [name for text in texts if labs.shares_memory(text) for name in labs.engine_names(text)]


def find_reports(names, outcomes):
    """{test: Finding} where a sanitizer reports something, or where the program ended without a word: a
    submission can close what the report is written to."""
    found = {}
    for outcome in outcomes:
        report = read_report(names, outcome.output) or outcome.found("ended", "crashed")
        if outcome.status == "failed" and (report or not outcome.findings):
            found[outcome.name] = report or Finding("nothing_said")
            if report and report["file"]:
                report.values["file"] = os.path.basename(report["file"])
    return found


def take_reports(outcomes, reported):
    """A mistake in what all exercises share shows in each test, and should not cost the whole lab. So each
    mistake costs the tests of one exercise: of the first in which it shows."""
    costs = {}  # {mistake: exercise}
    for outcome in sorted(outcomes, key=lambda o: o.exercise):
        if outcome.name in reported:
            costs.setdefault(repr(reported[outcome.name]), outcome.exercise)
    for outcome in outcomes:
        report = reported.get(outcome.name)
        if outcome.status == "passed" and report and costs[repr(report)] == outcome.exercise:
            outcome.status, outcome.findings = "failed", [report]


def holds_assembler(preprocessed, source):
    """Is there assembler in what the files of the folder `source` are after all macros? The headers of a system hold
    some. A file that says itself where its lines come from, or that is very long, may hide it."""
    try:
        with open(preprocessed, "rb") as file:
            text = file.read(PREPROCESSED_BYTES_MOST)
    except OSError:
        return False
    own = False
    found = len(text) == PREPROCESSED_BYTES_MOST
    for line in text.split(b"\n"):
        marker = LINE_MARKER.match(line)
        if marker:
            own = os.path.dirname(marker[1].decode(errors="replace")) == source
        found = found or (own and ASSEMBLER.search(line) is not None)
    return found


def numbers_after(lines, word, count):
    """The numbers that follow the word in the one line that begins with it. A name of the submission's that holds a
    line feed could make another such line: then numbers that cannot be right."""
    found = [line.split()[1:] for line in lines if re.fullmatch(word + " 0x[0-9a-f]{1,16}" * count, line)]
    return [int(number, 16) for number in found[0]] if len(found) == 1 else [1] * count


def places_of(lines):
    """The proctor's options that say where in the program the tests lie, from what LINK printed."""
    (tells,), (segments,) = (numbers_after(lines, word, 1) for word in ("tells", "segments"))
    begin, size = numbers_after(lines, "code", 2)
    return ["--tells-at", str(tells - segments),
            "--tests-code", f"{max(begin - segments, 0)}-{max(begin - segments, 0) + size}"]


def compiler_finding(ended, words):
    """Why the compiler or the linker made nothing."""
    if ended.stopped:
        return Finding("compiler_stopped", {"why": ended.stopped})
    if words:
        return Finding("compiler_says", {"words": words})
    return Finding("compiler_ended", {"status": ended.status})


def remove_tree(folder):
    """Removes what a submission may have left: folders thousands of levels deep, or without permissions.
    Python's own functions call themselves for each level."""
    if os.path.isdir(folder):
        if os.geteuid() != 0:
            subprocess.run(["chmod", "-R", "u+rwX", folder], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", "--", folder], stderr=subprocess.DEVNULL,
                       check=False)


def take_program(made, program):
    """Copies the compiler's program to where its user cannot write. False when it is no regular file."""
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


def without_quotes(words):
    """The compiler's words without the assembler's, which quote files that an .include brings in unseen."""
    lines = words.splitlines()
    kept = [line for line in lines if not ASSEMBLER_SAYS.match(line)]
    return "\n".join(kept + ["the assembler refuses something"] * (len(kept) < len(lines)))


def shorten(words, *folders):
    """The compiler's words without the names of the grader's folders, and not longer than a person reads."""
    lines = words[:4 * WORDS_BYTES_MOST].strip().splitlines()[:WORDS_LINES_MOST]
    for folder in folders:
        lines = [line.replace(folder + "/source/", "").replace(folder + "/", "") for line in lines]
    lines = [line if len(line) <= LINE_BYTES_MOST else line[:LINE_BYTES_MOST] + "..." for line in lines]
    return reports.printable("\n".join(lines)[:WORDS_BYTES_MOST], keep_lines=True)
