# SPDX-License-Identifier: MIT
"""The comparison of a results folder, summary.json, as docs/results.md describes it.

Every statistic is in the JSON already, and nothing here computes one. Three things are made of them
elsewhere: verdicts.py divides one by another, growth.py fits a straight line, and the lines of the latency
distribution go through the buckets of the summary's histogram. What a configuration lacks is None, and figures say so.
"""
import os
from dataclasses import dataclass, field, replace

from readings import (axis, command_line, contradictions, estimates, foreign_load, json_file, remarks, shape, study_notes,
                      work)
from readings.estimates import Estimate, Ratio  # noqa: F401  (used by readers of results)
from readings.json_file import NothingRan, ResultsError
from readings.work import Work

FILE = "summary.json"
SCHEMA = "iolab.summary.v2"

CONFIGURATION = shape.record({
    "engine": shape.record({"label": shape.text, "lab": shape.maybe(shape.text)}),
    "workload": shape.record({"panel": work.SHAPE, "op": shape.maybe(shape.text),
                              "words": shape.maybe(shape.text)}),
    "config": shape.record({
        **axis.FIELDS, "compute_us": shape.maybe(shape.number),
        "runtime_s": shape.maybe(shape.number), "warmup_s": shape.maybe(shape.number),
        "stall_ms": shape.maybe(shape.number)}),
    "status": shape.text,
    "reason": shape.maybe(remarks.SHAPE),
    "warnings": shape.maybe(shape.list_of(remarks.SHAPE)),
    "rounds": shape.maybe(shape.count),
    "imported": shape.maybe(shape.anything),
    "command": command_line.SHAPE,
    "syscalls_reason": shape.maybe(remarks.SHAPE),
    "per_cpu_pct": shape.maybe(shape.list_of(estimates.ESTIMATE)),
    "baseline": shape.maybe(shape.text),
    "stand_in_reason": shape.maybe(remarks.SHAPE),
    "metrics": shape.maybe(shape.map_of(estimates.ESTIMATE)),
    "ratio": shape.maybe(shape.map_of(estimates.RATIO)),
    "ratio_reason": shape.maybe(remarks.SHAPE),
    "histogram": shape.maybe(shape.record({
        "buckets": shape.list_of(shape.row_of(shape.number, shape.number, shape.count))})),
    "peer_limited": shape.maybe(shape.anything),
})

SHAPE = shape.record({
    "time_utc": shape.maybe(shape.text),
    "command": command_line.SHAPE,
    "baseline": shape.maybe(shape.text),
    "rounds_planned": shape.count,
    "rounds_done": shape.count,
    "interrupted": shape.maybe(shape.flag),
    "seed": shape.maybe(shape.number),
    "interval": shape.maybe(shape.record({
        "method": shape.maybe(shape.text), "confidence_pct": shape.maybe(shape.number),
        "ratio_method": shape.maybe(shape.text),
        "ratio_confidence_pct": shape.maybe(shape.number)})),
    "precision": shape.maybe(shape.record({
        "wanted_pct": shape.maybe(shape.number), "time_limit_s": shape.maybe(shape.number),
        "ended_by": shape.maybe(shape.text), "ratios": shape.count,
        "unreached": shape.list_of(shape.anything), "widest_pct": shape.maybe(shape.number)})),
    "idle_baseline": foreign_load.IDLE_SHAPE,
    "env": shape.maybe(shape.record({"cpus_online": shape.maybe(shape.count)})),
    "env_varies": shape.maybe(shape.list_of(shape.text)),
    "metrics": shape.maybe(shape.map_of(shape.record({
        "words": shape.maybe(shape.text), "unit": shape.maybe(shape.text),
        "better": shape.maybe(shape.text)}))),
    "configurations": shape.list_of(CONFIGURATION),
})


def whole(content, place):
    """Has it the shape of a summary, and do its numbers agree with each other?"""
    SHAPE(content, place)
    contradictions.check_summary(content)


@dataclass
class Configuration:
    """One engine on one workload at one swept value."""

    label: str
    work: Work  # what the configurations of a panel have in common
    workload: dict
    op: str
    axis: axis.Axis  # what is swept
    x: float
    compute_us: object
    runtime_s: object
    warmup_s: object
    stall_ms: float
    status: str
    reason: object  # a Remark: why it is not ok
    warnings: list  # of Remark
    rounds: int
    imported: bool  # of another program, so it took no turns with the others
    command: str
    syscalls_per_op: object
    syscalls_spread: object  # {min, max, count}
    syscalls_reason: object
    per_cpu_pct: list  # an Estimate for each CPU; None for one that was offline
    baseline: str  # what its ratios are taken to
    stand_in_reason: object  # why that is not the baseline that was asked for
    ratio_reason: object  # why there are no ratios
    peer_limited: bool
    buckets: list
    metrics: dict = field(repr=False)  # Estimate or None by name
    ratios: dict = field(repr=False)

    @property
    def x_name(self):
        return self.axis.name

    @property
    def ok(self):
        return self.status == "ok"

    def metric(self, key):
        return self.metrics.get(key) if self.ok else None

    def with_error(self, key, error_key):
        """The metric with the error that the median round had."""
        found, error = self.metric(key), self.metric(error_key)
        return replace(found, error=error.median) if found and error else found

    def ratio(self, key):
        return self.ratios.get(key) if self.ok else None


