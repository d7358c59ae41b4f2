# SPDX-License-Identifier: MIT
"""Who finds a mutant: a lab's tests under the proctor, or the conformance suite for an engine without a
lab. Then the same under sanitizers, which a learner's check and `make check` run as well."""
import hashlib
import json
import math
import os
import re
import subprocess
import time
from dataclasses import dataclass, replace

import labs
from labs import ROOT, CourseError
from proctor import programs
from proctor.sanitizers import ADDRESS, THREAD

from .running import Runner

COMPILE_LIMIT_S = 120
# The reference's time, times this, and some more for a machine that is busy elsewhere.
LIMIT_FACTOR, LIMIT_MORE_S = 10, 60
LIKELY_MOST = 4  # tests that are tried before the others
# One test of the conformance suite: the reference's time, times this, and some more; and never more than that.
TEST_LIMIT_FACTOR, TEST_LIMIT_MORE_S, TEST_LIMIT_MOST_S = 4, 5, 30
PARSE_FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", f"-I{ROOT}/common", f"-I{ROOT}/harness",
               f"-I{ROOT}/harness/tests/conformance", f"-I{ROOT}/harness/course/proctor"]


RESULT = re.compile(r"(not )?ok \d+ - (\S+)( # SKIP.*)?")


@dataclass(frozen=True)
class Killer:
    """What showed a mutant to be wrong."""

    test: str = ""  # that failed, or that only the mutant skips; "" when the program itself ended badly
    skipped: str = ""  # what the test's line says of that
    status: int | None = 0  # of the program; None when it took longer than the limit
    build: str = ""  # the sanitizers under which it ran

    @property
    def name(self):
        return self.test or ("the limit of time" if self.status is None else f"status {self.status}")

    def __str__(self):
        return self.name + self.skipped + (f" ({self.build})" if self.build else "")


