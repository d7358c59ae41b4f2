# SPDX-License-Identifier: MIT
"""A results folder, as docs/results.md describes it.

Every statistic is in the JSON already, and nothing here computes one. Two things are made of them
elsewhere: verdicts.py takes quotients of two, and the lines of latency_distribution.py go through the
buckets of the summary's histogram, read off at many ranks and told nowhere as a number. What a
configuration lacks is None, and the figures have to say so.
"""
import json
import os
import re
import shlex
from dataclasses import dataclass, replace

from readings.quantities import DASH, listed, rounds, span

SCHEMA = "iolab.summary.v1"
BUSY_PCT = 10  # of a CPU: where others use so much it is said in each figure
BUSY_SHARE_PCT = 10  # of all CPUs: where others use so much nothing is concluded
LESS_ERROR = "less the error of that figure"  # both hold of what others used at the least
# How every estimate's interval is made: harness/summary/summary.c has the same words.
LEVEL_METHOD = "order statistics of the rounds (sign test)"


class ResultsError(Exception):
    """The folder cannot be used; the text says why in one line, and what helps."""


class NothingRan(ResultsError):
    """The folder is whole, but no run in it ended ok."""


@dataclass(frozen=True)
class Estimate:
    """A median over the rounds and its interval."""

    median: float
    low: float
    high: float
    count: object = None  # how many rounds it is from; None where that is not told
    error: float = 0  # how far each round's value may be off by itself, on both sides


@dataclass(frozen=True)
class Ratio:
    """A geometric mean of the rounds' ratios, its interval, and what follows from it."""

    mean: float
    low: float
    high: float
    verdict: str
    count: object = None


def _estimate(table, key):
    entry = table.get(key) if table else None
    if not entry or entry.get("median") is None:
        return None
    median = entry["median"]
    low, high = entry.get("low"), entry.get("high")
    return Estimate(median, median if low is None else low, median if high is None else high,
                    entry.get("count"))


def per_cpu_estimates(entries):
    """An estimate a CPU; None for one that was offline."""
    return [_estimate({"": entry}, "") for entry in entries or []]


def _check_numbers(table):
    """Raises ValueError where an estimate holds something else than numbers."""
    for key, entry in (table or {}).items():
        for name in ("median", "mean", "low", "high"):
            value = entry.get(name) if entry else None
            if value is not None and not _is_number(value):
                raise ValueError(f"the {name} of {key} is {value!r}")


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _count(document, key):
    """A whole number that has to be there."""
    if not isinstance(document[key], int):
        raise ValueError(f"{key} is {document[key]!r}")
    return document[key]


class Axis:
    """What is swept, in the words of the workload whose option it is."""

    def __init__(self, config):
        # A folder of iolab.run.v1 has the name alone.
        before = OF_V1.get(config["x_name"], {})
        self.name = config["x_name"]
        self.label = config.get("x_label") or before.get("label", self.name)  # of an axis
        self.unit = config.get("x_unit") or before.get("unit")  # "connection"; None: "depth 4"
        self.about = config.get("x_about") or before.get("about")  # a sentence, or None

    @property
    def plural(self):
        return f"{self.unit}s" if self.unit else self.name

    def words(self, xs):
        """depth 1 and 4; 50 connections"""
        if self.unit:
            return f"{listed(xs)} {self.unit if xs == [1] else self.plural}"
        return f"{self.name} {listed(xs)}"


OF_V1 = {"conns": {"label": "connections", "unit": "connection"},
         "depth": {"label": "depth (operations offered)",
                   "about": "“Depth” is how many operations are offered at a time."}}


