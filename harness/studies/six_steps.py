#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows the system calls of one operation through each interface, with their times.

Runs each engine under strace, with a trace of its operations by the driver's clock, and writes the
calls of one operation to steps.json. strace stops a thread at each call: the order is right, and the
times are too long.

Each call gets the numbers of its steps. docs/measurement.md defines the six, for completion and
readiness alike.
"""
import argparse
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "harness", "processes"), os.path.join(ROOT, "plots")]
import children  # noqa: E402
from readings import remarks, whole_file  # noqa: E402
IOLAB = os.environ.get("IOLAB", os.path.join(ROOT, "build", "iolab"))
# On a file where the interface can; the others take a message from a socket.
FILE_ENGINES = ("blocking", "threads", "posix_aio", "libaio", "io_uring")
SOCKET_ENGINES = ("poll", "epoll")
# Large reads, so that strace does not take longer than the device.
ON_FILE = ("--direct", "1", "--size", "16M", "--bs", "512k", "--depth", "1")
ON_SOCKET = ("--workload", "echo", "--conns", "1", "--transport", "unix")
WINDOW = ("--runtime", "0.4", "--warmup", "0.05", "--trace-us", "100000")
LIMIT_S = 60
CLONE_THREAD = 0x10000
# What answers with a number of events: 0 is none. All other waits answer 0 when they end well.
COUNTS_EVENTS = ("poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_pwait2", "io_getevents",
                 "io_pgetevents")
# What is handed over and waited for in one call, when the loop's thread makes it first of all.
ASKS_AND_WAITS = ("io_uring_enter", "poll", "ppoll")
# The calls that do the I/O itself, in the loop's thread or in a helper.
DOES_IO = ("pread64", "pwrite64", "read", "write", "recvfrom", "sendto", "fsync", "fdatasync")
# strace writes the time at which it saw the call, a little after the call began.
SLACK_NS = 1000

LINE = re.compile(r"(?P<tid>\d+)\s+(?P<time>\d+\.\d+) (?P<rest>.*)")
CALL = re.compile(r"(?P<name>\w+)\((?P<args>.*)\)\s+= (?P<result>.*) <(?P<took>[\d.]+)>")
UNFINISHED = re.compile(r"(?P<name>\w+)\((?P<args>.*) <unfinished \.\.\.>")
RESUMED = re.compile(r"<\.\.\. (?P<name>\w+) resumed>.*= (?P<result>.*) <(?P<took>[\d.]+)>")


class TraceError(Exception):
    """Why there is no trace, and with which status the lane says so."""

    def __init__(self, status, reason):
        super().__init__(str(reason))
        self.status, self.reason = status, reason


def nanoseconds(text):
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int((fraction + "0" * 9)[:9])


def parse(lines):
    """Every finished call as (thread, name, arguments, begin, end, result), and the main thread."""
    calls, begun, main = [], {}, None
    for line in lines:
        found = LINE.match(line)
        if not found:
            continue
        tid, at, rest = int(found["tid"]), nanoseconds(found["time"]), found["rest"]
        main = main or tid
        if resumed := RESUMED.match(rest):
            name, args, begin = begun.pop(tid, (resumed["name"], "", at))
            calls.append((tid, name, args, begin, begin + nanoseconds(resumed["took"]),
                          resumed["result"]))
        elif call := CALL.match(rest):
            calls.append((tid, call["name"], call["args"], at, at + nanoseconds(call["took"]),
                          call["result"]))
        elif unfinished := UNFINISHED.match(rest):
            begun[tid] = (unfinished["name"], unfinished["args"], at)
    return calls, main


def other_processes(calls):
    """Children that are no threads: the peer of echo. glibc forks with clone(2)."""
    return {int(result.split()[0], 0) for _, name, args, _, _, result in calls
            if name in ("clone", "fork", "vfork") and result[0].isdigit()
            and not (name == "clone" and int(args.split(", ")[0], 0) & CLONE_THREAD)}


def run_traced(words):
    """The run's result, its calls, and the offset of strace's clock to the driver's."""
    with tempfile.NamedTemporaryFile("r", prefix="iolab-strace-") as file:
        command = ["strace", "-f", "-q", "--absolute-timestamps=format:unix,precision:ns",
                   "--syscall-times=ns", "-e", "raw=all", "-e", "signal=none", "-o", file.name,
                   IOLAB, "run", *words, "--json"]
        offset_ns = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()
        try:
            done = children.run(command, limit_s=LIMIT_S)
        except subprocess.TimeoutExpired:
            raise TraceError("error", remarks.Remark("hung", "hung: killed after {limit_s} s", {"limit_s": LIMIT_S})) from None
        try:
            result = json.loads(done.stdout)
        except ValueError:
            said = done.stderr.strip().splitlines()
            reason = (remarks.Remark("command_failed", "{said}", {"said": said[0]}) if said else
                      remarks.Remark("no_result", "ended with status {exit_status} and no result",
                                     {"exit_status": done.returncode}))
            raise TraceError("error", reason) from None
        if result["status"] != "ok":
            raise TraceError(result["status"], remarks.read(result["reason"]))
        return result, *parse(file.readlines()), offset_ns


