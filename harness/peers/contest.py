# SPDX-License-Identifier: MIT
"""A contest: iolab and its peers do the same, in interleaved rounds in random order. Who is ahead, and how
sure is that?"""
import argparse
import contextlib
import json
import math
import os
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

from contenders import ROOT, BenchError, children, environment
import progress_line
from readings import whole_file

LEVEL = 0.95  # the least that an interval's lower end may be, for two to be called level
# A case that is open after the first rounds is looked at once more, after all: two chances to err,
# so each interval may err half as often.
CONFIDENCE, CONFIDENCE_OF_TWO = 0.95, 0.975
BARE = "bare loop"


@dataclass
class Contender:
    name: str
    measure: callable  # () -> {"ops_per_s", "cpu_us_per_op" or None, "host_us_per_op" or None}
    values: list = field(default_factory=list)  # one a round; empty where the run failed
    failures: list = field(default_factory=list)  # what was said then

    def column(self, metric):
        return [v.get(metric) for v in self.values]

    def run(self):
        try:
            value = self.measure()
            self.failures += value.pop("failures", [])
            self.values.append(value)
        except BenchError as error:
            self.values.append({})
            self.failures.append(str(error))


@dataclass
class Goal:
    """`ours` over the peer (or, for CPU, the other way round): is it at least that much?"""

    peer: str
    metric: str
    least: float
    level: bool = False  # judged by the interval's lower end, not by the median


@dataclass
class Case:
    title: str
    ours: Contender
    peers: list
    goals: list
    prepare: callable = None  # before every run
    confidence: float = CONFIDENCE

    @property
    def contenders(self):
        return [self.ours, *self.peers]


def run_rounds(cases, rounds, most_rounds, dice, keep):
    """Calls `keep` after each round, so that a run that dies loses one round at most."""
    if most_rounds > rounds:
        for case in cases:
            case.confidence = CONFIDENCE_OF_TWO
    for number in range(max(rounds, most_rounds)):
        if number == rounds:
            cases = [case for case in cases if any(undecided(case, goal) for goal in case.goals)]
        for case in dice.sample(cases, len(cases)):
            progress_line.show(f"round {number + 1} of {rounds if number < rounds else most_rounds}: {case.title}")
            for contender in dice.sample(case.contenders, len(case.contenders)):
                if case.prepare:
                    case.prepare()
                contender.run()
        keep()
    progress_line.show("")


def order_interval(values, confidence=CONFIDENCE):
    """Median and an interval from order statistics; nothing assumed but independent rounds."""
    values = sorted(values)
    n = len(values)
    rank = 0
    while rank + 1 < n / 2:
        outside = 2 * sum(math.comb(n, i) for i in range(rank + 2)) / 2**n
        if outside > 1 - confidence:
            break
        rank += 1
    return statistics.median(values), values[rank], values[n - 1 - rank]


def held_by(count, confidence):
    """What order_interval() of so few values holds at most: all of them lie above the median, or below it, with
    a probability of 2 to the power of 1 - count."""
    return min(confidence, max(0, 1 - 2.0 ** (1 - count)))


def ratios(case, peer, metric):
    """Round by round, such that above 1 is in our favour."""
    pairs = zip(case.ours.column(metric), peer.column(metric))
    return [o / p if metric == "ops_per_s" else p / o for o, p in pairs if o and p]


METRICS = {"ops_per_s": "throughput", "host_us_per_op": "CPU of the system",
           "cpu_us_per_op": "CPU of the server"}


def judge(case, goal):
    peer = next(p for p in case.peers if p.name == goal.peer)
    values = ratios(case, peer, goal.metric)
    if not values:
        return {"case": case.title, "peer": goal.peer, "metric": METRICS[goal.metric],
                "median": math.nan, "low": math.nan, "high": math.nan, "rounds": 0,
                "goal": str(goal.least), "reached": False, "verdict": "no round has both"}
    median, low, high = order_interval(values, case.confidence)
    reached = (low if goal.level else median) >= goal.least
    want = "level (low end 0.95)" if goal.level else f"at least {goal.least:.2f}"
    said = "reached" if reached else "cannot tell" if undecided(case, goal) else "NOT REACHED"
    if reached and low < goal.least:
        said += ", but the interval spans it"
    # Where the call alone, with nothing around it, does not get there either, iolab is not to blame.
    bare = next((p for p in case.peers if p.name == BARE), None)
    if not reached and bare and goal.peer != BARE:
        of_bare = ratios(Case("", bare, [peer], []), peer, goal.metric)
        beside = ratios(case, bare, goal.metric)
        if of_bare and beside and statistics.median(beside) >= LEVEL:
            if (least := statistics.median(of_bare)) < goal.least:
                said = f"out of reach here: the bare loop has {least:.2f}"
    return {"case": case.title, "peer": goal.peer, "metric": METRICS[goal.metric], "median": median,
            "low": low, "high": high, "rounds": len(values), "goal": want, "reached": reached,
            "verdict": said}