def _counted(entry):
    """What the runs say that counted system calls: the median, and {min, max, count} of these runs."""
    counted = (entry.get("metrics") or {}).get("syscalls_per_op") or {}
    spread = {key: counted.get(key) for key in ("min", "max", "count")}
    return counted.get("median"), None if None in spread.values() else spread


def _configuration(entry, baseline):
    config, workload = entry["config"], entry["workload"]
    calls, spread = _counted(entry)
    return Configuration(
        label=entry["engine"]["label"],
        work=work.read(workload["panel"]),
        workload=workload,
        op=workload.get("op") or "operation",
        axis=axis.read(config),
        x=config["x"],
        compute_us=config.get("compute_us"),
        runtime_s=config.get("runtime_s"),
        warmup_s=config.get("warmup_s"),
        stall_ms=config.get("stall_ms") or 0,
        status=entry["status"],
        reason=remarks.read(entry.get("reason")),
        warnings=[remarks.read(warning) for warning in entry.get("warnings") or []],
        rounds=entry.get("rounds") or 0,
        imported=bool(entry.get("imported")),
        command=command_line.command_line(entry.get("command")),
        syscalls_per_op=calls,
        syscalls_spread=spread,
        syscalls_reason=remarks.read(entry.get("syscalls_reason")),
        per_cpu_pct=[estimates.estimate(of) for of in entry.get("per_cpu_pct") or []],
        baseline=entry.get("baseline") or baseline,
        stand_in_reason=remarks.read(entry.get("stand_in_reason")),
        ratio_reason=remarks.read(entry.get("ratio_reason")),
        peer_limited=bool(entry.get("peer_limited")),
        buckets=(entry.get("histogram") or {}).get("buckets") or [],
        metrics={key: estimates.estimate(of) for key, of in (entry.get("metrics") or {}).items()},
        ratios={key: estimates.ratio(of) for key, of in (entry.get("ratio") or {}).items()})


@dataclass(frozen=True)
class Metric:
    """What the summary tells of a metric: its words, unit, and which direction is better."""

    name: str
    words: str
    unit: str
    better: str  # "lower", "higher" or ""


class Panel:
    """The configurations that belong in one plot: they differ by engine and swept value alone."""

    def __init__(self, configurations):
        first = configurations[0]
        self.work = first.work
        self.name = str(first.work)
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
    metrics: dict  # Metric by name, of those that the summary describes
    panels: list

    def only(self, panel):
        return replace(self, panels=[panel])

    @property
    def quick(self):
        return study_notes.was_quick(self.folder, study_notes.OWN_COMPARISON)

    @property
    def rounds(self):
        return self.rounds_done

    @property
    def load(self):
        return foreign_load.foreign_load(self.idle_baseline, self.env)


def _panels(configurations):
    together = {}
    for c in configurations:
        # A value that fio did not tell has no place among those that are known.
        together.setdefault((c.work, c.x_name, c.x is None), []).append(c)
    return [Panel(group) for group in together.values()]


def _summary(folder, content):
    baseline = content.get("baseline") or ""
    configurations = [_configuration(entry, baseline) for entry in content["configurations"]]
    interval = content.get("interval") or {}
    return Summary(
        folder=folder,
        time_utc=content.get("time_utc") or "",
        command=command_line.command_line(content.get("command")),
        baseline=baseline,
        rounds_planned=content["rounds_planned"],
        rounds_done=content["rounds_done"],
        interrupted=bool(content.get("interrupted")),
        seed=content.get("seed"),
        method=interval.get("method") or "",
        confidence_pct=interval.get("confidence_pct") or 0,
        ratio_method=interval.get("ratio_method") or "",
        ratio_confidence_pct=interval.get("ratio_confidence_pct") or 0,
        precision=content.get("precision"),
        idle_baseline=content.get("idle_baseline"),
        env=content.get("env") or {},
        env_varies=content.get("env_varies") or [],
        metrics={name: Metric(name, told.get("words") or name, told.get("unit") or "",
                              told.get("better") or "")
                 for name, told in (content.get("metrics") or {}).items()},
        panels=_panels(configurations))


def load(folder):
    """Reads `folder`, or raises ResultsError."""
    if not os.path.isdir(folder):
        raise ResultsError(f"{folder}: no such folder; `build/iolab compare` makes one")
    path = os.path.join(folder, FILE)
    content = json_file.read(path, SCHEMA, whole, f"build/iolab summary {folder}")
    summary = _summary(folder, content)
    configurations = [c for panel in summary.panels for c in panel.configurations]
    if not any(c.ok for c in configurations):
        reasons = [c.reason for c in configurations if c.reason]
        why = f"; the first reason: {reasons[0]}" if reasons else ""
        raise NothingRan(f"{path}: no run ended ok, so there is nothing to draw{why}")
    return summary