class Configuration:
    """One engine on one workload at one swept value."""

    def __init__(self, entry):
        self.label = entry["engine"]["label"]
        self.lab = entry["engine"].get("lab")
        self.workload = entry["workload"]
        self.panel_name = self.workload["panel"]
        self.op = entry["workload"].get("op") or "operation"
        self.axis = Axis(entry["config"])
        self.x_name = self.axis.name
        self.x = entry["config"]["x"]
        self.compute_us = entry["config"].get("compute_us")
        self.runtime_s = entry["config"].get("runtime_s")
        self.warmup_s = entry["config"].get("warmup_s")
        self.stall_ms = entry["config"].get("stall_ms") or 0
        self.status = entry["status"]
        self.reason = entry.get("reason")
        self.warnings = entry.get("warnings") or []
        self.rounds = entry.get("rounds") or 0
        self.imported = bool(entry.get("imported"))  # of another program, not in turns
        self.command = command_line(entry.get("command"))
        self.syscalls_per_op = entry.get("syscalls_per_op")
        self.syscalls_spread = entry.get("syscalls_spread")  # {min, max, count}
        self.syscalls_reason = entry.get("syscalls_reason")
        self.per_cpu_pct = per_cpu_estimates(entry.get("per_cpu_pct"))
        self.baseline = entry.get("baseline")  # what its ratios are taken to
        self.stand_in_reason = entry.get("stand_in_reason")  # why it is not the one asked for
        self._metrics = entry.get("metrics")
        self._ratio = entry.get("ratio")
        self.buckets = (entry.get("histogram") or {}).get("buckets") or []
        self.ratio_reason = entry.get("ratio_reason")
        self.peer_limited = bool(entry.get("peer_limited"))
        _check_numbers(self._metrics)
        _check_numbers(self._ratio)
        for bucket in self.buckets:
            if len(bucket) != 3 or not all(map(_is_number, bucket)):
                raise ValueError(f"a bucket of {self.label} is {bucket!r}")
        if self.x <= 0:
            raise ValueError(f"the {self.x_name} of {self.label} is {self.x}")

    @property
    def ok(self):
        return self.status == "ok"

    def metric(self, key):
        return _estimate(self._metrics, key) if self.ok else None

    def with_error(self, key, error_key):
        """The metric, good to the error that the median round had."""
        found, error = self.metric(key), self.metric(error_key)
        return replace(found, error=error.median) if found and error else found

    def ratio(self, key):
        entry = self._ratio.get(key) if self.ok and self._ratio else None
        return entry and Ratio(entry["mean"], entry["low"], entry["high"], entry["verdict"],
                              entry.get("count"))


@dataclass(frozen=True)
class Remark:
    """Something to be said about several configurations of a panel at once."""

    where: str  # "epoll, epoll:edge" or "threads at 500 connections"
    kind: str  # "unsupported", "error", "warning", "note"
    text: str

    @property
    def mark(self):
        """What it hangs from, below a figure."""
        return {"warning": "!", "note": ""}.get(self.kind, "×")

    def __str__(self):
        return f"{self.where}: {self.text}" if self.kind in ("warning", "note") else (
            f"{self.where}: {self.kind}: {self.text}")