def undecided(case, goal):
    """More rounds could tell: the interval spans the goal."""
    peer = next(p for p in case.peers if p.name == goal.peer)
    values = ratios(case, peer, goal.metric)
    if not goal.level or not values:
        return False
    _, low, high = order_interval(values, CONFIDENCE_OF_TWO)
    return low < goal.least <= high


def report(cases, rounds):
    print(f"\nMedians of {rounds} or more interleaved rounds in random order.\n")
    print(f"{'':44}{'ops/s':>10}{'spread':>14}{'CPU us/op':>11}{'system':>9}\n"
          f"{'(echo: the CPU of the client instead of the system)':78}")
    for case in cases:
        print(case.title)
        for contender in case.contenders:
            rates = [rate for rate in contender.column("ops_per_s") if rate]
            if not rates:
                print(f"  {contender.name:42}{'failed: ' + contender.failures[0] if contender.failures else 'not run'}")
                continue
            median, low, high = order_interval(rates)
            columns = [[value for value in contender.column(metric) if value is not None]
                       for metric in ("cpu_us_per_op", "host_us_per_op")]
            cells = [f"{statistics.median(column):.2f}" if column else "-" for column in columns]
            clients = [value for value in contender.column("peer_util_pct") if value is not None]
            if clients:
                cells[1] = f"{statistics.median(clients):.0f} %"
            spread = f"{100 * low / median - 100:+.0f} {100 * high / median - 100:+.0f} %"
            print(f"  {contender.name:42}{median:10.0f}{spread:>14}{cells[0]:>11}{cells[1]:>9}")
            if contender.failures:
                print(f"    {len(contender.failures)} of {len(contender.values)} runs went wrong, first: "
                      f"{contender.failures[0].rpartition(': ')[2]}")
    verdicts = [judge(case, goal) for case in cases for goal in case.goals]
    fewest = min((v["rounds"] for v in verdicts), default=0)
    print(f"\nRatios, above 1 in iolab's favour: the median over the rounds, and its interval "
          f"({100 * held_by(fewest, cases[0].confidence):.3g} %)\n"
          f"{'':46}{'peer':18}{'of':20}{'ratio':>7}   {'interval':23}goal")
    for v in verdicts:
        print(f"{v['case']:46}{v['peer']:18}{v['metric']:20}{v['median']:7.2f}   "
              f"{v['low']:.2f}-{v['high']:<7.2f}{v['rounds']:3} rounds   {v['goal']}: {v['verdict']}")
    return verdicts


def options_of_rounds(description):
    """A parser of the options that every script of this folder has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each case, at least (default: 10)")
    parser.add_argument("--most-rounds", type=int, default=30,
                        help="a case without an answer goes on up to this many rounds (default: 30)")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT",
                        help="only cases with TEXT in their titles; may be repeated")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1000000,
                        help="seed of the order of runs (default: from the clock; recorded)")
    parser.add_argument("--out", help="file for the raw values, JSON (default: in results/)")
    return parser


def parsed(parser):
    options = parser.parse_args()
    options.cpus = sorted(os.sched_getaffinity(0))
    options.cpu = options.cpus[-1]
    return options


def write(out, cases, o, verdicts=None):
    """The raw values, whole or not at all."""
    raw = [{"case": case.title, "contender": contender.name, "values": contender.values,
            "failures": contender.failures} for case in cases for contender in case.contenders]
    whole_file.write(out, json.dumps({"command": sys.argv, "seed": o.seed, "rounds": o.rounds,
                                      "most_rounds": o.most_rounds, "env": o.env,
                                      "verdicts": verdicts, "raw": raw}, indent=1))


def measure(o, out, choose_cases):
    """Returns the cases, and whether a signal ended the rounds early."""
    with contextlib.ExitStack() as stack:
        cases = [case for case in choose_cases(o, stack)
                 if not o.only or any(text in case.title for text in o.only)]
        if not cases:
            raise BenchError(f"no case has {' or '.join(o.only)} in its title")
        try:
            run_rounds(cases, o.rounds, o.most_rounds, random.Random(o.seed),
                       lambda: write(out, cases, o))
        except KeyboardInterrupt:
            return cases, True
    return cases, False


def measure_and_report(program, prefix, o, choose_cases, versions, also=None):
    """`also(cases)` prints what the table of ratios does not show."""
    out = o.out or os.path.join(ROOT, "results",
                                time.strftime(f"{prefix}-%Y%m%dT%H%M%SZ.json", time.gmtime()))
    os.makedirs(os.path.dirname(os.path.abspath(out)), exist_ok=True)
    try:
        o.env = {**environment(), **versions()}
        cases, stopped = measure(o, out, choose_cases)
    except (BenchError, subprocess.CalledProcessError) as error:
        sys.exit(f"{program}: {error}")
    if stopped:
        print(f"{program}: stopped early; this is what was measured until then")
    verdicts = report(cases, o.rounds)
    if also:
        also(cases)
    write(out, cases, o, verdicts)
    print(f"\nRaw values: {os.path.relpath(out)}")
    if stopped:
        sys.exit(children.INTERRUPTED)
