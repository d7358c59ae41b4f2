#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the golden summary that the tests of the plots read:

    python3 plots/tests/make_golden.py >plots/tests/golden/summary.json

The figures are invented, in the proportions of a small virtual machine, and the same on every run.
What can go wrong in a comparison is in it: pairs that are unsupported everywhere or at one value,
an error, warnings, system calls that could not be counted, no baseline, intervals that span 1.
"""
import json
import math
import random

SEED = 42
ROUNDS = 5
T_95 = 2.776445  # of Student's t with 4 degrees of freedom
BASELINE = "blocking"
BUCKETS_PER_OCTAVE = 8
WINDOW_S = 2.0

FILE = {"name": "file", "panel": "file randread 4k O_DIRECT", "op": "block", "rw": "randread",
        "bs_bytes": 4096, "size_bytes": 1 << 30, "direct": True, "cache": "bypassed",
        "cache_resident_pct": 0.0, "read_pct": None, "fsync_every": 0, "fdatasync_every": 0,
        "fd_per_op": False, "path": "work/iolab.dat"}
ECHO = {"name": "echo", "panel": "echo tcp 128B", "op": "message", "transport": "tcp",
        "msg_size_bytes": 128, "slow_conns": 0, "slow_pause_ms": 0.0}
IDLE = {"name": "idle", "panel": "idle tcp 128B, 10 active", "op": "message", "transport": "tcp",
        "msg_size_bytes": 128, "active": 10, "slow_conns": 0, "slow_pause_ms": 0.0}

EPERM = "epoll_ctl(EPOLL_CTL_ADD) on a regular file: EPERM: Operation not permitted"
NO_CPU = ("SQPOLL needs a CPU of its own, and the server and its peer already have both of the 2 "
          "that are here")
WAITS = ("blocking cannot leave a receive waiting: submit() returns only when the operation is "
         "over, so one silent connection holds up all others")
NO_PERF = ("perf_event_open: EACCES: Permission denied; kernel.perf_event_paranoid is 3, as root: "
           "sysctl kernel.perf_event_paranoid=1")
ONE_AT_A_TIME = "glibc serves requests on one descriptor one after another, so depth adds nothing"
PEER = "the peer, not the server, was the limit: it used 99 % of its CPU"

# engine -> per swept value: thousand operations/s, CPU µs/op of the process and of the host, tail
# (p99 over p50), system calls/op. A text instead: unsupported, and why; ("error", text): an error.
MODEL = [
    (FILE, "depth", [1, 4, 16, 64], 0.07, {
        "blocking": [(12.9, 9.8, 30, 2.2, 1)] * 4,
        "threads": [(12.4, 15, 38, 2.4, 3.1), (36, 13, 19, 2.6, 2.9), (84, 8.8, 11, 4, 2.3),
                    (128, 7.4, 8.1, 6, 2.1)],
        "poll": [(12.6, 10.4, 31, 2.2, 2)] * 4,
        "epoll": [EPERM] * 4,
        "epoll:edge": [EPERM] * 4,
        "epoll_workers": [(11.4, 21, 44, 2.5, 5.2), (33, 17, 24, 2.9, 4.4), (78, 10.5, 13, 4.4, 3),
                          (117, 8.6, 9.6, 6.5, 2.6)],
        "posix_aio": [(12.3, 20, 38, 2.4, 4), (10.2, 22, 40, 2.8, 4), (13.1, 21, 36, 3, 4),
                      (12.8, 20, 34, 3.2, 4)],
        "libaio": [(13.3, 8.9, 32, 2.1, 2), (45.6, 4.9, 9.5, 2.2, 1.1), (93, 3.2, 4.1, 2.8, 0.37),
                   (136, 2.3, 2.6, 3.6, 0.11)],
        "io_uring": [(13.1, 9.2, 33, 2.1, 1), (46.8, 4.7, 9.4, 2.2, 0.55), (91, 3.1, 4, 2.8, 0.19),
                     (131, 2.2, 2.4, 3.6, 0.058)],
        "io_uring:fixed_files+fixed_buffers": [(13.4, 8.7, 32, 2.1, 1), (48, 4.3, 9, 2.2, 0.54),
                                               (94.5, 2.8, 3.7, 2.7, 0.19),
                                               (138, 1.9, 2.2, 3.5, 0.057)],
        "io_uring:defer_taskrun": [(13.2, 8.9, 32, 2.1, 1), (47.3, 4.4, 9.1, 2.2, 0.53),
                                   (92.6, 2.9, 3.8, 2.7, 0.18), (134, 2, 2.3, 3.4, 0.055)],
        "io_uring:sqpoll": [(15.8, 66, 126, 1.8, 0.98), (57, 18, 35, 2, 0.5), (106, 9.6, 19, 2.4, 0.1),
                            (128, 7.9, 16, 3.2, 0.02)],
    }),
    (ECHO, "conns", [1, 50, 500], 0.04, {
        "blocking": [(12.9, 12, 28, 2, 2), (46, 10.5, 14, 3, 2), (41, 11, 15, 5, 2)],
        "threads": [(13.5, 16, 33, 2.1, 2.1), (181, 5.5, 6.1, 4.5, 2.1),
                    ("error", "pthread_create: EAGAIN: Resource temporarily unavailable")],
        "poll": [(13, 13, 30, 2, 3), (303, 3.2, 3.4, 1.9, 2.05), (316, 3.1, 3.3, 1.8, 2.01)],
        "epoll": [(12.8, 13, 30, 2, 3), (309, 3.2, 3.4, 1.9, 2.1), (317, 3.1, 3.3, 1.8, 2.02)],
        "epoll:edge": [(12.7, 13.4, 30, 2, 4), (301, 3.3, 3.5, 1.9, 3.1), (309, 3.2, 3.4, 1.8, 3)],
        "epoll_workers": ["epoll_workers is for files only; use epoll on a socket"] * 3,
        "posix_aio": [(9.1, 42, 66, 2.6, 8), (31, 30, 41, 6, 7.6), (27, 33, 45, 9, 7.8)],
        "libaio": [(12.5, 15, 32, 2.1, 4), (262, 3.8, 4, 2, 2.2), (276, 3.6, 3.8, 1.9, 2.05)],
        "io_uring": [(13.4, 12.5, 29, 2, 1.9), (322, 3.05, 3.2, 1.8, 0.11),
                     (338, 2.9, 3.1, 1.7, 0.03)],
        "io_uring:fixed_files+fixed_buffers": [(13.4, 12.4, 29, 2, 1.9), (326, 3, 3.15, 1.8, 0.11),
                                               (341, 2.85, 3.05, 1.7, 0.03)],
        "io_uring:defer_taskrun": [(13.6, 12.1, 29, 2, 1.9), (331, 2.95, 3.1, 1.8, 0.1),
                                   (346, 2.8, 3, 1.7, 0.03)],
        "io_uring:sqpoll": [NO_CPU] * 3,
    }),
    (IDLE, "conns", [1000], 0.05, {
        "blocking": [WAITS],
        "threads": [(52, 13.8, 16, 3.2, 2.2)],
        "poll": [(15.7, 62, 65, 2.2, 2.6)],
        "epoll": [(203, 4.1, 4.4, 1.9, 2.4)],
        "epoll:edge": [(199, 4.2, 4.5, 1.9, 3.3)],
        "epoll_workers": ["epoll_workers is for files only; use epoll on a socket"],
        "posix_aio": ["posix_aio needs a thread for each of the 1000 waiting receives; "
                      "aio_init() was given 64"],
        "libaio": [(171, 4.9, 5.2, 2, 2.5)],
        "io_uring": [(214, 3.9, 4.2, 1.8, 0.24)],
        "io_uring:fixed_files+fixed_buffers": [(216, 3.8, 4.1, 1.8, 0.24)],
        "io_uring:defer_taskrun": [(221, 3.7, 4, 1.8, 0.22)],
        "io_uring:sqpoll": [NO_CPU],
    }),
]

ENV = {
    "kernel": "6.18.44", "machine": "x86_64", "cpu_model": "Intel Xeon Processor", "cpus_online": 2,
    "memory_bytes": 25769803776, "virtualization": "kvm",
    "mitigations": {"spectre_v2": "Mitigation: Enhanced / Automatic IBRS", "meltdown":
                    "Not affected", "retbleed": "Not affected"},
    "governor": None, "filesystem": "ext4", "device": "/dev/vda", "scheduler": "none",
    "limits": {"nofile": 20000, "memlock_bytes": 8388608, "nproc": 95000},
    "timer_slack_ns": 50000, "libc": "glibc 2.36", "liburing": "2.3", "compiler": "gcc 12.2.0",
    "cflags": "-O2 -g", "commit": "0123abc", "iolab": "0.1",
}

# Those without invented figures are null.
METRICS = (
    "ops_per_s", "bytes_per_s", "latency_ns.p50", "latency_ns.p99", "latency_ns.p99_9",
    "latency_ns.mean", "cpu.us_per_op", "cpu.host_us_per_op", "cpu.util_pct", "cpu.host_util_pct",
    "cpu.peer_util_pct", "cpu.other_util_pct", "context_switches_per_op", "inflight_mean",
    "offered_per_s", "unfinished", "latency_uncorrected_ns.p50", "latency_uncorrected_ns.p99",
    "latency_uncorrected_ns.p99_9",
)


def rounded(value):
    """Five significant digits: a file that a person can still read."""
    return float(f"{value:.5g}")


def estimate(values):
    ordered = sorted(values)
    return {"median": rounded(ordered[len(ordered) // 2]), "low": rounded(ordered[0]),
            "high": rounded(ordered[-1]), "min": rounded(ordered[0]), "max": rounded(ordered[-1]),
            "confidence_pct": 93.75, "count": len(values), "values": [rounded(v) for v in values]}


def ratio(values, base):
    """The geometric mean of the rounds' ratios, and the interval of Student's t on their logarithms."""
    ratios = sorted(v / b for v, b in zip(values, base))
    logs = [math.log(r) for r in ratios]
    mean = sum(logs) / len(logs)
    half = T_95 * math.sqrt(sum((x - mean) ** 2 for x in logs) / (len(logs) - 1) / len(logs))
    of = {"mean": rounded(math.exp(mean)), "low": rounded(math.exp(mean - half)),
          "high": rounded(math.exp(mean + half)), "half_width_pct": rounded(100 * math.expm1(half))}
    verdict = ("higher" if of["low"] > 1 else "lower" if of["high"] < 1 else "no difference shown")
    return {**of, "median": rounded(ratios[len(ratios) // 2]), "min": rounded(ratios[0]),
            "max": rounded(ratios[-1]), "confidence_pct": 95.0, "count": len(ratios),
            "verdict": verdict}


def normal_share(z):
    return 0.5 * (1 + math.erf(z / math.sqrt(2)))


def histogram(p50_ns, tail, total):
    """Log-normal, with one operation in 250 delayed once more."""
    sigma = math.log(tail) / 2.33
    edges = []
    low = 1 << int(math.log2(p50_ns) - 4)
    while low < p50_ns * tail * 40:
        edges += [low + low * i // BUCKETS_PER_OCTAVE for i in range(BUCKETS_PER_OCTAVE)]
        low *= 2
    edges.append(low)

    def share_below(ns):
        body = normal_share(math.log(ns / p50_ns) / sigma)
        late = normal_share(math.log(ns / (p50_ns * tail * 2.2)) / 0.45)
        return 0.996 * body + 0.004 * late

    counts = [round(total * (share_below(b) - share_below(a))) for a, b in zip(edges, edges[1:])]
    return {"unit": "ns", "error_bound_pct": 6.25,
            "buckets": [[a, b, n] for a, b, n in zip(edges, edges[1:], counts) if n]}


def quantile_ns(buckets, share):
    left = share * sum(n for _, _, n in buckets)
    for low, end, n in buckets:
        left -= n
        if left <= 0:
            return (low + end) / 2
    return buckets[-1][1]


def metrics_of(point, in_flight, spread, rng):
    thousand_per_s, cpu_us, host_us, tail, _ = point
    ops = [thousand_per_s * 1e3 * math.exp(rng.gauss(0, spread)) for _ in range(ROUNDS)]
    mean = [1e9 * in_flight / v for v in ops]
    p50_ns = sorted(mean)[ROUNDS // 2] * 0.93
    shape = histogram(p50_ns, tail, ops[0] * WINDOW_S * ROUNDS)
    cpu = [cpu_us * math.exp(rng.gauss(0, spread * 0.6)) for _ in range(ROUNDS)]
    host = [host_us * math.exp(rng.gauss(0, spread * 0.8)) for _ in range(ROUNDS)]
    at = {name: [quantile_ns(shape["buckets"], share) * m / sorted(mean)[ROUNDS // 2]
                 * math.exp(rng.gauss(0, wobble)) for m in mean]
          for name, share, wobble in (("p50", 0.5, 0.01), ("p99", 0.99, 0.08),
                                      ("p99_9", 0.999, 0.2))}
    values = {
        "ops_per_s": ops, "bytes_per_s": [v * 4096 for v in ops],
        "latency_ns.p50": at["p50"], "latency_ns.p99": at["p99"], "latency_ns.p99_9": at["p99_9"],
        "latency_ns.mean": mean, "cpu.us_per_op": cpu, "cpu.host_us_per_op": host,
        "cpu.util_pct": [min(200, c * o / 1e4) for c, o in zip(cpu, ops)],
        "cpu.host_util_pct": [min(200, h * o / 1e4) for h, o in zip(host, ops)],
        "context_switches_per_op": [c / 20 for c in cpu],
        "inflight_mean": [in_flight * 0.98] * ROUNDS,
    }
    return values, shape


def configurations(workload, x_name, xs, spread, model, rng):
    for label, points in model.items():
        name, _, variant = label.partition(":")
        for x, point in zip(xs, points):
            entry = {
                "engine": {"name": name, "variant": variant, "label": label, "lab": ""},
                "workload": {**workload, **({"conns": x, "active": workload.get("active", x)}
                                            if x_name == "conns" else {})},
                "config": {"depth": x, "conns": x if x_name == "conns" else None, "x_name": x_name,
                           "x": x, "batch_submit": 0, "batch_complete": 0, "compute_us": 0.0,
                           "op_limit": 0, "seed": SEED, "verify": False, "cpus": [0, 1],
                           "rate_per_s": None, "stall_ms": 0.0},
                "command": ["build/iolab", "run", "--engine", label, "--workload",
                            workload["name"], f"--{x_name}", str(x), "--runtime", "2", "--json"],
                "status": "ok", "reason": None, "warnings": [], "rounds": ROUNDS,
                "syscalls_per_op": None, "syscalls_reason": None,
                "metrics": dict.fromkeys(METRICS), "ratio": None, "histogram": None,
                "histogram_uncorrected": None, "steadiness": None,
            }
            if not isinstance(point, tuple) or point[0] == "error":
                status, reason = ("unsupported", point) if isinstance(point, str) else point
                entry.update(status=status, reason=reason, rounds=0)
                yield entry, None
                continue
            # A blocking pread is never in flight beside another one.
            in_flight = 1 if (workload, label) == (FILE, "blocking") else workload.get("active", x)
            values, shape = metrics_of(point, in_flight, spread, rng)
            entry["metrics"].update((key, estimate(v)) for key, v in values.items())
            entry["histogram"] = shape
            if workload is IDLE:
                entry["syscalls_reason"] = NO_PERF
            else:
                entry["syscalls_per_op"] = point[4]
            if workload is FILE and label == "posix_aio" and x > 1:
                entry["warnings"].append(ONE_AT_A_TIME)
            if workload is ECHO and point[0] > 330:
                entry["warnings"].append(PEER)
            yield entry, values


def main():
    rng = random.Random(SEED)
    entries = []
    for workload, x_name, xs, spread, model in MODEL:
        baseline = {}
        for entry, values in configurations(workload, x_name, xs, spread, model, rng):
            x = entry["config"]["x"]
            if entry["engine"]["label"] == BASELINE:
                baseline[x] = values
            elif values and baseline[x]:
                entry["ratio"] = {key: ratio(values[key], baseline[x][key])
                                  for key in ("ops_per_s", "cpu.us_per_op", "latency_ns.p50")}
            entries.append(entry)
    head = {
        "schema": "iolab.summary.v1", "time_utc": "2025-11-24T09:00:00Z",
        "command": ["build/iolab", "compare", "--rounds", str(ROUNDS), "--runtime", "2"],
        "rounds_planned": ROUNDS, "rounds_done": ROUNDS, "interrupted": False, "seed": SEED,
        "baseline": BASELINE,
        "interval": {
            "method": "order statistics of the rounds (sign test)", "confidence_pct": 93.75,
            "ratio_method": "geometric mean of the rounds' ratios, Student's t on their logarithms",
            "ratio_confidence_pct": 95.0},
        "precision": None, "idle_baseline": None, "env": ENV, "env_varies": [],
    }
    print(json.dumps(head, indent=1, ensure_ascii=False)[:-2] + ',\n "configurations": [')
    print(",\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries))
    print("]}")


if __name__ == "__main__":
    main()
