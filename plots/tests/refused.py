#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""refused.py FOLDER: do plot.py and report.py refuse what cannot be drawn, in one line that says why?

In one process, since loading matplotlib takes longer than each refusal.
"""
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import command
import plot
import report


def set_schema(s):
    s["schema"] = "iolab.summary.v9"


def drop_configurations(s):
    del s["configurations"]


def shorten_bucket(s):
    for c in s["configurations"]:
        if c["histogram"]:
            c["histogram"]["buckets"][0] = [1, 2]


def name_a_rate(s):
    for c in s["configurations"]:
        if c["metrics"]["ops_per_s"]:
            c["metrics"]["ops_per_s"]["median"] = "fast"


def name_an_absurd_rate(s):
    for c in s["configurations"]:
        if c["metrics"]["ops_per_s"]:
            c["metrics"]["ops_per_s"]["median"] = 1e19


def name_an_endless_ratio(s):
    for c in s["configurations"]:
        if c["ratio"] and c["ratio"]["ops_per_s"]:
            c["ratio"]["ops_per_s"]["high"] = 10 ** 400


def drop_rounds(s):
    s["rounds_done"] = None


def fail_all(s):
    for c in s["configurations"]:
        c["status"], c["metrics"] = "error", None


def each_estimate(s, metric, change):
    for c in s["configurations"]:
        if (c["metrics"] or {}).get(metric):
            change(c["metrics"][metric])


def confuse_quantiles(s):
    each_estimate(s, "latency_ns.p50", lambda e: e.update(median=1e15, low=1e15, high=1e15, min=1e15, max=1e15,
                                                          values=[1e15] * e["count"]))


def swap_extremes(s):
    each_estimate(s, "cpu.us_per_op", lambda e: e.update(min=e["max"] + 1, max=e["min"]))


def lose_a_value(s):
    each_estimate(s, "ops_per_s", lambda e: e["values"].append(e["median"]))


def move_a_value(s):
    each_estimate(s, "ops_per_s", lambda e: e.update(values=[e["max"] * 2] * e["count"]))


def use_more_cpus_than_there_are(s):
    each_estimate(s, "cpu.util_pct", lambda e: e.update(median=1e6, low=1e6, high=1e6, min=1e6, max=1e6,
                                                        values=[1e6] * e["count"]))


def run_backwards(s):
    each_estimate(s, "ops_per_s", lambda e: e.update(median=-1, low=-1, high=-1, min=-1, max=-1,
                                                     values=[-1] * e["count"]))


def lose_the_bytes(s):
    each_estimate(s, "bytes_per_s", lambda e: e.update(median=1, low=1, high=1, min=1, max=1, values=[1] * e["count"]))


def reverse_a_verdict(s):
    for c in s["configurations"]:
        if c["ratio"] and c["ratio"]["ops_per_s"]:
            c["ratio"]["ops_per_s"].update(verdict="higher", mean=0.5, low=0.4, high=0.6)


def turn_buckets_round(s):
    for c in s["configurations"]:
        if c["histogram"]:
            c["histogram"]["buckets"].reverse()


def name_no_day(s):
    s["time_utc"] = "2026-02-30T00:00:00Z"


def name_no_number(s):
    s["elsewhere"] = float("nan")


def name_another_workload(s):
    s["configurations"][0]["workload"]["name"] = "kafka"


# What is changed in the summary, and what has to be said of it.
CHANGES = {
    set_schema: "iolab.summary.v9",
    drop_configurations: "configurations is missing",
    shorten_bucket: "histogram.buckets.0 is [1, 2], expected a list of 3",
    name_a_rate: 'metrics.ops_per_s.median is "fast", expected a number',
    name_an_absurd_rate: "metrics.ops_per_s.median is 1e+19, expected a number between -9e+18 and 9e+18",
    name_an_endless_ratio: "a whole number of 401 digits is too large",
    confuse_quantiles: "its p50 1e+15 is more than its p99",
    swap_extremes: "metrics.cpu.us_per_op: its min ",
    lose_a_value: "values, and its count is",
    move_a_value: "metrics.ops_per_s: its values reach from",
    use_more_cpus_than_there_are: "metrics.cpu.util_pct: 1e+06 %, and there are",
    run_backwards: "metrics.ops_per_s: its min is -1, and it is never below 0",
    lose_the_bytes: "operations of 4096 bytes a second",
    reverse_a_verdict: "its verdict is higher, and its interval 0.4 to 0.6",
    turn_buckets_round: "is not behind the one before it",
    name_no_day: "time_utc is '2026-02-30T00:00:00Z', expected a time",
    name_another_workload: "and it is 'kafka'",
    name_no_number: "NaN is no number",
    drop_rounds: "rounds_done is null, expected a whole number",
    fail_all: "no run ended ok",
}

faults = []


def expect_refusal(program, said, *arguments):
    name = os.path.basename(program.__file__)
    sys.argv = [name, *arguments]
    status = 0
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            command.run(name, program.main)
        except SystemExit as end:
            status = end.code
    # Text as a status: the interpreter prints it and ends with 1.
    if not isinstance(status, str) or said not in status or "\n" in status:
        faults.append(f"{name} {' '.join(arguments)}: expected one line with {said!r}, saw {status!r}")


def refuse_all(program, golden, scratch):
    expect_refusal(program, "no such folder", "/no/such/folder")
    expect_refusal(program, "summary.json is missing", scratch)
    path = os.path.join(scratch, "summary.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"schema": "iolab.su')
    expect_refusal(program, "is not JSON", scratch)
    for change, said in CHANGES.items():
        with open(os.path.join(golden, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        change(summary)
        with open(path, "w", encoding="utf-8") as file:
            file.write(json.dumps(summary))
        expect_refusal(program, said, scratch)


def main():
    golden = sys.argv[1]
    for program in (plot, report):
        scratch = tempfile.mkdtemp()
        refuse_all(program, golden, scratch)
        shutil.rmtree(scratch)
    print("\n".join(faults) or "all are refused")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