class Panel:
    """The configurations that belong in one plot: they differ by engine and swept value alone."""

    def __init__(self, configurations):
        first = configurations[0]
        self.name = first.panel_name
        self.op = first.op
        self.axis = first.axis
        self.x_name = first.x_name
        self.configurations = configurations
        self.labels = list(dict.fromkeys(c.label for c in configurations))
        self.xs = sorted({c.x for c in configurations})
        self._at = {(c.label, c.x): c for c in configurations}

    def at(self, label, x):
        """None when that pair was not asked for."""
        return self._at.get((label, x))

    def of(self, label):
        return [self._at[label, x] for x in self.xs if (label, x) in self._at]

    @property
    def x_plural(self):
        return self.axis.plural

    def x_words(self, xs):
        """depth 1 and 4; 50 connections"""
        return self.axis.words(xs)

    @property
    def any_ok(self):
        return any(c.ok for c in self.configurations)

    def absent(self):
        """The labels of which no run ended ok."""
        return [label for label in self.labels if not any(c.ok for c in self.of(label))]

    def baseline_at(self, x):
        """What ratios at that swept value are taken to."""
        return next(c.baseline for c in self.configurations if c.x == x)

    def baselines(self):
        """Each once; more than one where another engine stands in at some swept values."""
        return list(dict.fromkeys(c.baseline for c in self.configurations))

    def stand_ins(self):
        """What is to be said of them."""
        return list(dict.fromkeys(f"Ratios to {c.baseline}: {c.stand_in_reason}"
                                  for c in self.configurations if c.stand_in_reason))

    def ratio_reasons(self):
        """Why there are no ratios, each once."""
        return list(dict.fromkeys(c.ratio_reason for c in self.configurations if c.ratio_reason))

    def remarks(self):
        """Why figures are missing, then what to know of those that are there."""
        missing = [((c.status, c.reason or "no reason was given"), c)
                   for c in self.configurations if not c.ok]
        warned = [(("warning", text), c) for c in self.configurations for text in c.warnings]
        return self.grouped(missing) + self.grouped(warned)

    def grouped(self, said):
        """Joins what is said alike: over the swept values of a label, then over labels."""
        xs_of = {}
        texts_of = {}
        for (kind, text), c in said:
            # Warnings that differ in their numbers alone are alike; reasons stay as they are.
            what = kind, NUMBER.sub("#", text) if kind == "warning" else text
            texts_of.setdefault(what, []).append(text)
            xs = xs_of.setdefault(what, {}).setdefault(c.label, [])
            if c.x not in xs:
                xs.append(c.x)
        remarks = []
        for (kind, family), xs_by_label in xs_of.items():
            text = ranged(texts_of[kind, family]) if kind == "warning" else family
            labels_at = {}
            for label, xs in xs_by_label.items():
                everywhere = sorted(xs) == [c.x for c in self.of(label)]
                place = "" if everywhere else f" at {self.x_words(sorted(xs))}"
                labels_at.setdefault(place, []).append(label)
            for place, labels in labels_at.items():
                remarks.append(Remark(", ".join(labels) + place, kind, text))
        return remarks


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def ranged(texts):
    """Texts that differ in their numbers alone as one: "only 4–77 % of the file"."""
    numbers = iter(zip(*(NUMBER.findall(text) for text in texts)))

    def span_of(_):
        found = sorted(next(numbers), key=float)
        return found[0] if float(found[0]) == float(found[-1]) else f"{found[0]}{DASH}{found[-1]}"

    return NUMBER.sub(span_of, texts[0])


@dataclass(frozen=True)
class Summary:
    folder: str
    time_utc: str
    command: str
    baseline: str
    rounds_planned: int
    rounds_done: int
    interrupted: bool
    seed: int
    method: str
    confidence_pct: float
    ratio_method: str
    ratio_confidence_pct: float
    precision: dict  # what --until-ci asked for and what came of it; None without it
    idle_baseline: dict  # None when it was not measured
    env: dict
    env_varies: list
    panels: list

    def only(self, panel):
        return replace(self, panels=[panel])

    @property
    def quick(self):
        return was_quick(self.folder, OWN_COMPARISON)

    @property
    def rounds(self):
        return self.rounds_done

    @property
    def load(self):
        return foreign_load(self.idle_baseline, self.env)

    def marks_words(self, what="median"):
        """What marks and bars in the figures are."""
        if self.rounds_done <= 1:
            return f"marks: {what} of 1 round only, so the spread is unknown and no bars are drawn"
        if what != "median":
            what += ", median"
        words = (f"marks: {what} of {rounds(self.rounds_done)}; "
                 f"bars: {self.confidence_pct:.3g} % interval")
        return words + (f" ({self.method})" if self.method else "")

    def precision_words(self):
        """Empty when no precision was asked for."""
        asked = self.precision or {}
        if not asked.get("wanted_pct"):
            return ""
        words = f"every ratio was to be known to ±{asked['wanted_pct']:g} %"
        missed = len(asked["unreached"])
        if not missed:
            return f"{words}, and is"
        ended = f" when the time of {asked['time_limit_s']:g} s was over" if (
            asked["ended_by"] == "time") else ""
        return (f"{words}: {missed} of {asked['ratios']} are not{ended}, the widest is known to "
                f"±{asked['widest_pct']:.2g} %")

    def idle_words(self):
        idle = self.idle_baseline
        return (f"used {idle['busy_pct']:.3g} % of a CPU before the comparison "
                f"(±{idle['error_pct']:.2g} %)") if idle else ""

    def busy_words(self):
        """What to know of a host that others used before the comparison, and probably during it."""
        load = self.load
        return (f"Others used {load.busy_pct:.0f} % of a CPU before it: trust these numbers less"
                if load and load.noted else "")

    def rounds_words(self):
        words = rounds(self.rounds_done)
        if self.interrupted or self.rounds_done < self.rounds_planned:
            words += f" of {self.rounds_planned} planned (interrupted)"
        return words

    def machine_words(self):
        return machine_words(self.env)

    def commit_words(self):
        return commit_words(self.env)

    def device_words(self):
        return device_words(self.env)


