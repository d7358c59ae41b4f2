#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""make_schema.py LISTED FOLDER: docs/result.schema.json and docs/metrics.md, from their sources.

LISTED is what `iolab list --json` prints: the rows of harness/metrics/metrics.c, and each workload's own
parameters. documents.json beside this file has the rest, in a short form of JSON Schema:

  "number"       a type; "[number]" a list of them; "#estimate" the definition of that name
  "number?"      the same, or null
  "amount"       a number from 0 to 9e18; "count" such an integer
  {"object": {"key": ..., "key?": ...}}
                 an object with these keys and no others; "key?" may be missing
  "metrics": "in_run", "in_summary" or "ratio", beside "object"
                 a key for each metric with that property: "cpu.user_s" is a path in a run, and one key
                 elsewhere, where "each" is its value; "optional": true: each may be missing, as in a folder
                 that was made before there was such a metric
  "each_workload": {"key": ...}
                 one of: an object for each workload, with these keys and its own parameters; and one for any other
                 name, which may have any values

What is written is plain JSON Schema, a line for all that fits one.
"""
import json
import os
import sys
import textwrap

WIDTH = 120
NOT_NEGATIVE = {"count": "integer", "amount": "number"}
MOST = 9 * 10**18  # of both; AMOUNT_MOST in harness/metrics/documents.c and LARGEST in plots/readings/shape.py
SCHEMAS = ("items", "additionalProperties", "if", "then", "else", "not")
LISTS = ("anyOf", "oneOf", "allOf")
MAPS = ("properties", "patternProperties", "definitions")


def of_words(words):
    """A schema in its short form."""
    if words.endswith("?"):
        plain = of_words(words[:-1])
        if isinstance(plain.get("type"), str) and "items" not in plain:
            return {**plain, "type": [plain["type"], "null"]}
        return {"anyOf": [plain, {"type": "null"}]}
    if words.startswith("["):
        return {"type": "array", "items": of_words(words[1:-1])}
    if words.startswith("#"):
        return {"$ref": "#/definitions/" + words[1:]}
    if words in NOT_NEGATIVE:
        return {"type": NOT_NEGATIVE[words], "minimum": 0, "maximum": MOST}
    return {"type": words}


def of_row(row):
    words = "number" if row["below_zero"] else "count" if row["type"] == "integer" else "amount"
    return words if row["always"] else words + "?"


def of_workloads(common, workloads):
    """In the short form: an object for each workload. A workload that nobody knows is refused."""
    return {"oneOf": [{"object": {"name": {"const": workload["name"]}, **common, **workload["parameters"]}}
                      for workload in workloads]}


def with_metrics(schema, metrics):
    """The keys of an object, those of its metrics among them."""
    keys = dict(schema["object"])
    which = schema.get("metrics")
    for row in (row for row in metrics if which and row[which]):
        if which != "in_run":
            keys[row["name"] + ("?" if schema.get("optional") else "")] = schema["each"]
            continue
        inner, *outer = reversed(row["name"].split("."))
        place = keys
        for key in reversed(outer):
            place = place.setdefault(key, {"object": {}})["object"]
        place[inner] = of_row(row)
    return keys


def expanded(schema, listed):
    metrics = listed["metrics"]
    if isinstance(schema, str):
        return of_words(schema)
    if not isinstance(schema, dict):
        return schema
    if "each_workload" in schema:
        return expanded(of_workloads(schema["each_workload"], listed["workloads"]), listed)
    made = {}
    for key, value in schema.items():
        if key == "object":
            keys = with_metrics(schema, metrics)
            made["type"] = "object"
            made["properties"] = {k.rstrip("?"): expanded(v, listed) for k, v in keys.items()}
            required = [k for k in keys if not k.endswith("?")]
            if required:
                made["required"] = required
            made["additionalProperties"] = schema.get("open", False)
        elif key in ("metrics", "each", "optional", "open"):
            continue
        elif key in LISTS or key == "items" and isinstance(value, list):
            made[key] = [expanded(entry, listed) for entry in value]
        elif key in MAPS:
            made[key] = {k: expanded(v, listed) for k, v in value.items()}
        else:
            made[key] = expanded(value, listed) if key in SCHEMAS else value
    return made


def laid_out(value, indent=0, before=0):
    """JSON with a line for all that fits one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or indent + before + len(line) < WIDTH:
        return line
    pad = " " * (indent + 1)
    if isinstance(value, list) and all(isinstance(v, str) for v in value):
        words = textwrap.wrap(line[1:-1], WIDTH - len(pad), break_long_words=False, break_on_hyphens=False)
        return "[\n" + "\n".join(pad + w for w in words) + f"\n{' ' * indent}]"
    if isinstance(value, list):
        return "[\n" + ",\n".join(pad + laid_out(v, indent + 1) for v in value) + f"\n{' ' * indent}]"
    lines = []
    for key, inner in value.items():
        name = json.dumps(key) + ": "
        lines.append(pad + name + laid_out(inner, indent + 1, len(name)))
    return "{\n" + ",\n".join(lines) + f"\n{' ' * indent}}}"


PAGE = """# Metrics

Made by `make schema` from `harness/metrics/metrics.c`, where each metric has its one home: [how to add
one](add-a-metric.md). A *run* has the metric in its `metrics`, at that path; a *summary* has an estimate of it over
the rounds; a *ratio* to the baseline is taken of it, and in a diff. `null` says that it is not known, or that there was
nothing to divide by.

| metric | unit | better | where | CSV column | meaning |
|---|---|---|---|---|---|
"""


def page(metrics):
    lines = []
    for row in metrics:
        own = row["in_run"] or not row["in_summary"] or row["name"].startswith("latency")
        where = [name for name, there in (("run", own), ("summary", row["in_summary"]), ("ratio", row["ratio"]))
                 if there]
        csv = f"`{row['csv']}`" if row["csv"] else ""
        better = "" if row["better"] == "neither" else row["better"]
        lines.append(f"| `{row['name']}` | {row['unit']} | {better} | {', '.join(where)} | {csv} | {row['meaning']} |")
    return PAGE + "\n".join(lines) + "\n"


def main(path, folder):
    with open(path, encoding="utf-8") as file:
        listed = json.load(file)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "documents.json"), encoding="utf-8") as file:
        documents = json.load(file)
    for name, text in (("result.schema.json", laid_out(expanded(documents, listed)) + "\n"),
                       ("metrics.md", page(listed["metrics"]))):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
