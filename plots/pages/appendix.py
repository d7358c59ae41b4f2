# SPDX-License-Identifier: MIT
"""The report's appendix: what `make check-trust` found out about the harness itself."""
import os

from pages.nodes import Cell, Code, Group, Paragraph, Part, Section, Strong, Table
from readings import json_file, shape
from readings.quantities import listed

SCHEMA = "iolab.trust.v1"
SHAPE = shape.record({
    "time_utc": shape.text, "idle_baseline": shape.maybe(shape.record({"busy_pct": shape.maybe(shape.number)})),
    "env": shape.maybe(shape.record({})), "checks": shape.list_of(shape.record({
        "name": shape.text, "promise": shape.text, "finding": shape.text,
        "passed": shape.nullable(shape.flag)}))})
VERDICTS = {True: "kept", False: "not kept", None: "not tried"}
TITLE = "Appendix: can the harness be believed?"


def read(folder):
    """trust.json of the results folder, or of the one it lies in (where make check-trust puts it)."""
    for place in (folder, os.path.join(os.path.abspath(folder), "..")):
        path = os.path.join(place, "trust.json")
        if os.path.exists(path):
            return json_file.read(path, SCHEMA, SHAPE, "make check-trust")
    return None


BUCKETS = (" The interval of a ratio of latencies also includes the histogram’s error, two half widths of a "
           "bucket (1.6 %), because all rounds may fall into the same bucket. So equal engines hardly ever "
           "give an alarm here: expect almost none of 200.")


def finding(check):
    """In check-trust's words, with what has to be known to read them."""
    of_buckets = check.get("metric", "").startswith("latency_ns.") and "alarms" in check
    return check["finding"] + (f".{BUCKETS}" if of_buckets else "")


def row(check):
    return [check["name"], Cell(check["promise"]), Cell(finding(check)),
            Cell(Strong(VERDICTS[check["passed"]]))]


def where_words(document, env):
    tried_on, idle = document.get("env") or {}, document.get("idle_baseline") or {}
    words = f"Tried {document['time_utc']}"
    if tried_on:
        words += f" with iolab {tried_on.get('commit')} on Linux {tried_on.get('kernel')}"
    if not tried_on:
        words += ", on an unknown machine"
    elif any(tried_on.get(key) != env.get(key) for key in ("kernel", "cpu_model")):
        words += ", which is not the machine of this report"
    elif tried_on.get("commit") != env.get("commit"):
        words += f" (this report: {env.get('commit')})"
    if idle.get("busy_pct") is not None:
        words += f"; before it others used {idle['busy_pct']:.0f} % of a CPU"
    return words + "."


def section(summary):
    document = read(summary.folder)
    if document is None:
        return Section(TITLE, [Paragraph([
            "Not run on this machine: ", Code("make check-trust"), " tries it in real runs, in under "
            "12 minutes, and the next report prints here what it found."])])
    checks = document["checks"]
    passed = [check["passed"] for check in checks]
    counts = [f"{passed.count(value)} {words}" for value, words in VERDICTS.items()
              if value in passed]
    return Section(TITLE, [
        Paragraph(f"{len(checks)} promises of the harness, tried in real runs by make check-trust: "
                  f"{listed(counts)}. {where_words(document, summary.env)}"),
        Table("What the harness promises, and what was found.", "what",
              [Part("", ["promise", "what was found", "verdict"])],
              [Group("", [row(check) for check in checks])], "prose")])
