# SPDX-License-Identifier: MIT
"""For tests that change a number of a run: the numbers that follow from it follow, since a run that contradicts
itself is refused."""
import math

COUNTS = ("ops", "bytes", "reads", "writes", "unfinished", "owed_before", "short_transfers")
LATENCIES = ("latency_ns", "latency_uncorrected_ns")
QUANTILES = ("p50", "p90", "p99", "p99_9")


def _times(run, factor):
    """As many times the operations."""
    m = run["metrics"]
    for key in COUNTS:
        if m.get(key):
            m[key] *= factor
    for latency in (m.get(key) for key in LATENCIES):
        if latency:
            latency["count"] *= factor
    for histogram in (run["histogram"], run["histogram_uncorrected"]):
        for bucket in histogram["buckets"] if histogram else []:
            bucket[2] *= factor
    if m["steadiness"]:
        m["steadiness"]["slice_ops"] = [ops * factor for ops in m["steadiness"]["slice_ops"]]


def _nothing(run):
    m = run["metrics"]
    m.update(bytes=0, reads=0, writes=0, latency_ns=None, latency_uncorrected_ns=None)
    run["histogram"]["buckets"] = []
    if m["steadiness"]:
        m["steadiness"]["slice_ops"] = [0] * 10


def _quantiles_follow(latency):
    below = 0
    for key in QUANTILES:
        latency[key] = below = max(below, latency[key])
    latency["min"] = min(latency["min"], latency["p50"])
    latency["max"] = max(latency["max"], latency["p99_9"])


def agree(before, run):
    """`run` was changed; `before` is what it was."""
    m, was = run["metrics"], before["metrics"]
    if not m:
        return
    if m["ops"] == 0:
        _nothing(run)
    elif m["ops_per_s"] != was["ops_per_s"]:
        _times(run, math.ceil(was["elapsed_s"] * m["ops_per_s"] / m["ops"]))
        m["elapsed_s"] = m["ops"] / m["ops_per_s"]
    else:
        m["ops_per_s"] = m["ops"] / m["elapsed_s"]
    m["bytes_per_s"] = m["bytes"] / m["elapsed_s"]
    if m["latency_ns"]:
        _quantiles_follow(m["latency_ns"])
    cpu, old, elapsed_s, ops = m["cpu"], was["cpu"], m["elapsed_s"], m["ops"]
    for key in ("user_s", "system_s", "peer_s", "host_busy_s"):
        if cpu[key] and elapsed_s < was["elapsed_s"]:
            cpu[key] *= elapsed_s / was["elapsed_s"]
    if cpu["us_per_op"] != old["us_per_op"] and cpu["us_per_op"] is not None:
        cpu["user_s"], cpu["system_s"] = cpu["us_per_op"] * ops / 1e6, 0.0
        m["elapsed_s"] = elapsed_s = max(elapsed_s, cpu["user_s"])
        m["ops_per_s"], m["bytes_per_s"] = ops / elapsed_s, m["bytes"] / elapsed_s
    if cpu["peer_util_pct"] != old["peer_util_pct"]:
        cpu["peer_s"] = cpu["peer_util_pct"] * elapsed_s / 100
    if cpu["user_s"] is None:  # imported: its file does not say
        return
    process_s, peer_s, host_s = cpu["user_s"] + cpu["system_s"], cpu["peer_s"], cpu["host_busy_s"]
    cpu["us_per_op"] = 1e6 * process_s / ops if ops else None
    cpu["util_pct"] = 100 * process_s / elapsed_s
    if peer_s is not None:
        cpu["peer_util_pct"] = 100 * peer_s / elapsed_s
    if host_s is not None:
        cpu["host_util_pct"] = 100 * host_s / elapsed_s
        cpu["other_util_pct"] = 100 * (host_s - process_s - (peer_s or 0)) / elapsed_s
        cpu["host_us_per_op"] = 1e6 * max(0, host_s - (peer_s or 0)) / ops if ops else None
