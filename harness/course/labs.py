# SPDX-License-Identifier: MIT
"""The labs: what their folders hold, and how starters and mutants are made from the solution.

A lab is a folder of labs/ that has a lab.toml; docs/add-a-lab.md describes its parts.
"""
import fnmatch
import glob
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# For all of the course: how to read and write documents, and how to run other programs.
sys.path += [os.path.join(ROOT, "plots"), os.path.join(ROOT, "harness", "processes")]
from readings import shape, whole_file  # noqa: E402

# Tests set these.
LABS = os.path.abspath(os.environ.get("IOLAB_LABS") or os.path.join(ROOT, "labs"))
WORK = os.path.abspath(os.environ.get("IOLAB_WORK") or os.path.join(ROOT, "work"))

# What is compiled: files of C, and of assembler that the C preprocessor reads first.
C, ASSEMBLER = ".c", ".S"
SOURCES = (C, ASSEMBLER)

# The C files of a lab's folder that are no part of a solution. as_engine.c wraps a layer into an engine.
AS_ENGINE = "as_engine.c"
OPEN_FILES = ("program.c", "tests.c", AS_ENGINE)

# Regions of a solution:   //> 2 what to write    //+ code of the starter    //< 2
BEGIN = re.compile(r"^(\s*)// ?> ?(\d+)?(?:\s+(.*))?$")
STARTER = re.compile(r"^(\s*)// ?\+ ?(.*)$")
END = re.compile(r"^\s*// ?< ?(\d+)\s*$")


PREDICTIONS = {
    "factor": shape.record({"of": shape.text, "over": shape.text, "over_at": shape.maybe(shape.count),
                            "within": shape.maybe(shape.above_zero)}),
    "which": shape.record({"choices": shape.list_of(shape.text, 2), "best": shape.one_of("low", "high")}),
}


def _prediction(value, place):
    shape.record({"ask": shape.text, "kind": shape.one_of(*PREDICTIONS), "metric": shape.text,
                  "at": shape.maybe(shape.count), "panel": shape.maybe(shape.text),
                  "values": shape.maybe(shape.map_of(shape.anything))})(value, place)
    PREDICTIONS[value["kind"]](value, place)


# What a lab.toml must hold. Later code relies on it.
ABOUT = shape.record({
    "title": shape.text, "idea": shape.text,
    "engines": shape.list_of(shape.text),
    "files": shape.list_of(shape.file_name, 1),
    "program": shape.file_name,
    "needs": shape.maybe(shape.list_of(shape.text)),
    "threads": shape.maybe(shape.flag),
    "stands_on": shape.maybe(shape.list_of(shape.file_name, 1)),
    "without": shape.maybe(shape.record({"functions": shape.list_of(shape.text, 1), "why": shape.text})),
    "unmutated": shape.maybe(shape.record({"functions": shape.list_of(shape.text, 1), "why": shape.text})),
    "exercise": shape.list_of(shape.record({"title": shape.text, "points": shape.above_zero,
                                            "fails": shape.text}), 1),
    "measure": shape.record({"compare": shape.list_of(shape.text),
                             "engines": shape.maybe(shape.list_of(shape.text)),
                             "mine": shape.maybe(shape.list_of(shape.text, 1)),
                             "figure": shape.maybe(shape.text)}),
    "prediction": shape.maybe(shape.list_of(_prediction)),
})


class CourseError(Exception):
    """The command cannot go on; the text says why, in one line."""


@dataclass
class Exercise:
    number: int
    title: str
    points: int
    fails: str  # the untouched starter must fail this test


@dataclass
class Mutant:
    path: str
    bug: str
    killed_by: str
    processor: str = ""  # the one that it is for, as uname -m names it; "": all of them
    sanitize: str = ""  # the sanitizers that see it, as in SANITIZE; "": it fails without

    @property
    def name(self):
        return os.path.basename(self.path).removesuffix(".patch")


