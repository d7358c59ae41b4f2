#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Can the harness be believed? `make check-trust` runs this; docs/measurement.md tells about it.

Real comparisons and runs of build/trust/iolab, whose engine `trust` costs what is known, are held
against what they should say, and against strace, perf, the kernel's own counters and fio. Writes
the result as JSON (iolab.trust.v1), which the report prints. Fails when a check does.
"""
import argparse
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ALARM_RATE = 0.05  # what a 95 % interval promises
FOUND_RATE = 0.95
ROUNDS = 5  # the default of compare
RUNTIME_S = "0.08"
DELAY_NS = 1e6  # of trust:delay
DELAY_ERROR_NS = 5e3  # reading clocks and returning from the spin
CALLS_ERROR = 10
CPU_ERROR_S, CPU_ERROR = 0.02, 0.01
DEVICE_ERROR = 0.02
FIO_ERROR = 0.01
FIO_RATE = 1000
FILE_SIZE = "16M"
BUSY_PCT = 10


class Skipped(Exception):
    """Something that the check needs is not here."""


class Unsupported(Exception):
    """An engine cannot do here what the check asks of it."""


# ------------------------------------------------------------------------------------- statistics


def binomial_at_most(k, n, p):
    return sum(math.comb(n, i) * p ** i * (1 - p) ** (n - i) for i in range(k + 1))


def exact_interval(k, n, confidence=0.95):
    """The interval of Clopper and Pearson for a rate of k in n."""
    def root(function):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if function(middle) else (low, middle)
        return (low + high) / 2

    tail = (1 - confidence) / 2
    low = 0.0 if k == 0 else root(lambda p: 1 - binomial_at_most(k - 1, n, p) < tail)
    high = 1.0 if k == n else root(lambda p: binomial_at_most(k, n, p) > tail)
    return low, high


# ------------------------------------------------------------------------------------------- runs


class Lab:
    """Starts iolab, and keeps what it said of the machine."""

    def __init__(self, program, folder):
        self.program = os.path.abspath(program)
        self.folder = folder
        self.file = os.path.join(folder, "test-file")
        self.env = None

    def run(self, words, prefix=()):
        """One `iolab run`, below another program if need be. Its result."""
        command = [*prefix, self.program, "run", "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[:300]}") from None
        if result["status"] == "unsupported":
            raise Unsupported(result["reason"])
        if result["status"] != "ok":
            raise RuntimeError(f"{' '.join(command)}: {result['reason']}")
        self.env = self.env or result["env"]
        return result

    def on_file(self, engine, *words):
        words = ["--engine", engine, "--file", self.file, "--size", FILE_SIZE, *words]
        if not os.path.exists(self.file):  # laying it out is no part of what is measured
            self.run(["--engine", "blocking", *words[2:6], "--ops", "1"])
        return words

    def idle_baseline(self):
        """How busy the host is while nothing of ours runs: on a busy one a check can fail by that."""
        out = os.path.join(self.folder, "idle")
        subprocess.run(
            [self.program, "compare", "--engines", "trust", "--workloads", "nop", "--depths", "1",
             "--rounds", "1", "--runtime", "0.01", "--idle", "2", "--no-count-syscalls", "--out", out],
            check=True, capture_output=True, timeout=120)
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            return json.load(file)["idle_baseline"]

    def compare(self, seed, trial):
        """One comparison, as anybody makes one. The second and third engine's ratios."""
        out = os.path.join(self.folder, f"trial-{trial}")
        subprocess.run(
            [self.program, "compare", "--engines", "trust,trust:twin,trust:slower", "--baseline",
             "trust", "--workloads", "nop", "--depths", "1", "--rounds", str(ROUNDS), "--runtime",
             RUNTIME_S, "--warmup", "0.01", "--idle", "0", "--no-count-syscalls", "--seed", str(seed),
             "--out", out], check=True, capture_output=True, timeout=120)
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            ratios = {c["engine"]["label"]: c["ratio"] for c in json.load(file)["configurations"]}
        shutil.rmtree(out)
        return ratios["trust:twin"], ratios["trust:slower"]


