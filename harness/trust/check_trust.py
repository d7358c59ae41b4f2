#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the harness keep its promises? `make check-trust` runs this; docs/measurement.md explains it.

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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402
import progress_line  # noqa: E402
from readings import remarks, whole_file  # noqa: E402

ALARM_RATE = 0.05  # what a 95 % interval promises
FOUND_RATE = 0.95
FEWEST_TRIALS = 200  # with fewer, a rate has no verdict
ROUNDS = 5  # the default of compare
RUNTIME_S = "0.1"
DELAY_NS = 1e6  # of trust:delay
DELAY_ERROR_NS = 5e3  # reading clocks and returning from the spin
HISTOGRAM_ERROR = 0.0078125  # what common/histogram.h promises
DELAY_RUNTIME_S = 0.5
QUEUE_ERROR = 0.03
CALLS_ERROR = 10
CPU_ERROR_S, CPU_ERROR = 0.02, 0.01
DEVICE_ERROR = 0.02
FIO_ERROR = 0.01
FIO_RATE = 1000
FILE_SIZE = "16M"
BUSY_PCT = 10
LIMIT_S = 120  # for one program that is started here


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
        self.idle_pct = self.idle_error_pct = 0

    def run(self, words, prefix=()):
        """One `iolab run`, below another program if need be. Its result."""
        command = [*prefix, self.program, "run", "--json", *words]
        done = children.run(command, LIMIT_S)
        try:
            result = json.loads(done.stdout)
        except ValueError:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[:300]}") from None
        if result["status"] == "unsupported":
            raise Unsupported(remarks.read(result["reason"]))
        if result["status"] != "ok":
            raise RuntimeError(f"{' '.join(command)}: {remarks.read(result['reason'])}")
        return result

    def on_file(self, engine, *words):
        words = ["--engine", engine, "--file", self.file, "--size", FILE_SIZE, *words]
        if not os.path.exists(self.file):  # laying it out is no part of what is measured
            self.run(["--engine", "blocking", *words[2:6], "--ops", "1"])
        return words

    def _compare(self, words, out):
        command = [self.program, "compare", *words, "--workloads", "nop", "--depths", "1",
                   "--no-count-syscalls", "--out", out]
        done = children.run(command, LIMIT_S)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[:300]}")

    def idle_baseline(self):
        """How busy the host is while nothing of ours runs: on a busy one a check can fail for that alone."""
        out = os.path.join(self.folder, "idle")
        self._compare(["--engines", "trust", "--rounds", "1", "--runtime", "0.01", "--idle", "2"], out)
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        self.env = summary["env"]
        self.idle_pct = summary["idle_baseline"]["busy_pct"]
        self.idle_error_pct = summary["idle_baseline"]["error_pct"]
        return summary["idle_baseline"]

    def compare(self, seed, trial):
        """One comparison with the default rounds. The second and third engine's ratios."""
        out = os.path.join(self.folder, f"trial-{trial}")
        self._compare(["--engines", "trust,trust:twin,trust:slower", "--baseline", "trust", "--rounds",
                       str(ROUNDS), "--runtime", RUNTIME_S, "--warmup", "0.01", "--idle", "0", "--seed",
                       str(seed)], out)
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


METRICS = {"ops_per_s": ("throughput", "lower"), "cpu.us_per_op": ("CPU time", "higher"),
           "latency_ns.p50": ("median latency", "higher")}


def run_trials(lab, trials):
    """By metric: the ratios of the twin, and those of the slower engine."""
    twins, slowers = ({metric: [] for metric in METRICS} for _ in range(2))
    for trial in range(trials):
        twin, slower = lab.compare(trial + 1, trial)
        for metric in METRICS:
            twins[metric].append(twin[metric])
            slowers[metric].append(slower[metric])
        progress_line.show(f"comparison {trial + 1} of {trials}")
    progress_line.show("")
    return twins, slowers


def rate_words(k, n):
    low, high = exact_interval(k, n)
    return f"{100 * k / n:.1f} %, 95 % interval {100 * low:.1f} to {100 * high:.1f} %"


def verdict_of(kept, trials):
    """None where a rate was looked at too seldom to say anything."""
    return kept if trials >= FEWEST_TRIALS else None