class Lab:
    def __init__(self, folder):
        self.name = folder  # "04_epoll"
        self.folder = os.path.join(LABS, folder)
        try:
            with open(self.path("lab.toml"), "rb") as file:
                about = tomllib.load(file)
            ABOUT(about, "")
        except (OSError, ValueError, shape.Misshapen) as error:  # a ValueError: no TOML, no UTF-8
            raise CourseError(f"labs/{folder}/lab.toml: {error}") from error
        except RecursionError:
            raise CourseError(f"labs/{folder}/lab.toml: it is nested too deeply") from None
        self.title = about["title"]
        self.idea = about["idea"]
        self.engines = about["engines"]
        self.files = about["files"]
        self.program = about["program"]
        self.needs = about.get("needs", [])
        self.threads = about.get("threads", False)
        self.stands_on = about.get("stands_on", [])  # folders whose reference lies below the learner's files
        self.without = about.get("without", {"functions": [], "why": ""})  # what the learner's files may not call
        self.unmutated = about.get("unmutated", {"functions": [], "why": ""})  # what `make mutate` may not change
        if not self.engines and not self.stands_on:
            raise CourseError(f"labs/{folder}/lab.toml: it has neither engines nor stands_on")
        self.exercises = [Exercise(i + 1, e["title"], e["points"], e["fails"])
                          for i, e in enumerate(about["exercise"])]
        self.measure = about["measure"]
        self.predictions = about.get("prediction", [])

    @property
    def programs(self):
        """The files that stand alone, from the lab's folder: its program, and those of programs/."""
        return [self.program, *sorted(glob.glob("programs/*.c", root_dir=self.folder))]

    def forbidden_among(self, names):
        """The first of these functions that the learner's files may not call; "" when there is none."""
        return next((name for name in sorted(names)
                     if any(fnmatch.fnmatchcase(name, pattern) for pattern in self.without["functions"])), "")

    @property
    def is_layer(self):
        """Are the learner's files a layer over engines, and no engine?"""
        return bool(self.stands_on)

    @property
    def what(self):
        """What the learner writes, in a word."""
        return "layer" if self.is_layer else "engine"

    @property
    def c_files(self):
        return [name for name in self.files if name.endswith(C)]

    @property
    def sources(self):
        """Those that are compiled."""
        return [name for name in self.files if name.endswith(SOURCES)]

    @property
    def number(self):
        return self.name.split("_")[0]

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def work(self, *parts):
        return os.path.join(WORK, self.name, *parts)

    @property
    def has_solution(self):
        """False in a handout: it has finished starters and objects instead."""
        return all(os.path.exists(self.path(name)) for name in self.files)

    def solution(self):
        """{file name: text} of the reference."""
        return {name: read(self.path(name)) for name in self.files}

    def starter(self, solved=()):
        """{file name: text} of the files a learner begins with; exercises in `solved` stay filled in."""
        if not self.has_solution:
            if solved:
                raise CourseError(f"lab {self.number}: this is a handout; it holds no solution")
            return {name: read(self.path("starter", name)) for name in self.files}
        return {name: cut(text, f"{self.name}/{name}", solved)
                for name, text in self.solution().items()}

    def hints(self):
        """{exercise: [weak, stronger, ...]} from hints.md; the first line of each is its title."""
        found = {}
        exercise = None
        for line in read(self.path("hints.md")).splitlines():
            heading = re.match(r"## Exercise (\d+)", line)
            if heading:
                exercise = found.setdefault(int(heading[1]), [])
            elif line.startswith("### ") and exercise is not None:
                exercise.append(line[4:] + "\n")
            elif exercise:
                exercise[-1] += line + "\n"
        return {number: [hint.strip() for hint in hints] for number, hints in found.items()}

    def mutants(self):
        folder = self.path("mutants")
        if not os.path.isdir(folder):
            return []
        return [read_mutant(os.path.join(folder, name))
                for name in sorted(os.listdir(folder)) if name.endswith(".patch")]

    def alternates(self):
        """[(name, {file name: text})]: each folder of alternates/ replaces some of the files."""
        folder = self.path("alternates")
        found = []
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            files = self.solution()
            for file in os.listdir(os.path.join(folder, name)):
                files[file] = read(os.path.join(folder, name, file))
            found.append((name, files))
        return found


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def reference_sources():
    """The files of all solutions, those of folders without a lab too, as paths from the root."""
    found = glob.glob("labs/*/*.[chS]", root_dir=ROOT)
    return sorted(path for path in found if os.path.basename(path) not in OPEN_FILES)