def calls_of(operation, trace, calls, main, offset_ns):
    """The calls that touch one operation, its times and theirs from the moment it was offered."""
    _, offered, accepted, completed = operation
    zero = trace["begin_ns"] + offered + offset_ns
    accepted, completed = accepted - offered, completed - offered
    threads = [main]
    found = []
    for tid, name, _, begin, end, result in calls:
        begin, end = begin - zero, end - zero
        if begin > completed or end < -SLACK_NS:
            continue
        if tid == main and begin < -SLACK_NS:
            continue  # the call before this operation
        if tid not in threads:
            threads.append(tid)
        found.append({"thread": threads.index(tid), "name": name, "begin_ns": begin,
                      "end_ns": end, "result": result})
    return accepted, completed, found


def went_well(call):
    """Did it bring what it waited for?"""
    number = call["result"].split()[0]
    try:
        value = int(number, 0)
    except ValueError:
        return False
    return value > 0 if call["name"] in COUNTS_EVENTS else value >= 0


def event_of(accepted_ns, completed_ns, calls):
    """The call whose return told the loop's thread, and when; (None, when) where it made no call."""
    own = [call for call in calls if call["thread"] == 0]
    waits = [call for call in own if call["begin_ns"] >= accepted_ns]
    # With helpers it cannot be told before their own call has brought the result.
    done_ns = min((call["end_ns"] for call in calls
                   if call["thread"] != 0 and call["name"] in DOES_IO), default=0)
    told = next((call for call in waits if went_well(call) and call["end_ns"] >= done_ns), None)
    if told is None and not waits and own and not done_ns and own[-1]["name"] in DOES_IO:
        told = own[-1]  # it was done within the call that asked
    return told, told["end_ns"] if told else completed_ns


def number_calls(accepted_ns, completed_ns, calls):
    """Gives each call its `steps`, and returns when the loop's thread was told. A call without steps
    happened meanwhile and belongs to no operation: a helper that goes back to sleep."""
    told, event_ns = event_of(accepted_ns, completed_ns, calls)
    first = next((call for call in calls if call["thread"] == 0), None)
    io_begin_ns = {}
    for call in calls:
        if call["thread"] != 0 and call["name"] in DOES_IO:
            io_begin_ns.setdefault(call["thread"], call["begin_ns"])
    for call in calls:
        if call["thread"] != 0:
            io_ns = io_begin_ns.get(call["thread"])
            call["steps"] = ([] if io_ns is None or call["begin_ns"] >= event_ns else
                             [2] if call["begin_ns"] < io_ns else
                             [3] if call["name"] in DOES_IO else [5])
        elif call["begin_ns"] < accepted_ns:
            # A call that does the I/O itself is in the kernel's care until it comes back with it.
            call["steps"] = [1, 3, 5] if call is told else [1]
        elif told and call["begin_ns"] > told["begin_ns"] or told is None and call["begin_ns"] >= event_ns:
            call["steps"] = [6]
        else:
            asks = call is first and call["name"] in ASKS_AND_WAITS
            call["steps"] = [1] * asks + [4] + [5] * (call is told)
    return event_ns