def check_comparisons(lab, trials):
    """A against A, and A against A made 5 % slower, in the same comparisons."""
    twins, slowers = run_trials(lab, trials)
    for metric, (words, slow) in METRICS.items():
        alarms = sum(ratio["verdict"] != "none" for ratio in twins[metric])
        low, high = exact_interval(alarms, trials)
        widths = sorted(ratio["half_width_pct"] for ratio in twins[metric])
        yield {
            "name": f"A against A, {words}", "metric": metric, "passed": verdict_of(low <= ALARM_RATE, trials),
            "promise": f"{100 * ALARM_RATE:g} % false alarms: the interval of their rate does not lie "
                       "above",
            "finding": f"{alarms} of {trials} comparisons of an engine with itself found a difference "
                       f"({rate_words(alarms, trials)}); half of the intervals reached no further than "
                       f"{widths[trials // 2]:.2g} %",
            "trials": trials, "alarms": alarms, "low_pct": 100 * low, "high_pct": 100 * high,
            "half_width_pct_median": widths[trials // 2]}
    for metric, (words, slow) in METRICS.items():
        seen = sum(ratio["verdict"] == slow for ratio in slowers[metric])
        wrong_way = sum(ratio["verdict"] not in (slow, "none")
                        for ratio in slowers[metric])
        low, high = exact_interval(seen, trials)
        means = sorted(ratio["mean"] for ratio in slowers[metric])
        yield {
            "name": f"5 % slower, {words}",
            "passed": verdict_of(seen >= FOUND_RATE * trials and wrong_way == 0, trials),
            "promise": f"found in {100 * FOUND_RATE:g} % of comparisons, and never the wrong way round",
            "finding": f"{seen} of {trials} comparisons found an engine with 5 % more work to be slower "
                       f"({rate_words(seen, trials)}), {wrong_way} found it faster; the median of the "
                       f"ratios was {means[trials // 2]:.4f}",
            "trials": trials, "found": seen, "wrong_way": wrong_way, "low_pct": 100 * low,
            "high_pct": 100 * high, "ratio_median": means[trials // 2]}


def check_delay(lab):
    """An engine that delays by a timer, in a closed loop and in an open one."""
    seen, wrong = [], []
    for depth in (1, 8):
        metrics = lab.run(["--engine", "trust:delay", "--workload", "nop", "--depth", str(depth)]
                          )["metrics"]
        latency = metrics["latency_ns"]
        for key in ("p50", "mean"):
            if abs(latency[key] - DELAY_NS) > DELAY_NS * HISTOGRAM_ERROR + DELAY_ERROR_NS:
                wrong.append(f"{key} {latency[key] / 1e3:.1f} µs at depth {depth}")
        if latency["min"] < DELAY_NS or latency["count"] != metrics["ops"]:
            wrong.append(f"{latency['count']} latencies of {metrics['ops']} operations, the least "
                         f"{latency['min'] / 1e3:.1f} µs")
        seen.append(f"{latency['p50'] / 1e3:.1f} µs at depth {depth}")
    yield {
        "name": "a latency that is known", "passed": not wrong,
        "promise": f"median and mean within {100 * HISTOGRAM_ERROR:.2g} % and {DELAY_ERROR_NS / 1e3:g} µs,"
                   " every operation timed",
        "finding": f"operations that take {DELAY_NS / 1e3:g} µs are said to take {' and '.join(seen)}"
                   + (f"; wrong: {', '.join(wrong)}" if wrong else "")}
    yield check_overload(lab)


def check_overload(lab):
    """Twice as many operations as an engine can do, one at a time. Its queue grows with the time: by
    the end of a window of T, what was due has waited up to T / 2, half of it more than T / 4."""
    rate = round(2e9 / DELAY_NS)
    metrics = lab.run(["--engine", "trust:delay", "--workload", "nop", "--depth", "1", "--rate",
                       str(rate), "--warmup", "0", "--runtime", str(DELAY_RUNTIME_S)])["metrics"]
    due, begun = metrics["latency_ns"], metrics["latency_uncorrected_ns"]
    # Operation k of n is due at k T / n. The first half of them is done, at 2 k T / n; the others
    # wait until T. Either way the longest wait is T / 2, and the waits are spread evenly below it.
    expected = {"p50": DELAY_RUNTIME_S / 4 * 1e9, "max": DELAY_RUNTIME_S / 2 * 1e9}
    error = max(abs(due[key] / value - 1) for key, value in expected.items())
    exact = abs(begun["p50"] - DELAY_NS) <= DELAY_NS * HISTOGRAM_ERROR + DELAY_ERROR_NS
    return {
        "name": "a queue that is known", "passed": error <= QUEUE_ERROR and exact,
        "promise": f"at twice the load that it can do, waits since due within {100 * QUEUE_ERROR:g} % of "
                   "what arithmetic says",
        "finding": f"half of what was due waited more than {due['p50'] / 1e6:.1f} ms (expected "
                   f"{expected['p50'] / 1e6:.1f}), the longest wait was {due['max'] / 1e6:.1f} ms "
                   f"(expected {expected['max'] / 1e6:.1f}); since begun it was "
                   f"{begun['p50'] / 1e6:.3f} ms"}


def strace_calls(lab, words):
    path = os.path.join(lab.folder, "strace")
    result = lab.run([*words, "--count-syscalls"], ["strace", "-f", "-c", "-o", path])
    metrics = result["metrics"]
    if metrics["syscalls_per_op"] is None:
        raise Skipped(remarks.read(metrics["syscalls_reason"]))
    with open(path, encoding="utf-8") as file:
        total = int(re.search(r"^\s*100\.00\s+\S+\s+\S+\s+(\d+).*\btotal$", file.read(),
                              re.MULTILINE)[1])
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
        "finding": "calls that strace counted and iolab did not, in 3500 operations beyond set-up: "
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


def cpu_entry(lab, whose, count, engine, words):
    """The same run's CPU time by iolab and by another, without what set-up and end cost."""
    name = f"CPU time of {engine}, by {whose}"
    promise = f"within {100 * CPU_ERROR:g} % and {1e3 * CPU_ERROR_S:g} ms"
    try:
        inside_s, beyond_s = [], []
        for runtime in ("0.5", "2"):
            inside, total = count(lab, [*words, "--warmup", "0", "--runtime", runtime])
            inside_s.append(inside)
            beyond_s.append(total - inside)
    except Unsupported as reason:
        return {"name": name, "passed": None, "promise": promise, "finding": f"not tried: {reason}"}
    error_s = beyond_s[1] - beyond_s[0]
    return {
        "name": name, "passed": abs(error_s) <= CPU_ERROR_S + CPU_ERROR * inside_s[1],
        "promise": promise,
        "finding": f"beyond set-up it counted {1e3 * error_s:+.0f} ms more than iolab in "
                   f"{inside_s[1]:.2f} s"}


def check_cpu(lab):
    """By the parent's getrusage, which shows whether the window is right and no thread is left out;
    by perf stat, which counts on its own; and the kernel's workers by the scheduler's account."""
    nops = ["--engine", "trust", "--workload", "nop"]
    yield cpu_entry(lab, "getrusage of its parent", rusage_cpu, "trust", nops)
    for engine in ("threads", "io_uring:sqpoll"):
        yield cpu_entry(lab, "getrusage of its parent", rusage_cpu, engine,
                        lab.on_file(engine, "--depth", "4"))
    # Where a run sleeps and wakes all the time, perf's task clock leaves part of that out.
    if perf_works(lab):
        yield cpu_entry(lab, "perf stat", perf_cpu, "trust", nops)
    else:
        yield {"name": "CPU time of trust, by perf stat", "passed": None, "promise": "",
               "finding": "not tried: perf is not installed, or may not be used"}
    yield check_kernel_work(lab)


def check_kernel_work(lab):
    """Work that the kernel does for a run in threads of its own must show in the host's account. A
    loop device over memory does its reads in a kworker, which is in no process's CPU time."""
    name = "work hidden in the kernel"
    # Nothing counts the interrupts exactly that come with the work, so it is not bounded from above.
    promise = ("a lower bound alone: no less than the kworkers' CPU time shows outside of the process, within "
               "the stated error")
    if lab.idle_pct > BUSY_PCT:
        return {"name": name, "passed": None, "promise": promise,
                "finding": f"not tried: others used {lab.idle_pct:.0f} % of a CPU, and would be taken for it"}
    image = os.path.join("/dev/shm", f"iolab-trust-{os.getpid()}")
    device = None
    try:
        with open(image, "wb") as file:
            file.write(os.urandom(32 << 20))
        found = subprocess.run(["losetup", "--find", "--show", "--direct-io=off", image],
                               capture_output=True, text=True)
        if found.returncode:
            return {"name": name, "passed": None, "promise": promise,
                    "finding": f"not tried: no loop device to be had ({found.stderr.strip()[:100]})"}
        device = found.stdout.strip()
        workers_before = kworker_cpu_s()
        cpu = lab.run(["--engine", "io_uring", "--file", device, "--size", "32M", "--direct", "1",
                       "--depth", "16", "--warmup", "0", "--runtime", "2"])["metrics"]
        workers_s = kworker_cpu_s() - workers_before
    finally:
        if device:
            subprocess.run(["losetup", "--detach", device], check=False)
        if os.path.exists(image):
            os.remove(image)
    elsewhere_s = (cpu["cpu"]["other_util_pct"] - lab.idle_pct) / 100 * cpu["elapsed_s"]
    error_s = cpu["cpu"]["host_error_s"] + lab.idle_error_pct / 100 * cpu["elapsed_s"]
    return {
        "name": name, "passed": elsewhere_s >= workers_s - error_s and workers_s > 0.05,
        "promise": promise,
        "finding": f"while reads of a loop device kept kworkers busy for {workers_s:.2f} s, iolab "
                   f"showed {elsewhere_s:.2f} s outside of its process, beyond what the idle host uses (interrupts, "
                   "too)"}


def kworker_cpu_s():
    """CPU time of all kernel threads named kworker, by the scheduler's account of each."""
    total_ns = 0
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                if not file.read().startswith("kworker"):
                    continue
            with open(f"/proc/{pid}/schedstat", encoding="utf-8") as file:
                total_ns += int(file.read().split()[0])
        except (OSError, IndexError, ValueError):
            continue  # it has ended, or the kernel keeps no such account
    return total_ns / 1e9


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
    """iolab and fio read random blocks at the same rate."""
    needs("fio")
    words = lab.on_file("blocking", "--direct", "1", "--rate", str(FIO_RATE), "--runtime", "3")
    ours = lab.run(words)["metrics"]["ops_per_s"]
    done = children.run(
        ["fio", "--name=trust", f"--filename={lab.file}", f"--size={FILE_SIZE}", "--rw=randread", "--bs=4k",
         "--direct=1", "--ioengine=psync", f"--rate_iops={FIO_RATE}", "--time_based", "--runtime=3",
         "--output-format=json"], LIMIT_S)
    if done.returncode != 0:
        raise RuntimeError(f"fio: {done.stderr.strip()[:200]}")
    theirs = json.loads(done.stdout[done.stdout.index("{"):])["jobs"][0]["read"]["iops"]
    yield {
        "name": "fio", "passed": abs(ours / theirs - 1) <= FIO_ERROR,
        "promise": f"the same throughput within {100 * FIO_ERROR:g} %",
        "finding": f"of {FIO_RATE} blocks a second that were due iolab read {ours:.1f}, fio "
                   f"{theirs:.1f}"}


def checks(lab, trials):
    yield "comparisons", lambda: check_comparisons(lab, trials)
    yield "latency", lambda: check_delay(lab)
    yield "system-calls", lambda: check_system_calls(lab)
    yield "cpu", lambda: check_cpu(lab)
    yield "device", lambda: check_device(lab)
    yield "fio", lambda: check_fio(lab)


def entries_of(name, check):
    """What a check found. One that cannot be run has failed: nothing may pass by not being tried."""
    try:
        yield from check()
    except Skipped as reason:
        yield {"name": name, "passed": None, "promise": "", "finding": f"not tried: {reason}"}
    except Exception as error:  # whatever it is, the other checks go on
        yield {"name": name, "passed": False, "promise": "",
               "finding": f"could not be run: {type(error).__name__}: {error}"}


def write(path, document):
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    whole_file.write(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def main():
    names = [name for name, _ in checks(None, 0)]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--iolab", default="build/trust/iolab",
                        help="the program with the engine trust (default: %(default)s)")
    parser.add_argument("--trials", type=int, default=FEWEST_TRIALS,
                        help="comparisons of equal engines (default: %(default)s; fewer give no verdict)")
    parser.add_argument("--out", default="results/trust.json",
                        help="file for the result (default: %(default)s)")
    parser.add_argument("--only", nargs="*", choices=names, help="run only these checks")
    options = parser.parse_args()

    begun = time.time()
    found = []
    with tempfile.TemporaryDirectory(prefix="iolab-trust-", dir="/var/tmp") as folder:
        lab = Lab(options.iolab, folder)
        idle = lab.idle_baseline()
        print(f"Before it, others used {idle['busy_pct']:.0f} % of a CPU"
              + ("; where a check fails, try again on a quiet machine."
                 if idle["busy_pct"] > BUSY_PCT else "."), flush=True)
        document = {"schema": "iolab.trust.v1",
                    "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun)),
                    "took_s": 0, "env": lab.env, "idle_baseline": idle, "checks": found}
        for name, check in checks(lab, options.trials):
            if options.only and name not in options.only:
                continue
            for entry in entries_of(name, check):
                mark = {True: "ok", False: "FAILED", None: "no verdict"}[entry["passed"]]
                print(f"{mark:12}{entry['name']}: {entry['finding']}", flush=True)
                found.append(entry)
            document["took_s"] = round(time.time() - begun, 1)
            write(options.out, document)
    print(f"Written to {options.out}, in {document['took_s']:.0f} s.")
    sys.exit(any(entry["passed"] is False for entry in found))


if __name__ == "__main__":
    children.main("check-trust", main)