def rusage_children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def needs(program):
    if not shutil.which(program):
        raise Skipped(f"{program} is not installed")


# ------------------------------------------------------------------------------------------ checks


def check_comparisons(lab, trials):
    """A against A, and A against A made 5 % slower, in the same comparisons."""
    metrics = ("ops_per_s", "cpu.us_per_op", "latency_ns.p50")
    alarms = dict.fromkeys(metrics, 0)
    found = dict.fromkeys(metrics, 0)
    wrong_way = 0
    widths, means = [], []
    for trial in range(trials):
        twin, slower = lab.compare(trial + 1, trial)
        for metric in metrics:
            alarms[metric] += twin[metric]["verdict"] != "no difference shown"
            slow = "lower" if metric == "ops_per_s" else "higher"
            found[metric] += slower[metric]["verdict"] == slow
        ratio = slower["ops_per_s"]
        wrong_way += ratio["verdict"] == "higher"
        widths.append(twin["ops_per_s"]["half_width_pct"])
        means.append(ratio["mean"])
        if sys.stderr.isatty():
            print(f"\r\033[Kcomparison {trial + 1} of {trials}: {alarms['ops_per_s']} false alarms, "
                  f"{found['ops_per_s']} found", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)

    low, high = exact_interval(alarms["ops_per_s"], trials)
    yield {
        "name": "A against A", "passed": low <= ALARM_RATE,
        "promise": f"{100 * ALARM_RATE:g} % false alarms",
        "finding": f"{alarms['ops_per_s']} of {trials} comparisons of an engine with itself found a "
                   f"difference in throughput: {100 * alarms['ops_per_s'] / trials:.1f} % (95 % "
                   f"interval {100 * low:.1f} to {100 * high:.1f} %)",
        "trials": trials, "alarms": alarms, "low_pct": 100 * low, "high_pct": 100 * high,
        "half_width_pct_median": sorted(widths)[trials // 2]}
    seen = found["ops_per_s"]
    low, high = exact_interval(seen, trials)
    yield {
        "name": "5 % slower", "passed": seen >= FOUND_RATE * trials and wrong_way == 0,
        "promise": f"found in {100 * FOUND_RATE:g} % of comparisons",
        "finding": f"{seen} of {trials} comparisons found an engine with 5 % more work to be slower "
                   f"({100 * seen / trials:.1f} %, 95 % interval {100 * low:.1f} to "
                   f"{100 * high:.1f} %); the median of the ratios was {sorted(means)[trials // 2]:.4f}"
                   f", with 1/1.05 = {1 / 1.05:.4f}",
        "trials": trials, "found": found, "wrong_way": wrong_way, "low_pct": 100 * low,
        "high_pct": 100 * high, "ratio_median": sorted(means)[trials // 2]}


def check_delay(lab):
    """An engine that delays by a timer."""
    worst, seen = 0, []
    for depth in (1, 8):
        latency = lab.run(["--engine", "trust:delay", "--workload", "nop", "--depth", str(depth)]
                          )["metrics"]["latency_ns"]
        error_ns = abs(latency["p50"] - DELAY_NS)
        worst = max(worst, error_ns - DELAY_NS * latency["error_bound_pct"] / 100)
        seen.append(f"{latency['p50'] / 1e3:.1f} µs at depth {depth}")
    yield {
        "name": "a latency that is known", "passed": worst <= DELAY_ERROR_NS,
        "promise": f"the median within 0.78 % and {DELAY_ERROR_NS / 1e3:g} µs",
        "finding": f"operations that take {DELAY_NS / 1e3:g} µs are said to take {' and '.join(seen)}"}


def strace_calls(lab, words):
    path = os.path.join(lab.folder, "strace")
    result = lab.run([*words, "--count-syscalls"], ["strace", "-f", "-c", "-o", path])
    metrics = result["metrics"]
    if metrics["syscalls_per_op"] is None:
        raise Skipped(metrics["syscalls_reason"])
    with open(path, encoding="utf-8") as file:
        total = int(re.search(r"^\s*100\.00\s+\S+\s+\S+\s+(\d+)", file.read(), re.MULTILINE)[1])
    return round(metrics["syscalls_per_op"] * metrics["ops"]), total


def check_system_calls(lab):
    """The same run counted by iolab and by strace -c."""
    needs("strace")
    differences, seen = [], []
    for engine, *options in (("blocking",), ("libaio", "--depth", "8"), ("io_uring", "--depth", "8")):
        beyond = []  # the window: set-up and end, which are the same for few operations and many
        for ops in ("500", "4000"):
            inside, total = strace_calls(lab, lab.on_file(engine, *options, "--ops", ops))
            beyond.append(total - inside)
        few, many = beyond
        differences.append(abs(many - few))
        seen.append(f"{engine} {many - few:+d}")
    yield {
        "name": "system calls", "passed": max(differences) <= CALLS_ERROR,
        "promise": f"within {CALLS_ERROR} calls of strace -c",
        "finding": "strace counted beyond set-up, in 3500 operations, so many calls more than iolab: "
                   + ", ".join(seen)}


def perf_cpu(lab, words):
    path = os.path.join(lab.folder, "perf")
    metrics = lab.run(words, ["perf", "stat", "-x", ",", "-e", "task-clock", "-o", path])["metrics"]
    with open(path, encoding="utf-8") as file:
        line = next(line for line in file if "task-clock" in line)
    return metrics["cpu"]["user_s"] + metrics["cpu"]["system_s"], float(line.split(",")[0]) / 1e3


def rusage_cpu(lab, words):
    before = rusage_children_s()
    metrics = lab.run(words)["metrics"]
    return metrics["cpu"]["user_s"] + metrics["cpu"]["system_s"], rusage_children_s() - before


def perf_works(lab):
    path = os.path.join(lab.folder, "perf")
    return shutil.which("perf") and subprocess.run(
        ["perf", "stat", "-x", ",", "-e", "task-clock", "-o", path, "true"],
        capture_output=True).returncode == 0


def check_cpu(lab):
    """The same run's CPU time by iolab, by its parent's getrusage, and by perf stat."""
    nops = ["--engine", "trust", "--workload", "nop"]
    counters = [("getrusage of the parent", rusage_cpu, "trust", nops),
                ("getrusage of the parent", rusage_cpu, "threads", lab.on_file("threads", "--depth", "4")),
                ("getrusage of the parent", rusage_cpu, "io_uring:sqpoll",
                 lab.on_file("io_uring:sqpoll", "--depth", "4"))]
    # Where a run sleeps and wakes all the time, perf's task clock leaves part of that out.
    if perf_works(lab):
        counters.append(("perf stat", perf_cpu, "trust", nops))
    seen, passed = [], True
    for whose, count, engine, words in counters:
        try:
            inside_s, beyond_s = [], []
            for runtime in ("0.5", "2"):
                inside, total = count(lab, [*words, "--warmup", "0", "--runtime", runtime])
                inside_s.append(inside)
                beyond_s.append(total - inside)
        except Unsupported as reason:
            seen.append(f"{engine} not compared ({reason})")
            continue
        error_s = beyond_s[1] - beyond_s[0]  # without what set-up and end cost
        passed = passed and abs(error_s) <= CPU_ERROR_S + CPU_ERROR * inside_s[1]
        seen.append(f"{whose} of {engine} {1e3 * error_s:+.0f} ms in {inside_s[1]:.2f} s")
    yield {
        "name": "CPU time", "passed": passed,
        "promise": f"within {100 * CPU_ERROR:g} % and {1e3 * CPU_ERROR_S:g} ms of getrusage and perf "
                   "stat",
        "finding": "beyond set-up others counted so much more than iolab: " + ", ".join(seen)}


def reads_completed(device):
    with open("/proc/diskstats", encoding="utf-8") as file:
        for line in file:
            fields = line.split()
            if fields[2] == device:
                return int(fields[3])
    raise Skipped(f"/proc/diskstats does not know {device}")


def check_device(lab):
    """Reads of a run with O_DIRECT by iolab and by /proc/diskstats."""
    words = lab.on_file("blocking", "--direct", "1")
    device = lab.run([*words, "--ops", "10"])["env"]["device"]
    if not device:
        raise Skipped("the test file lies on no block device")
    ops, found = 20000, []
    # Others may read, too: of three runs the one that was disturbed least.
    for _ in range(3):
        before = reads_completed(os.path.basename(device))
        reads = lab.run([*words, "--ops", str(ops)])["metrics"]["reads"]
        found.append(reads_completed(os.path.basename(device)) - before - reads)
    least = min(found)
    yield {
        "name": "device operations", "passed": 0 <= least <= DEVICE_ERROR * ops,
        "promise": f"within {100 * DEVICE_ERROR:g} % of /proc/diskstats",
        "finding": f"{device} completed {least:+d} reads more than iolab's {ops} (the least of "
                   f"{len(found)} runs)"}


def check_fio(lab):
    """The same blocks at the same rate by iolab and by fio."""
    needs("fio")
    words = lab.on_file("blocking", "--direct", "1", "--rate", str(FIO_RATE), "--runtime", "3")
    ours = lab.run(words)["metrics"]["ops_per_s"]
    done = subprocess.run(
        ["fio", "--name=trust", f"--filename={lab.file}", f"--size={FILE_SIZE}", "--rw=randread", "--bs=4k",
         "--direct=1", "--ioengine=psync", f"--rate_iops={FIO_RATE}", "--time_based", "--runtime=3",
         "--output-format=json"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise Skipped(f"fio: {done.stderr.strip()[:200]}")
    theirs = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["read"]["iops"]
    yield {
        "name": "fio", "passed": abs(ours / theirs - 1) <= FIO_ERROR,
        "promise": f"the same throughput within {100 * FIO_ERROR:g} %",
        "finding": f"of {FIO_RATE} blocks a second that were due iolab read {ours:.1f}, fio "
                   f"{theirs:.1f}"}


def checks(lab, trials):
    yield "comparisons", lambda: check_comparisons(lab, trials)
    yield "a latency that is known", lambda: check_delay(lab)
    yield "system calls", lambda: check_system_calls(lab)
    yield "CPU time", lambda: check_cpu(lab)
    yield "device operations", lambda: check_device(lab)
    yield "fio", lambda: check_fio(lab)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--iolab", default="build/trust/iolab", help="default: %(default)s")
    parser.add_argument("--trials", type=int, default=200, help="comparisons (default: %(default)s)")
    parser.add_argument("--out", default="results/trust.json", help="default: %(default)s")
    parser.add_argument("--only", nargs="*", help="checks whose names begin so")
    options = parser.parse_args()

    begun = time.time()
    found = []
    with tempfile.TemporaryDirectory(prefix="iolab-trust-", dir="/var/tmp") as folder:
        lab = Lab(options.iolab, folder)
        idle = lab.idle_baseline()
        print(f"Before it, others used {idle['busy_pct']:.0f} % of a CPU"
              + ("; where a check fails, try again on a quiet machine."
                 if idle["busy_pct"] > BUSY_PCT else "."), flush=True)
        for name, check in checks(lab, options.trials):
            if options.only and not name.startswith(tuple(options.only)):
                continue
            try:
                entries = list(check())
            except Skipped as reason:
                entries = [{"name": name, "passed": None, "promise": "", "finding": f"skipped: {reason}"}]
            except (RuntimeError, Unsupported, subprocess.SubprocessError, OSError) as error:
                entries = [{"name": name, "passed": False, "promise": "",
                            "finding": f"could not be run: {error}"}]
            for entry in entries:
                mark = {True: "ok", False: "FAILED", None: "skipped"}[entry["passed"]]
                print(f"{mark:8}{entry['name']}: {entry['finding']}", flush=True)
            found += entries
    document = {"schema": "iolab.trust.v1",
                "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)),
                "took_s": round(time.time() - begun, 1), "env": lab.env, "idle_baseline": idle,
                "checks": found}
    os.makedirs(os.path.dirname(os.path.abspath(options.out)), exist_ok=True)
    with open(options.out, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=1, ensure_ascii=False)
        file.write("\n")
    print(f"Written to {options.out}, in {document['took_s']:.0f} s.")
    sys.exit(any(entry["passed"] is False for entry in found))


if __name__ == "__main__":
    main()