class Judge:
    """Compiles the engine's files and runs the tests, once for each kind of build in `builds`."""

    def __init__(self, name, files, builds, scratch):
        self.name, self.files, self.builds, self.scratch = name, files, builds, scratch
        self.folder = os.path.join(labs.LABS, name)
        self.runner = Runner()
        self.limit_s = LIMIT_MORE_S * LIMIT_FACTOR
        self.skipped_by_reference = set()
        self.is_prepared = False
        self.killers = {}  # function: the tests that killed its mutants, the newest first
        self.seconds = {}  # test: how long the reference takes, in its slowest build
        self.unmutated = {"functions": [], "why": ""}  # as in lab.toml
        self.line_came = 0.0  # when the reference's last line was printed, or its program began

    def flags(self):
        """What libclang needs to read a file as the compiler does."""
        return [*PARSE_FLAGS, f'-DIO_LAB_FOLDER="{self.name}"']

    def prepare(self, anew=False):
        """Compiles the reference. Raises when it does not pass: then nothing can be said of a mutant. What passed
        in an earlier run is not tried again, except when it is to be `anew`."""
        folder = os.path.join(self.scratch, "reference")
        for build in self.builds:
            self.prepare_build(build)
            for file in self.files:
                if not self.compile_object(build, self.path(file), self.reference(build, file)):
                    raise CourseError(f"{self.name}/{file} does not compile")
            self.link(build, {}, folder)
        path = os.path.join(ROOT, "build", "mutation", f"{self.name}.reference.json")
        known = json.loads(labs.read(path)) if os.path.exists(path) and not anew else {}
        if known.get("programs") != self.digest():
            began = time.monotonic()
            killer = self.killer({})
            if killer:
                raise CourseError(f"{self.name}: the reference itself fails {killer}")
            known = {"programs": self.digest(), "took_s": time.monotonic() - began,
                     "skipped": sorted(self.skipped_by_reference), "seconds": self.seconds}
            labs.write(path, json.dumps(known, indent=0) + "\n")
        self.skipped_by_reference, self.seconds = set(known["skipped"]), known["seconds"]
        self.limit_s = LIMIT_MORE_S + LIMIT_FACTOR * known["took_s"]
        self.is_prepared = True

    def is_failure(self, line):
        """A test that the reference passes and a mutant skips has found something, too."""
        found = RESULT.match(line)
        if not found:
            return False
        failed, test, skipped = found.groups()
        if not self.is_prepared:
            self.note_reference(test, skipped)
        return bool(failed or skipped and test not in self.skipped_by_reference)

    def note_reference(self, test, skipped):
        now = time.monotonic()
        self.seconds[test] = max(self.seconds.get(test, 0), now - self.line_came)
        self.line_came = now
        if skipped:
            self.skipped_by_reference.add(test)

    def path(self, file):
        return os.path.join(self.folder, file)

    def reference(self, build, file):
        return os.path.join(self.scratch, f"reference-{build or 'plain'}", f"{file}.o")

    def compile_object(self, build, source, out):
        """False when it does not compile."""
        os.makedirs(os.path.dirname(out), exist_ok=True)
        # Neither debugging information nor the file's folder: equal programs are equal files.
        status, _ = self.runner.run(
            [os.path.join(programs.build_folder(sanitize=build), "course", "compile-object"), self.name,
             out, "-g0", f"-ffile-prefix-map={os.path.dirname(source)}=.", "-w", f"-I{self.folder}", source], COMPILE_LIMIT_S,
            self.environment(self.scratch))
        return status == 0

    @staticmethod
    def environment(folder):
        """What a program leaves that is ended in the middle goes there, and away with it."""
        return {**os.environ, "TMPDIR": folder}

    def is_same_program(self, file, source, folder):
        """Does the compiler make the same code of it? None when it does not compile."""
        out = os.path.join(folder, "plain", f"{file}.o")
        if not self.compile_object("", source, out):
            return None
        with open(out, "rb") as mutant, open(self.reference("", file), "rb") as reference:
            return mutant.read() == reference.read()

    RUN_BY = ()

    def digest(self):
        """Of the reference's programs, and of who runs them: what tests, and what is tested."""
        found = hashlib.sha256()
        tests = [os.path.join(self.scratch, "reference", build or "plain", "tests") for build in self.builds]
        for path in [*tests, *self.RUN_BY]:
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found.update(file.read())
        return found.hexdigest()

    def killer(self, sources, folder="", function="", last=None):
        """A Killer, the first with the files {name: path} in place of the reference's; or None. `function` is
        changed: what killed its other mutants is tried first, and before that `last`, which killed this one
        in an earlier run."""
        folder = folder or os.path.join(self.scratch, "reference")
        known = (last.test, last.build) if last and last.test else None  # it has failed twice in that run
        for build in sorted(self.builds, key=lambda build: bool(last) and build != last.build):
            if build == THREAD and not any(map(self.has_threads, sources or self.files)):
                continue
            program = self.link(build, sources, folder)
            likely = [last.test] if known and last.build == build else []
            likely += [] if build else [test for test in self.killers.get(function, []) if test not in likely]
            for command in [*(self.command_for(program, test, build) for test in likely),
                            *self.test_commands(build, program, list(sources))]:
                killer = self.run_tests(command, folder)
                if not killer:
                    continue
                if (killer.test, build) == known or self.is_confirmed(command, killer, folder):
                    if killer.test and not build:
                        self.remember(function, killer.test)
                    return replace(killer, build=build)
        return None

    def link(self, build, sources, folder):
        """Returns the path of the test program, with the files {name: path} in place of the reference's."""
        objects = []
        for file in self.files:
            out = self.reference(build, file)
            if file in sources:
                out = os.path.join(folder, build or "plain", f"{file}.o")
                if not os.path.exists(out) and not self.compile_object(build, sources[file], out):
                    raise CourseError(f"{sources[file]} does not compile with {build}")
            objects.append(out)
        program = os.path.join(folder, build or "plain", "tests")
        os.makedirs(os.path.dirname(program), exist_ok=True)
        status, words = self.runner.run([*self.link_command(build, program), *objects], COMPILE_LIMIT_S,
                                        self.environment(self.scratch))
        if status != 0:
            raise CourseError(f"{program} cannot be linked: {' '.join(words)[-500:]}")
        return program

    def is_confirmed(self, command, killer, folder):
        """A busy machine may fail a test that holds, but hardly twice: the test alone, and then all of them."""
        if killer.status is None:
            return True
        again = self.alone(command, killer.test) if killer.test else command
        return bool(self.run_tests(again, folder) or self.run_tests(command, folder))

    def has_threads(self, file):
        return labs.shares_memory(labs.read(self.path(file)))

    def engines_in(self, file):
        return labs.engine_names(labs.read(self.path(file)))

    def remember(self, function, test):
        others = [t for t in self.killers.get(function, []) if t != test]
        self.killers[function] = [test, *others][:LIKELY_MOST]

    def run_tests(self, command, folder):
        self.line_came = time.monotonic()
        status, lines = self.runner.run(command, self.limit_s, self.environment(folder), self.is_failure)
        failed = next(filter(self.is_failure, lines), None)
        if failed:
            _, test, skipped = RESULT.match(failed).groups()
            return Killer(test, skipped or "")
        if status in self.NO_VERDICT:
            raise CourseError(f"{' '.join(command)}: {' '.join(lines)[-500:]}")
        return Killer(status=status) if status != 0 else None