def asked_before(calls, main):
    """The call by which the loop's thread asked once for all operations; None where it did not."""
    return next((name for tid, name, args, *_ in calls if tid == main and name == "epoll_ctl"), None)


def loop_calls(candidates):
    """How many operations took how many calls of the loop's thread, as {"1": 480, "2": 3}."""
    counts = collections.Counter(sum(call["thread"] == 0 for call in found)
                                 for _, _, found in candidates)
    return {str(number): counts[number] for number in sorted(counts)}


def typical(result, calls, main, offset_ns):
    """Of the operations in the trace, the one whose length is the median of those with a call, and
    how many calls each took."""
    trace = result["trace"]
    others = other_processes(calls)
    calls = sorted((call for call in calls if call[0] not in others), key=lambda call: call[3])
    candidates = [calls_of(op, trace, calls, main, offset_ns) for op in trace["operations"]
                  if op[1] >= 0 and op[3] <= trace["length_ns"]]
    waiting = ("recvfrom", "recv", "pread64", "io_submit", "io_uring_enter")
    candidates = [c for c in candidates if any(call["name"] in waiting for call in c[2])]
    if not candidates:
        raise TraceError("error", remarks.Remark("no_call_seen", "strace saw no call of an operation"))
    candidates.sort(key=lambda c: c[1])
    return candidates[len(candidates) // 2], loop_calls(candidates)


def lane(engine, on_file, extra):
    found = {"engine": {"label": engine}, "what": "512 KiB read of a file, O_DIRECT" if on_file
             else "message from a socket", "status": "ok", "reason": None, "accepted_ns": None,
             "event_ns": None, "completed_ns": None, "asked_before": None, "loop_calls": {},
             "calls": []}
    env = None
    try:
        words = ["--engine", engine, *(ON_FILE if on_file else ON_SOCKET), *WINDOW,
                 *(extra if on_file else ())]
        result, calls, main, offset_ns = run_traced(words)
        env = result["env"]
        (accepted, completed, own), counts = typical(result, calls, main, offset_ns)
        found.update(accepted_ns=accepted, completed_ns=completed, calls=own, loop_calls=counts,
                     asked_before=asked_before(calls, main),
                     event_ns=number_calls(accepted, completed, own))
    except TraceError as error:
        found.update(status=error.status, reason=remarks.written(error.reason))
    return found, env


def tracer():
    """strace's version, or a reason why it cannot be used."""
    if not shutil.which("strace"):
        sys.exit("six_steps.py: strace is not installed; harness/setup.sh check installs it")
    probe = subprocess.run(["strace", "-qqq", "-o", "/dev/null", "true"], capture_output=True,
                           text=True, check=False)
    if probe.returncode:
        words = (probe.stderr or "it failed").strip().splitlines()[-1]
        sys.exit(f"six_steps.py: strace cannot trace here: {words}")
    return subprocess.run(["strace", "--version"], capture_output=True, text=True,
                          check=True).stdout.splitlines()[0].replace(" -- version ", " ")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="results folder, for the file steps.json")
    parser.add_argument("--engines", help="engines, separated by commas (default: the labs')")
    parser.add_argument("--file", help="test file (default: iolab run's)")
    options = parser.parse_args()
    version = tracer()
    engines = options.engines.split(",") if options.engines else FILE_ENGINES + SOCKET_ENGINES
    lanes, env = [], None
    for engine in engines:
        on_file = engine.split(":")[0] not in SOCKET_ENGINES
        found, of = lane(engine, on_file, ["--file", options.file] if options.file else [])
        lanes.append(found)
        env = env if env and env["device"] else of or env
        print(f"{engine}: " + (str(remarks.read(found["reason"])) if found["reason"] else " ".join(
            ",".join(map(str, call["steps"])) + ":" + call["name"] for call in found["calls"])))
    document = {"schema": "iolab.steps.v2",
                "time_utc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "command": ["harness/studies/six_steps.py", *sys.argv[1:]], "env": env, "tracer": version,
                "lanes": lanes}
    os.makedirs(options.folder, exist_ok=True)
    print(whole_file.write(os.path.join(options.folder, "steps.json"),
                           json.dumps(document, indent=1) + "\n"))


if __name__ == "__main__":
    children.main("six_steps.py", main)