@dataclass(frozen=True)
class ForeignLoad:
    """What other programs used of the CPUs before a measurement, and probably during it."""

    busy_pct: float  # 100 is one CPU
    error_pct: float
    cpus: object  # None where nobody knows

    @property
    def least_pct(self):
        """What others used at the least: both limits are held against it."""
        return self.busy_pct - self.error_pct

    @property
    def noted(self):
        return self.least_pct >= BUSY_PCT

    @property
    def share_pct(self):
        """Of all CPUs."""
        return self.busy_pct / (self.cpus or 1)

    @property
    def too_much(self):
        """Is it so much that no verdict can be trusted?"""
        return self.least_pct / (self.cpus or 1) >= BUSY_SHARE_PCT

    def words(self):
        """For the foot of a figure; empty where the host was quiet."""
        return (f"measured beside {self.busy_pct:.0f} % foreign load (of a CPU, before it)"
                if self.noted else "")


def foreign_load(idle_baseline, env):
    """None where it was not measured."""
    return idle_baseline and ForeignLoad(idle_baseline["busy_pct"], idle_baseline["error_pct"],
                                         (env or {}).get("cpus_online"))


def load_words(load):
    return load.words() if load else ""


def machine_words(env):
    cpus = env.get("cpus_online")
    return [word for word in (
        env.get("cpu_model"),
        cpus and f"{cpus} CPU{'' if cpus == 1 else 's'}",
        env.get("virtualization"),
        env.get("kernel") and f"Linux {env['kernel']}",
    ) if word]


def commit_words(env):
    return " ".join(f"{k} {env[k]}" for k in ("iolab", "commit") if env.get(k))


def device_words(env):
    """ext4 on /dev/vda (none); empty without a file workload"""
    words = " on ".join(str(env[k]) for k in ("filesystem", "device") if env.get(k))
    if words and env.get("scheduler"):
        words += f" (scheduler {env['scheduler']})"
    return words


def command_line(argv):
    """As it is typed in iolab's folder. Some commands record the program by its name alone."""
    if not isinstance(argv, list):
        return argv or ""
    words = [str(word) for word in argv]
    return shlex.join(["build/iolab", *words[1:]] if words[:1] == ["iolab"] else words)