class LabJudge(Judge):
    """tests.c, as the course runs it."""

    NO_VERDICT = (2, programs.TRACING_REFUSED)

    def __init__(self, lab, scratch):
        super().__init__(lab.name, lab.c_files, ["", ADDRESS] + ([THREAD] if lab.threads else []), scratch)
        self.lab = lab
        self.unmutated = lab.unmutated
        self.rows = []  # of a layer: the engines over which its tests run

    def prepare_build(self, build):
        programs.prepare(sanitize=build)
        if not self.compile_object(build, self.lab.path("tests.c"), self.reference(build, "tests.c")):
            raise CourseError(f"{self.name}/tests.c does not compile")

    def link_command(self, build, program):
        script = os.path.join(programs.build_folder(sanitize=build), "course", "compile")
        return [script, self.name, program, self.reference(build, "tests.c"),
                *programs.below(self.lab, os.path.dirname(script)),
                *(self.lab.path(file) for file in self.lab.sources if file not in self.lab.c_files)]

    def has_threads(self, file):
        """A layer is called by the threads of others."""
        return super().has_threads(file) or self.lab.is_layer and self.lab.threads

    PROCTOR = os.path.join(ROOT, "build", "course", "proctor")
    RUN_BY = (PROCTOR,)

    def test_commands(self, build, program, changed):
        """A file that holds engines is judged by their tests alone: no other test runs its code. A layer is tried
        over one engine after another: most mutants are killed over the first."""
        engines = [self.engines_in(file) for file in changed]
        chosen = [[]]
        if engines and all(engines):
            chosen = [["--engine", engine] for engine in sum(engines, [])]
        elif self.lab.is_layer:
            self.rows = self.rows or self.engines_of_tests(program)
            chosen = [["--engine", engine] for engine in self.rows]
        return [[self.PROCTOR, "--stop-at-first", *options, *(["--untraced"] if build else []), program]
                for options in chosen]

    def engines_of_tests(self, program):
        """As `program --list` names them, without their options, each once."""
        _, lines = self.runner.run([program, "--list"], COMPILE_LIMIT_S, self.environment(self.scratch))
        rows = [line.split("\t") for line in lines]
        return list(dict.fromkeys(row[3].split(":")[0] for row in rows if len(row) >= 4))

    def alone(self, command, test):
        if "--only" in command:
            return command
        return [command[0], "--only", test, *[word for word in command[1:] if word != "--stop-at-first"]]

    def command_for(self, program, test, build):
        return [self.PROCTOR, "--only", test, *(["--untraced"] if build else []), program]


class ConformanceJudge(Judge):
    """The suite that every engine passes, with these files in place of the engine's objects."""

    NO_VERDICT = (2,)

    def __init__(self, name, scratch):
        folder = os.path.join(labs.LABS, name)
        files = sorted(f for f in os.listdir(folder) if re.fullmatch(r"engine.*\.c", f))
        super().__init__(name, files, ["", ADDRESS, THREAD], scratch)
        if not any(map(self.has_threads, files)):
            self.builds.remove(THREAD)
        self.engines = sum(map(self.engines_in, files), [])

    def prepare_build(self, build):
        programs.prepare(sanitize=build)
        done = subprocess.run(["make", "-s", f"SANITIZE={build}", "conformance-linker"], cwd=ROOT,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise CourseError(f"make conformance-linker failed:\n{done.stderr[-2000:]}")

    def link_command(self, build, program):
        script = os.path.join(programs.build_folder(sanitize=build), "course", "link-conformance")
        return [script, self.name, program]

    def limit(self, test=None):
        """For one test, or for each of all tests."""
        seconds = self.seconds.get(test) if test else max(self.seconds.values(), default=None)
        if not self.is_prepared or seconds is None:
            return ["--limit", str(TEST_LIMIT_MOST_S)]
        return ["--limit", str(min(TEST_LIMIT_MOST_S, math.ceil(TEST_LIMIT_FACTOR * seconds) + TEST_LIMIT_MORE_S))]

    def test_commands(self, build, program, _changed):
        """With a sanitizer each option alone, as `make check` does. There, and with two options together, kinds
        of descriptor that an engine cannot tell apart are tried once."""
        runs = [["--alone", "--one-of-each"]] if build else [["--alone"], ["--pairs", "--one-of-each"]]
        return [[program, *self.limit(), *words, engine] for words in runs for engine in self.engines]

    def alone(self, command, test):
        return self.command_for(command[0], test, "")

    def command_for(self, program, test, _build):
        return [program, *self.limit(test), "--only", test]


def judge_for(word, scratch):
    """For "4", "04", "04_epoll", or the folder of an engine that has no lab yet."""
    by_hand = sorted(name for name in os.listdir(labs.LABS)
                     if not os.path.exists(os.path.join(labs.LABS, name, "lab.toml"))
                     and os.path.exists(os.path.join(labs.LABS, name, "engine.c")))
    for name in by_hand:
        number = name.split("_")[0]
        if word in (name, number, number.lstrip("0"), name.split("_", 1)[-1]):
            return ConformanceJudge(name, scratch)
    try:
        return LabJudge(labs.find(word), scratch)
    except CourseError as error:
        raise CourseError(f"{error}, {', '.join(by_hand)}" if by_hand else str(error)) from error