def shares_memory(text):
    """Does a C file share memory with another thread, be it one of the kernel's? Then ThreadSanitizer looks at it."""
    return bool(re.search(r"\b(pthread|thrd)_create\b|<stdatomic\.h>|\b__(atomic|sync)_", text))


def engine_names(text):
    """The names under which a C file registers its engines."""
    return re.findall(r'IO_ENGINE_NAME\("(\w+)"\)', text)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    whole_file.write(path, text)


def comment(words, indent):
    """A C comment's lines, at most 100 columns wide with tabs of 8."""
    room = 100 - 3 - len(indent.expandtabs(8))
    return [f"{indent}/*", *(f"{indent} * {line}" for line in textwrap.wrap(words, room)),
            f"{indent} */"]


def cut(text, where, solved=()):
    """The solution's text without marks, and without the regions of exercises that are not in `solved`."""
    out, words, starter = [], [], []
    inside = None
    indent = ""
    for number, line in enumerate(text.splitlines(), 1):
        begin, plus, end = BEGIN.match(line), STARTER.match(line), END.match(line)
        if begin and begin[2]:
            if inside is not None:
                raise CourseError(f"{where}:{number}: exercise {inside} has not ended yet")
            inside, indent, words, starter = int(begin[2]), begin[1], [begin[3] or ""], []
        elif begin and inside is not None:
            words.append(begin[3] or "")
        elif plus and inside is not None:
            starter.append(indent + plus[2] if plus[2] else "")
        elif end:
            if inside != int(end[1]):
                raise CourseError(f"{where}:{number}: this ends exercise {end[1]}, which has not begun")
            if inside not in solved:
                out += comment(f"EXERCISE {inside}: {' '.join(words)}", indent) + starter
                out.append(f"{indent}/* end of exercise {inside} */")
            inside = None
        elif inside is None or inside in solved:
            out.append(line)
    if inside is not None:
        raise CourseError(f"{where}: exercise {inside} never ends")
    return "\n".join(out) + "\n"


def read_mutant(path):
    """A patch against the solution. Its head says what is wrong and which test must fail."""
    head = dict(re.findall(r"^(Bug|Killed-by|Processor|Sanitizer): (.+)$", read(path).split("\n--- ")[0], re.M))
    missing = {"Bug", "Killed-by"} - head.keys()
    if missing:
        raise CourseError(f"{os.path.relpath(path, ROOT)}: no line '{missing.pop()}: ...'")
    return Mutant(path, head["Bug"], head["Killed-by"], head.get("Processor", ""), head.get("Sanitizer", ""))


def apply_mutant(lab, mutant, folder):
    """Writes the mutated solution into `folder`. A patch that no longer applies is an error."""
    for name, text in lab.solution().items():
        write(os.path.join(folder, name), text)
    done = subprocess.run(["patch", "--silent", "--strip=1", "--fuzz=0", "--no-backup-if-mismatch",
                           "--reject-file=-", f"--input={mutant.path}"], cwd=folder,
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CourseError(f"{os.path.relpath(mutant.path, ROOT)} no longer applies: "
                          f"{' '.join((done.stdout + done.stderr).split())[:300]}")


def all_labs():
    return [Lab(name) for name in sorted(os.listdir(LABS))
            if os.path.exists(os.path.join(LABS, name, "lab.toml"))]


def find(word):
    """The lab for "4", "04", "epoll" or "04_epoll"."""
    labs = all_labs()
    for lab in labs:
        if word in (lab.name, lab.number, lab.number.lstrip("0") or "0", lab.name.split("_", 1)[1]):
            return lab
    raise CourseError(f"no lab is called '{word}'; there are {', '.join(l.name for l in labs)}")