def _printable(value):
    """A path or a reason may hold any byte; SVG and HTML do not take control characters."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() else " " for c in value)
    if isinstance(value, list):
        return [_printable(item) for item in value]
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    return value


STUDY = "study"  # where harness/studies/study.py puts what it made
OWN_COMPARISON = "comparison"  # what study.py calls the comparison of the folder itself


def _of_study(folder, key, name):
    """What harness/studies/study.py noted of one of the things that it makes; None: nothing."""
    try:
        with open(os.path.join(folder, STUDY, "study.json"), encoding="utf-8") as file:
            return (json.load(file).get(key) or {}).get(name)
    except (OSError, ValueError, AttributeError):
        return None


def was_quick(folder, name):
    """Did harness/studies/study.py make it with --quick?"""
    return bool(_of_study(folder, "quick", name))


def why_missing(folder, name):
    """Why harness/studies/study.py could not make it; None where it did not try."""
    return _printable(_of_study(folder, "missing", name))


def confidences(content):
    """The confidence of each interval of a median in a document, in percent. (What has a mean is a
    ratio, as in a summary.)"""
    if isinstance(content, dict):
        if content.get("confidence_pct") is not None and (content.get("count") or 0) > 1:
            if "mean" not in content:
                yield content["confidence_pct"]
            return
        content = list(content.values())
    if isinstance(content, list):
        for item in content:
            yield from confidences(item)


@dataclass(frozen=True)
class Document:
    """A file of a results folder that holds no comparison: a trace, a table."""

    path: str
    content: dict

    @property
    def env(self):
        return self.content.get("env") or {}

    @property
    def command(self):
        return command_line(self.content.get("command"))

    @property
    def rounds(self):
        """None where the document has none to count."""
        return self.content.get("rounds")

    @property
    def quick(self):
        return was_quick(*os.path.split(self.path))

    @property
    def load(self):
        return foreign_load(self.content.get("idle_baseline"), self.env)

    def rounds_words(self):
        """How many rounds, and what is shown of them; empty where there are none."""
        if self.rounds is None:
            return ""
        if self.rounds <= 1:
            return f"{rounds(self.rounds)} only, so the spread is unknown"
        found = list(confidences(self.content))
        if not found:
            return rounds(self.rounds)
        # An engine that failed in some rounds has an interval from fewer, and worth less.
        sure = "{:.3g}".format
        pct = sure(min(found)) if sure(min(found)) == sure(max(found)) else span(
            min(found), max(found), sure)
        return f"medians of {rounds(self.rounds)} with their {pct} % intervals ({LEVEL_METHOD})"

    def foot(self, *more):
        """Two lines about the machine and the measurement."""
        return [machine_words(self.env) + [device_words(self.env)],
                [*more, self.rounds_words(), load_words(self.load), self.content.get("time_utc") or "",
                 commit_words(self.env)]]


def load_document(folder, name, schema, made_by):
    """The file `name` of the folder, or None when it is not there."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ResultsError(f"{path} is not JSON ({error}); `{made_by}` makes it anew") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise ResultsError(f"{path} has schema {found!r}, and this program reads {schema}; "
                           f"`{made_by}` makes it anew")
    return Document(path, _printable(content))


def _read(folder):
    if not os.path.isdir(folder):
        raise ResultsError(f"{folder}: no such folder; `build/iolab compare` makes one")
    path = os.path.join(folder, "summary.json")
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        raise ResultsError(f"{path} is missing; `build/iolab summary {folder}` makes it") from None
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ResultsError(f"{path} is not JSON ({error}); `build/iolab summary {folder}` makes it "
                           "anew") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise ResultsError(f"{path} has schema {schema!r}, and this program reads {SCHEMA}; "
                           f"`build/iolab summary {folder}` makes it anew")
    return path, _printable(document)


def load(folder):
    """Reads `folder`, or raises ResultsError."""
    path, document = _read(folder)
    try:
        configurations = [Configuration(entry) for entry in document["configurations"]]
        together = {}
        for c in configurations:
            together.setdefault((c.panel_name, c.x_name), []).append(c)
        interval = document.get("interval") or {}
        summary = Summary(
            folder=folder,
            time_utc=document.get("time_utc") or "",
            command=command_line(document.get("command")),
            baseline=document.get("baseline") or "",
            rounds_planned=_count(document, "rounds_planned"),
            rounds_done=_count(document, "rounds_done"),
            interrupted=bool(document.get("interrupted")),
            seed=document.get("seed"),
            method=interval.get("method") or "",
            confidence_pct=interval.get("confidence_pct") or 0,
            ratio_method=interval.get("ratio_method") or "",
            ratio_confidence_pct=interval.get("ratio_confidence_pct") or 0,
            env=document.get("env") or {},
            precision=document.get("precision"),
            idle_baseline=document.get("idle_baseline"),
            env_varies=document.get("env_varies") or [],
            panels=[Panel(group) for group in together.values()],
        )
        for c in configurations:
            c.baseline = c.baseline or summary.baseline
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ResultsError(f"{path} is not a whole summary ({what}); `build/iolab summary {folder}` "
                           "makes it anew") from None
    if not any(c.ok for c in configurations):
        reasons = [c.reason for c in configurations if c.reason]
        why = f"; the first reason: {reasons[0]}" if reasons else ""
        raise NothingRan(f"{path}: no run ended ok, so there is nothing to draw{why}")
    return summary
