#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""judged.py FOLDER: are verdicts computed from the data by the rule that is written beside them?"""
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from types import SimpleNamespace

from drawing import sheet, verdict_words, words
from figures import (batching, block_size, connections, cpu_shares, depth_curve, depth_one,
                     depth_syscalls, durability, each_option, hardware_counters, idle_descriptors,
                     latency_distribution, loop_lateness, matrix, offered_load, operator,
                     operator_timeline, overlap, registry, responsiveness,
                     staircase, steps, styles, threads_cores, timeline, upcall)
from pages import cpu_account, provenance
from readings import first_version, foreign_load, remarks, results, verdicts
from readings.documents import Document, with_remarks
from readings.estimates import Estimate

failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


class Made:
    """A study whose numbers are made up: (label, x), (label, metric) or (comparison, label) ->
    median, each plus and minus `spread`."""

    rounds = 5
    limited = False

    def __init__(self, spread, **numbers):
        self.spread = spread
        self.numbers = numbers
        self.summaries = numbers.pop("summaries", {})

    def metric(self, name, label, key, x=None):
        value = (self.numbers.get(f"{label}_{x}" if x else f"{name}_{label}")
                 or self.numbers.get(f"{label}_{key}"))
        return value and Estimate(value, value * (1 - self.spread), value * (1 + self.spread))

    def at(self, name, label, x=None):
        calls = self.numbers.get(f"{label}_{x}")
        return SimpleNamespace(ok=True, stall_ms=100, syscalls_per_op=calls, syscalls_spread=None,
                               syscalls_reason=remarks.read(self.numbers.get("reason")))

    def peer_limited(self, name, x):
        return self.limited

    def ratio(self, name, label, key, x=None):
        value = self.numbers.get(f"ratio_{label}")
        return value and verdicts.Quotient(value, value * (1 - self.spread), value * (1 + self.spread))

    def panel(self, name):
        return SimpleNamespace(labels=["io_uring"], configurations=[
            self.at(name, *key.split("_1")[:1], 1) for key in self.numbers if key.endswith("_1")])


def because_of(module, study):
    """The words behind a verdict."""
    return verdict_words.because(module.FIGURE.judge(study))


def check_made(module, verdict, study):
    found = module.FIGURE.judge(study)
    expect(found.id == verdict, f"{module.FIGURE.name}: {verdict_words.words(found)}, not {verdict}")
    expect(verdict_words.because(found), f"{module.FIGURE.name}: no reason")


def check_rules():
    """Each rule with numbers that fulfil it, that break it, and that are too vague."""
    yes, no, open_ = verdicts.REPRODUCED, verdicts.CONTRADICTED, verdicts.CANNOT_TELL
    flat = {"epoll_10": 5, "epoll_4000": 6}
    linear = {"poll_10": 5, "poll_1000": 130, "poll_4000": 505}
    check_made(idle_descriptors, yes, Made(0.05, **linear, **flat))
    check_made(idle_descriptors, no, Made(0.05, **{**linear, "poll_4000": 160}, **flat))
    check_made(idle_descriptors, no, Made(0.05, **linear, epoll_10=5, epoll_4000=700))
    check_made(idle_descriptors, open_, Made(0.05, **linear, epoll_10=5, epoll_4000=300))
    check_made(idle_descriptors, open_, Made(0.4, **linear, **flat))
    check_made(idle_descriptors, open_, Made(0.05, **{**linear, "poll_1000": 5}, **flat))
    check_made(idle_descriptors, open_, Made(0.05, **linear))
    check_made(batching, yes, Made(0.02, io_uring_1=600, io_uring_128=80, io_uring_4096=84))
    check_made(batching, no, Made(0.02, io_uring_1=60, io_uring_128=80, io_uring_4096=84))
    check_made(batching, no, Made(0.02, io_uring_1=600, io_uring_128=80, io_uring_4096=160))
    # Less than the source's number, and more than nothing.
    check_made(batching, open_, Made(0.02, io_uring_1=90, io_uring_128=80, io_uring_4096=84))
    check_made(batching, open_, Made(0.3, io_uring_1=400, io_uring_128=80, io_uring_4096=84))
    check_made(depth_one, yes, Made(0.05, ratio_libaio=1.05, ratio_io_uring=1.1))
    check_made(depth_one, no, Made(0.05, ratio_libaio=1.05, ratio_io_uring=2))
    check_made(depth_one, open_, Made(0.3, ratio_libaio=1.05, ratio_io_uring=1.1))
    check_made(staircase, yes, Made(0.05, ratio_io_uring=1.05, depth_one_io_uring=10,
                                    staircase_one_by_one_io_uring=80))
    check_made(staircase, no, Made(0.05, ratio_io_uring=1.05, depth_one_io_uring=10,
                                   staircase_one_by_one_io_uring=11))
    polling = {"io_uring:sqpoll_cpu.util_pct": 100}
    check_made(staircase, open_, Made(0.05, ratio_io_uring=1.05, depth_one_io_uring=10,
                                      staircase_one_by_one_io_uring=30))
    check_made(cpu_shares, yes, Made(0.05, **{"ratio_io_uring:sqpoll": 3, **polling}))
    check_made(cpu_shares, no, Made(0.05, **{"ratio_io_uring:sqpoll": 1, **polling}))
    check_made(cpu_shares, no, Made(0.05, **{"ratio_io_uring:sqpoll": 3,
                                             "io_uring:sqpoll_cpu.util_pct": 40}))
    check_made(staircase, open_, Made(0.5, ratio_io_uring=1.05, depth_one_io_uring=10,
                                      staircase_one_by_one_io_uring=30))
    for verdict, spread, dearer in ((yes, 0.01, 0.93), (no, 0.01, 1.02), (open_, 0.015, 0.98)):
        check_made(each_option, verdict, Made(spread, **{f"ratio_{each_option.MULTISHOT}": dearer}))
    check_made(cpu_shares, open_, Made(0.3, **{"ratio_io_uring:sqpoll": 1.6, **polling}))
    check_block_sizes()
    check_durability()
    check_made(depth_curve, yes, Made(0.05, ratio_io_uring=1.2, io_uring_1=10, io_uring_128=100))
    check_made(depth_curve, no, Made(0.05, ratio_io_uring=0.9, io_uring_1=10, io_uring_128=100))
    check_made(depth_curve, no, Made(0.05, ratio_io_uring=1.2, io_uring_1=10, io_uring_128=10))
    check_made(depth_curve, open_, Made(0.01, ratio_io_uring=1.05, io_uring_1=10, io_uring_128=100))
    check_made(depth_curve, open_, Made(0.2, ratio_io_uring=1.1, io_uring_1=10, io_uring_128=100))
    check_made(depth_syscalls, yes, Made(0, io_uring_1=1, io_uring_128=0.02, libaio_1=2))
    check_made(depth_syscalls, open_, Made(0, io_uring_1=1, io_uring_128=0.1, libaio_1=2))
    check_made(depth_syscalls, open_, Made(0, io_uring_1=1, io_uring_128=0.5, libaio_1=2))
    check_made(depth_syscalls, no, Made(0, io_uring_1=1, io_uring_128=1, libaio_1=2))
    check_made(depth_syscalls, open_, Made(0, io_uring_1=1.7, io_uring_128=0.02, libaio_1=2))
    check_made(depth_syscalls, no, Made(0, io_uring_1=2, io_uring_128=0.02, libaio_1=2))
    check_made(depth_syscalls, open_, Made(0, io_uring_1=None, reason={"id": "refused", "text": "EACCES"}))
    check_made(connections, yes, Made(0.05, ratio_io_uring=1.1))
    check_made(connections, no, Made(0.05, ratio_io_uring=1.6))
    check_made(connections, open_, Made(0.05, ratio_io_uring=1.25))
    check_made(connections, open_, Made(0.05))
    for limited, words in ((False, "requests a second"), (True, "CPU time for a request")):
        study = Made(0.05, ratio_io_uring=1.1)
        study.limited = limited
        because = because_of(connections, study)
        expect(words in because, f"connections: judged by something else: {because}")
    polled = "io_uring:sqpoll_shared"
    both = {"cores_1": None, "cores_2": None}
    check_cores(yes, Made(0.05, **{f"ratio_{polled}": 0.01}, summaries=both), {1: 10, 2: 900})
    check_cores(no, Made(0.05, **{f"ratio_{polled}": 1.2}, summaries=both), {1: 10, 2: 900})
    check_cores(no, Made(0.05, **{f"ratio_{polled}": 0.01}, summaries=both), {1: 10, 2: 9})
    check_cores(open_, Made(0.05, **{f"ratio_{polled}": 0.01}, summaries=both), {1: 10, 2: 30})
    # A weaker effect than the source's, with the reason why no other is to be expected.
    because = check_cores(open_, Made(0.05, **{f"ratio_{polled}": 0.5}, summaries=both), {1: 10, 2: 900})
    expect(threads_cores.TAKES_TURNS in because, f"threads_cores: does not say why: {because}")
    expect(threads_cores.TAKES_TURNS in threads_cores.FIGURE.claim.rule, "threads_cores: not in the rule")
    because = check_cores(open_, Made(0.05, **{f"ratio_{polled}": 0.01}, summaries={"cores_1": None}),
                          {1: 10})
    expect(threads_cores.TAKES_TURNS not in because, f"threads_cores: a reason that it is not: {because}")
    due, begun = "io_uring_latency_ns.p99", "io_uring_latency_uncorrected_ns.p99"
    check_made(offered_load, yes, Made(0.1, **{due: 90e6, begun: 0.3e6}))
    check_made(offered_load, open_, Made(0.1, **{due: 90e6, begun: 2e6}))
    check_made(offered_load, no, Made(0.1, **{due: 90e6, begun: 80e6}))
    check_made(offered_load, open_, Made(0.5, **{due: 90e6, begun: 8e6}))
    check_made(offered_load, open_, Made(0.1, **{due: 90e6}))
    check_documents()
    once = Made(0, ratio_libaio=1, ratio_io_uring=1)
    once.rounds = 4
    check_made(depth_one, open_, once)


def made_comparison(ratios, workload="file", xs=(1,), baseline="blocking", direct=True):
    """A summary whose one panel has libaio and io_uring with these ratios: label -> (p50, p99)."""
    configurations = {}
    for label, values in ratios.items():
        by_key = dict(zip(("latency_ns.p50", "latency_ns.p99"), values))
        configurations[label] = SimpleNamespace(
            workload={"name": workload, "direct": direct}, baseline=baseline, ratio=lambda key, by_key=by_key:
            results.Ratio(by_key[key], 0.97 * by_key[key], 1.03 * by_key[key], "", 5))
    panel = SimpleNamespace(name="made", x_name="depth", xs=xs, configurations=list(
        configurations.values()), at=lambda label, x: configurations.get(label))
    return SimpleNamespace(rounds=5, panels=[panel])


def check_distribution():
    """Judged from the comparison itself."""
    yes, no, open_ = verdicts.REPRODUCED, verdicts.CONTRADICTED, verdicts.CANNOT_TELL
    near = {"libaio": (1.05, 1.1), "io_uring": (1, 0.95)}
    check_made(latency_distribution, yes, made_comparison(near))
    check_made(latency_distribution, no, made_comparison({**near, "io_uring": (1, 2)}))
    check_made(latency_distribution, open_, made_comparison({**near, "io_uring": (1.25, 1)}))
    check_made(latency_distribution, open_, made_comparison({"libaio": (1, 1)}))
    check_made(latency_distribution, open_, made_comparison(near, baseline="threads"))
    check_made(latency_distribution, open_, made_comparison(near, workload="echo", direct=None))
    check_made(latency_distribution, open_, made_comparison(near, direct=False))
    check_made(latency_distribution, open_, made_comparison(near, xs=(16,)))


def check_load():
    """Beside too much that others do nothing is concluded, and the verdict says why."""
    # 21 % of a CPU is more than a tenth of two, and less so when less its error.
    for busy_pct, too_much, noted in ((5, False, False), (11, False, False), (18, False, True),
                                      (21, False, True), (60, True, True)):
        study = Made(0.05, ratio_libaio=1.05, ratio_io_uring=1.1)
        study.load = foreign_load.ForeignLoad(busy_pct, 2, 2)
        check_made(depth_one, verdicts.CANNOT_TELL if too_much else verdicts.REPRODUCED, study)
        because = because_of(depth_one, study)
        expect(("other programs used 30 % of the CPUs" in because) == too_much, because)
        expect((verdict_words.LESS_ERROR in because) == too_much, f"not the rule: {because}")
        expect((f"measured beside {busy_pct} % foreign load" in words.load_words(study.load)) == noted,
               f"{busy_pct} %: {words.load_words(study.load)}")


def check_load_words():
    """What is printed is what is computed: both limits are held against what others used, less its
    error."""
    summary = SimpleNamespace(idle_baseline={"busy_pct": 21, "error_pct": 2})
    said = {"the report": provenance.idle_words(summary), "the handbook": handbook()}
    for where, words in said.items():
        expect(words.count(verdict_words.LESS_ERROR) == 2, f"{where} tells another rule than the one computed")


def check_stand_in(folder):
    """A ratio to another engine than the one that a claim speaks of is no ratio for it."""
    found = depth_one.FIGURE.load(folder)
    expect(found.ratio("depth_one", "libaio", "ops_per_s"), "depth_one: no ratio in the golden results")
    for summary in found.summaries.values():
        for c in summary.panels[0].configurations:
            c.baseline = "threads"
    expect(found.ratio("depth_one", "libaio", "ops_per_s") is None,
           "depth_one: a stand-in's ratio is taken for that of the baseline")


def check_block_sizes():
    """CPU time for 4 KiB at 4k, for 64 of them at 256k; context switches at 1M."""
    def made(spread, small, large, switches):
        return Made(spread, block_size_4k_io_uring=small, block_size_256k_io_uring=64 * large,
                    block_size_1M_io_uring=switches, block_size_1M_libaio=1)

    check_made(block_size, verdicts.REPRODUCED, made(0.05, 9, 1, 3))
    check_made(block_size, verdicts.CONTRADICTED, made(0.05, 9, 1, 1))
    check_made(block_size, verdicts.CONTRADICTED, made(0.05, 1.5, 1, 3))
    check_made(block_size, verdicts.CANNOT_TELL, made(0.4, 9, 1, 2))


def check_durability():
    """Writes a second; the claim is about the time for one."""
    def made(spread, plain, synced, ring):
        return Made(spread, durability_none_blocking=plain, durability_fsync_blocking=synced,
                    ratio_io_uring=ring / synced)

    check_made(durability, verdicts.REPRODUCED, made(0.05, 100, 50, 30))
    check_made(durability, verdicts.CONTRADICTED, made(0.05, 100, 99, 30))
    check_made(durability, verdicts.CONTRADICTED, made(0.05, 100, 50, 80))
    check_made(durability, verdicts.CANNOT_TELL, made(0.3, 100, 50, 45))


def check_cores(verdict, study, throughput_on):
    """Throughput by the number of CPUs; the comparison's name is what tells them apart."""
    def metric(name, label, key, x=None):
        value = throughput_on[int(name.rpartition("_")[2])]
        return Estimate(value, value * 0.95, value * 1.05)

    study.metric = metric
    check_made(threads_cores, verdict, study)
    return because_of(threads_cores, study)


def estimate(median, spread=0.05):
    return {"median": median, "low": median - abs(spread * median), "high": median + abs(spread * median)}


def check_documents():
    """The same for claims about traces and tables."""
    yes, no, open_ = verdicts.REPRODUCED, verdicts.CONTRADICTED, verdicts.CANNOT_TELL

    def overlapping(rounds=5, spread=0.05, came_to=1, **efficiencies):
        return Document("", {"rounds": rounds, "engines": [
            {"engine": {"label": label}, "status": "ok", "points": [
                {"asked": 1.0, "compute_to_io": estimate(came_to, spread),
                 "efficiency": estimate(value, spread),
                 "lost_ns": estimate(-1e5 * value, spread)}]}
            for label, value in efficiencies.items()]})

    check_made(overlap, yes, overlapping(blocking=-0.1, libaio=0.6, io_uring=0.7))
    check_made(overlap, no, overlapping(blocking=0.5, libaio=0.6, io_uring=0.7))
    check_made(overlap, no, overlapping(blocking=-0.1, libaio=0.1, io_uring=0.7))
    check_made(overlap, open_, overlapping(spread=0.9, blocking=-0.1, libaio=0.6, io_uring=0.7))
    check_made(overlap, open_, overlapping(blocking=-0.1, io_uring=0.7))
    # Where reads became so much slower or faster that it is no longer as much computing as I/O.
    for came_to in (0.4, 2.5):
        check_made(overlap, open_, overlapping(came_to=came_to, blocking=-0.1, libaio=0.6, io_uring=0.7))
    for blocking, words in ((-0.44, "Lost to interference"), (0.1, "not shown with blocking")):
        said = " ".join(overlap.interference(overlapping(blocking=blocking, libaio=0.6)))
        expect(words in said and "at C / I = 1.00" in said and ("44.0" in said) == (blocking < 0) and "libaio" not in said,
               f"overlap: of an efficiency of {blocking} it says: {said}")
    check_made(overlap, open_, overlapping(rounds=3, blocking=-0.1, libaio=0.6, io_uring=0.7))

    def late(rounds=5, spread=0.05, **medians_us):
        return Document("", {"rounds": rounds, "tick_ns": 1000000, "rows": [
            {"engine": {"label": label}, "scene": "socket", "status": "ok",
             "lateness_ns": {"p50": estimate(1e3 * value, spread)}}
            for label, value in medians_us.items()]})

    check_made(responsiveness, yes, late(blocking=2500, epoll=25, io_uring=30))
    check_made(responsiveness, no, late(blocking=25, epoll=25, io_uring=30))
    check_made(responsiveness, no, late(blocking=2500, epoll=2500, io_uring=30))
    check_made(responsiveness, open_, late(spread=0.8, blocking=2500, epoll=25, io_uring=30))
    check_made(responsiveness, open_, late(blocking=2500, epoll=25))

    def held_up(rounds=5, spread=0.05, **p99_ms):
        """Of timers; receives are as late. The slow callback takes 10 ms."""
        watched = {computing: {"lateness_ns": {"p99": {**estimate(1e6 * value, spread), "count": rounds}}}
                   for computing, value in p99_ms.items()}
        return Document("", {"rounds": rounds, "slow_callback_ns": 10e6, "rows": [
            {"engine": {"label": label}, "computing": computing, "status": "ok", "timers": late, "receives": late}
            for label in ("epoll", "io_uring") for computing, late in watched.items()]})

    check_made(loop_lateness, yes, held_up(nothing=0.1, at_once=9.5, in_pieces=0.6, in_a_thread=0.1))
    check_made(loop_lateness, no, held_up(nothing=0.1, at_once=0.2, in_pieces=0.6, in_a_thread=0.1))
    check_made(loop_lateness, no, held_up(nothing=0.1, at_once=9.5, in_pieces=6, in_a_thread=0.1))
    check_made(loop_lateness, no, held_up(nothing=0.1, at_once=9.5, in_pieces=0.6, in_a_thread=4))
    check_made(loop_lateness, open_, held_up(spread=0.9, nothing=0.1, at_once=9.5, in_pieces=1.5, in_a_thread=0.1))
    check_made(loop_lateness, open_, held_up(nothing=0.1, at_once=9.5, in_pieces=0.6))
    check_made(loop_lateness, open_, held_up(rounds=3, nothing=0.1, at_once=9.5, in_pieces=0.6, in_a_thread=0.1))
    # One engine that is not cured is enough.
    content = held_up(nothing=0.1, at_once=9.5, in_pieces=0.6, in_a_thread=0.1).content
    content["rows"][2]["receives"] = {"lateness_ns": {"p99": {**estimate(6e6), "count": 5}}}
    check_made(loop_lateness, no, Document("", content))
    expect("epoll" in because_of(loop_lateness, Document("", content)), "loop_lateness: does not name the engine")

    def stream(rounds=5, spread=0.02, emission="unordered", capacity=64, **shares):
        return Document("", {"rounds": rounds, "rows": [
            {"engine": {"label": label}, "emission": emission, "answers": "constant", "capacity": capacity,
             "status": "ok", "of_expected": {**estimate(share, spread), "count": rounds},
             "answer_ns": {"mean": {"median": 5e6}}}
            for label, share in shares.items()]})

    check_made(operator, yes, stream(epoll=0.98, io_uring=0.97))
    check_made(operator, no, stream(epoll=0.98, io_uring=0.6))
    check_made(operator, open_, stream(epoll=0.98, io_uring=0.9, spread=0.1))
    check_made(operator, open_, stream(emission="ordered", epoll=0.98))
    check_made(operator, open_, stream(capacity=1, epoll=0.98))
    check_made(operator, open_, stream(capacity=1000, epoll=0.2))  # the CPU may be the limit

    def records(answers="exponential", **held_ms):
        """Each was asked at once and answered after 1 ms; and then it waited."""
        return Document("", {"rounds": 5, "answer_ns": 5e6, "rows": [
            {"engine": {"label": "epoll"}, "emission": emission, "answers": answers, "capacity": 8, "status": "ok",
             "trace": [[0, None, 1e6 + held * 1e6, [[0, 1e6, False]]] for held in waits]}
            for emission, waits in held_ms.items()]})

    check_made(operator_timeline, yes, records(unordered=[0, 0.1], ordered=[0, 9]))
    check_made(operator_timeline, no, records(unordered=[0, 0.1], ordered=[0, 0.1]))
    check_made(operator_timeline, no, records(unordered=[0, 9], ordered=[0, 9]))
    check_made(operator_timeline, open_, records("constant", unordered=[0], ordered=[0, 9]))
    check_made(operator_timeline, open_, records(ordered=[0, 9]))

    def ways(rounds=5, spread=0.02, target="file", helped=False, polled=False, **runs_us):
        """The kernel takes 5 us from the interrupt to the wake-up, and the thread so long until it runs."""
        def moment(name, leg_us):
            return {"name": name, "step": None, "seen": 50, "at_ns": {"median": 0}, "leg_ns": {"median": 1e3 * leg_us},
                    "leg_by_round": {**estimate(1e3 * leg_us, spread), "count": rounds}}
        return Document("", {"rounds": rounds, "rows": [
            {"engine": {"label": label}, "target": target, "status": "ok", "ops": 50, "moments": [
                moment("offered", 0), moment("interrupt", 40), *([moment("helper_runs", 0)] if helped else []),
                *([moment("posted", 0)] if polled else []),
                moment("woken", 5), moment("runs", us)]} for label, us in runs_us.items()]})

    check_made(upcall, yes, ways(blocking=9, io_uring=8))
    check_made(upcall, no, ways(blocking=9, io_uring=3))
    check_made(upcall, open_, ways(blocking=9, io_uring=5.1, spread=0.1))
    check_made(upcall, open_, ways(blocking=9, helped=True))  # a helper's wake-up comes first
    check_made(upcall, open_, ways(io_uring=9, polled=True))
    check_made(upcall, open_, ways(blocking=9, target="socket"))

    def layers(rounds=5, spread=0.02, engine="io_uring", **added_ns):
        def row(style, cpu_ns, added=None, label=None):
            return {"engine": {"label": label} if label else None, "style": style, "status": "ok",
                    "cpu_ns": {**estimate(cpu_ns, spread), "count": rounds},
                    "added_ns": {**estimate(added, spread), "count": rounds} if added else None}
        return Document("", {"rounds": rounds, "rows": [
            *(row(style, 60 + added, added) for style, added in added_ns.items()),
            *([row("callbacks", 2000, label=engine)] if engine else [])]})

    check_made(styles, yes, layers(promises=60, await_stackless=3, await_stackful=8))
    check_made(styles, no, layers(promises=600, await_stackless=3, await_stackful=8))
    check_made(styles, open_, layers(promises=190, spread=0.2, await_stackless=3, await_stackful=8))
    check_made(styles, open_, layers(engine=None, promises=60))

    def traced(**loop_calls):
        return Document("", {"lanes": [
            {"engine": {"label": label}, "status": "ok", "loop_calls": counts}
            for label, counts in loop_calls.items()]})

    def timed(rounds=5, spread=0.05, held=7, **speeds):
        return Document("", {"rounds": rounds, "lanes": [
            {"engine": {"label": label}, "config": {"depth": 8}, "trace": {"totals": {}},
             "run": {"held_computing": estimate(held, spread),
                     # The middle of the rounds is no part of it: only mean and interval of the ratio are.
                     "speed": {"mean": speed, "low": speed * (1 - spread), "high": speed * (1 + spread),
                               "median": 1, "count": rounds}}}
            for label, speed in speeds.items()]})

    # How many the engine held follows from the interface, so whatever it is, it decides nothing.
    for held in (0, 4, 8):
        check_made(timeline, yes, timed(held=held, blocking=1, libaio=1.5, io_uring=1.5))
        check_made(timeline, no, timed(held=held, blocking=1, libaio=1.5, io_uring=0.9))
    check_made(timeline, open_, timed(blocking=1, libaio=1.5, io_uring=1.02))
    check_made(timeline, open_, timed(blocking=1, libaio=1.5))
    check_made(timeline, open_, timed(rounds=3, blocking=1, libaio=1.5, io_uring=1.5))
    judged = [verdict_words.sentence(s) for s in timeline.FIGURE.claim.statements(timed(blocking=1, libaio=1.5, io_uring=1.5))]
    expect(len(judged) == 2 and all("speed relative to blocking is 1.50" in said for said in judged),
           f"timeline: judged is something else than the speed: {judged}")

    said = {label: {str(calls): 100} for label, calls in steps.SAID}
    check_made(steps, yes, traced(**said))
    check_made(steps, yes, traced(**{**said, "epoll": {"1": 3, "2": 97}}))
    check_made(steps, no, traced(**{**said, "libaio": {"1": 80, "2": 20}}))
    check_made(steps, no, traced(**{**said, "io_uring": {"2": 100}}))
    check_made(steps, open_, traced(**{**said, "epoll": {"1": 30, "2": 70}}))
    check_made(steps, open_, traced(**{**said, "poll": {"2": 19}}))
    check_made(steps, open_, traced(**{k: said[k] for k in said if k != "libaio"}))

    def cells(**changed):
        rows = {}
        for label, column, said, so in matrix.SAID:
            outcome = said if so else "native"
            outcome, agreed = changed.get(f"{label}_{column}", outcome), changed.get("agreed", 9)
            tried = outcome in ("native", "threads", "blocked")
            rows.setdefault(label, {})[column] = {
                "outcome": outcome, "agreed": agreed if tried else None,
                "handover_share": {**estimate(0.5), "count": 9} if tried else None}
        return Document("", {"columns": [], "rows": [
            {"engine": {"label": label}, "cells": found} for label, found in rows.items()]})

    check_made(matrix, yes, cells())
    check_made(matrix, yes, cells(io_uring_file_cold="threads"))
    check_made(matrix, no, cells(io_uring_file_cold="blocked"))
    check_made(matrix, no, cells(epoll_file_direct="native"))
    check_made(matrix, open_, cells(libaio_file_cold="not tried"))
    # Trials that do not agree say neither that it is so, nor that it is not.
    check_made(matrix, open_, cells(agreed=8))
    check_made(matrix, open_, cells(agreed=5, io_uring_file_cold="blocked"))
    expect("only 5 of 9 trials" in because_of(matrix, cells(agreed=5)),
           "matrix: does not say that its trials disagree")

    for status, words in (("missing", "ENOENT"), ("ok", "no run counted")):
        remark = {"id": "hardware_not_counted", "values": {"errno": "ENOENT"}, "text": "{errno}"}
        of_today = {"schema": "iolab.doctor.v2", "findings": [
            {"topic": {"id": hardware_counters.TOPIC, "values": {}, "text": "?"}, "status": status,
             "cause": remark, "cure": None}]}
        of_once = {"schema": "iolab.doctor.v1", "findings": [
            {"topic": "hardware counters", "status": status, "cause": "ENOENT: none", "cure": None}]}
        for content in (of_today, first_version.upgraded(of_once, "iolab.doctor.v2")):
            document = Document("", with_remarks(content))
            check_made(hardware_counters, open_, document)
            expect(words in because_of(hardware_counters, document),
                   f"hardware_counters, {status}: does not say: {words}")
            expect(hardware_counters.NO_POLLING in because_of(hardware_counters, document),
                   f"hardware_counters, {status}: counters alone would not decide it")


def check_figures(folder):
    """Rule, source and verdict stand in each figure, and its medians are drawn."""
    drawn_keys = {"depth_one": (["depth_one"], ["ops_per_s"]), "batching": (["batching"], [batching.KEY]),
                  "idle_descriptors": (["idle_descriptors"], [idle_descriptors.KEY]),
                  "depth_curve": (["depths"], ["ops_per_s", "latency_ns.p50"]),
                  "connections": (connections.COMPARISONS, [connections.RATE, connections.CPU]),
                  "threads_cores": (["cores_1", "cores_2"], [threads_cores.RATE, threads_cores.BUSY]),
                  "offered_load": (["offered_load"], ["latency_ns.p50", "latency_ns.p99_9",
                                                      "latency_uncorrected_ns.p99"])}
    for described in registry.judged(registry.BESIDE):
        study, name, claim = described.load(folder), described.name, described.claim
        for width_in in (sheet.WIDE_IN, sheet.NARROW_IN, 3.4):
            figure = described.draw(study, width_in)
            said = " ".join(text.get_text() for text in figure.texts)
            for text in (verdict_words.words(described.judge(study)), claim.rule, claim.found, claim.source):
                expect(text.split()[-1].rstrip(",.") in said and text.split()[0] in said,
                       f"{name}: does not say: {text}")
            values = {float(v) for axes in figure.axes for line in axes.lines
                      for data in (line.get_xdata(), line.get_ydata()) for v in data}
            names, keys = drawn_keys.get(name, ((), ()))
            for c in (c for of in names for c in study.panel(of).configurations if c.ok):
                for key in keys:
                    found = c.metric(key)
                    expect({found.median, found.low, found.high} <= values,
                           f"{name}: {key} of {c.label} at {c.x} is not drawn")
            for label, status, reason in study.missing() if hasattr(study, "missing") else ():
                expect(label in said and status in said and str(reason).split()[0] in said,
                       f"{name}: nothing says that {label} is {status}")


def check_shares(folder):
    """Each part is as long as its median, and begins where the one before it ends."""
    found = cpu_shares.FIGURE.load(folder)
    bars = [(bar.get_x(), bar.get_width()) for axes in cpu_shares.FIGURE.draw(found).axes
            for bar in axes.patches]
    reached = {round(float(x), 6) for axes in cpu_shares.FIGURE.draw(found).axes for line in axes.lines
               for x in line.get_xdata()}
    for c in cpu_shares.measured(found):
        begin = 0
        for part, _ in cpu_shares.PARTS:
            shown = c.metric(part)
            length = shown.median
            expect(length <= 0 or any(abs(x - begin) < 1e-9 and abs(w - length) < 1e-9 for x, w in bars),
                   f"cpu_shares: {part} of {c.label} is not drawn")
            error = c.metric(cpu_shares.REST_ERROR).median if part == cpu_shares.REST else 0
            for end in (shown.low, shown.high, shown.low - error, shown.high + error):
                expect(shown.low == shown.high and not error
                       or round(begin + end, 6) in reached,
                       f"cpu_shares: the interval of {part} of {c.label} does not reach {begin + end}")
            begin += max(length, 0)


    for c in found.panel("cpu_shares").configurations:
        c.metrics[cpu_shares.REST] = None
    cpu_shares.FIGURE.draw(found)  # nothing to draw is no reason to stop


def check_groups(folder):
    """Bands stand between the block sizes, and every mark between its own two."""
    found = block_size.FIGURE.load(folder)
    axes = block_size.FIGURE.draw(found).axes[0]
    # A rectangle or a polygon, by matplotlib's version.
    bands = sorted(axes.transData.inverted().transform(band.get_window_extent().corners())[:, 0].mean()
                   for band in axes.patches)
    expect(len(bands) == len(block_size.BYTES) - 1, f"block_size: {len(bands)} bands")
    for line in axes.lines:
        xs = list(line.get_xdata())
        if len(xs) == len(block_size.BYTES):
            places = [sum(x > band for band in bands) for x in xs]
            expect(places == list(range(len(xs))), f"block_size: marks stand at {xs}")
    # What does not vary is not set apart.
    for c in (c for s in found.summaries.values() for p in s.panels for c in p.configurations):
        c.metrics = {key: of and Estimate(of.median, of.median, of.median) for key, of in c.metrics.items()}
    axes = block_size.FIGURE.draw(found).axes[0]
    expect(not axes.patches and all(set(line.get_xdata()) <= set(block_size.BYTES)
                                    for line in axes.lines), "block_size: set apart without a bar")


COUNTED = {"hardware_polling": "cpu_shares", "hardware_batching": "batching",
           **{name: name.removeprefix("hardware_") for name in hardware_counters.BLOCK_SIZES}}
CANNOT_COUNT = "perf_event_open, instructions: EACCES"


def make_counted(golden, folder, polled, faster, dearer, spread):
    """What a machine with hardware counters would have made of the golden comparisons; the numbers are
    made up. With the engine `polled`, in the place of SQPOLL, a read is `faster` times as fast for
    `dearer` times the instructions; None: it was refused."""
    for name, source in COUNTED.items():
        with open(os.path.join(golden, "study", source, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        for i, c in enumerate(summary["configurations"]):
            if c["engine"]["label"] == "io_uring:sqpoll":
                c["engine"]["label"] = polled
            if not dearer:
                c["warnings"] = [{"id": hardware_counters.WARNING, "values": {"why": CANNOT_COUNT},
                                  "text": "hardware counters: {why}"}]
                continue
            for key, value in (("instructions_per_op", 9000 + 700 * i), ("cycles_per_op", 12000 - 500 * i),
                               ("instructions_per_cycle", 0.7 + i / 20)):
                c["metrics"][f"hardware.{key}"] = {**estimate(value, spread), "count": 5}
            if c["ratio"]:
                for key, value in (("ops_per_s", faster), ("hardware.instructions_per_op", dearer)):
                    low, high = value * (1 - spread), value * (1 + spread)
                    c["ratio"][key] = {"mean": value, "low": low, "high": high, "count": 5,
                                       "verdict": "higher" if low > 1 else "lower" if high < 1 else "none"}
        os.makedirs(os.path.join(folder, "study", name))
        with open(os.path.join(folder, "study", name, "summary.json"), "w", encoding="utf-8") as file:
            file.write(json.dumps(summary))


def check_counters(golden):
    """Judged by its rule, and every median and interval drawn, where a machine has counters."""
    yes, no, open_ = verdicts.REPRODUCED, verdicts.CONTRADICTED, verdicts.CANNOT_TELL
    # The source polls for completions. SQPOLL polls for submissions, whatever it comes to.
    polling, other = hardware_counters.POLLED, "io_uring:sqpoll"
    for polled, faster, dearer, spread, verdict in (
            (polling, 1.7, 2.3, 0.05, yes), (polling, 0.9, 2.3, 0.05, no), (polling, 1.7, 0.9, 0.05, no),
            (polling, 1.7, 1.2, 0.05, open_), (polling, 1.7, 2.3, 0.5, open_),
            (polling, 1.7, None, 0.05, open_), (other, 1.7, 2.3, 0.05, open_), (other, 0.9, 0.9, 0.05, open_),
            (other, 1.7, None, 0.05, open_)):
        with tempfile.TemporaryDirectory() as folder:
            make_counted(golden, folder, polled, faster, dearer, spread)
            found = hardware_counters.FIGURE.load(folder)
            check_made(hardware_counters, verdict, found)
            because = because_of(hardware_counters, found)
            expect((hardware_counters.NO_POLLING in because) == (polled == other),
                   f"hardware_counters, {polled}: {because}")
            if not dearer:
                expect(CANNOT_COUNT in because_of(hardware_counters, found),
                       "hardware_counters: nothing says why nothing was counted")
                continue
            values = {round(float(v), 6) for axes in hardware_counters.FIGURE.draw(found).axes
                      for line in axes.lines for data in (line.get_xdata(), line.get_ydata()) for v in data}
            for name, key, divisor in (
                    ("hardware_polling", hardware_counters.INSTRUCTIONS, 1),
                    ("hardware_polling", hardware_counters.PER_CYCLE, 1),
                    ("hardware_batching", hardware_counters.CYCLES, 1),
                    ("hardware_block_size_4k", hardware_counters.CYCLES, 4096)):
                for c in (c for c in found.panel(name).configurations if c.ok):
                    e = c.metric(key)
                    expect({round(v / divisor, 6) for v in (e.median, e.low, e.high)} <= values,
                           f"hardware_counters: {key} of {c.label} in {name} is not drawn")


def check_few_rounds():
    """One engine may have failed in most rounds of a comparison that had many."""
    for rounds, holds in ((1, None), (4, None), (5, True), (None, True)):
        twice = verdicts.ratio(Estimate(2, 2, 2, rounds), Estimate(1, 1, 1, 9))
        for statement in (verdicts.above("it", twice, 1), verdicts.below("it", twice, 3),
                          verdicts.within("it", twice, 4)):
            expect(statement.holds is holds or rounds is None and statement.holds,
                   f"from {rounds} rounds it says: {verdict_words.sentence(statement)}")
            few = f"from {rounds} round{'s' if rounds != 1 else ''} only"
            expect(holds or verdict_words.sentence(statement).endswith(few), f"not “{few}”: {verdict_words.sentence(statement)}")


def check_open_words():
    """Of two limits those are named that the interval reaches over."""
    for judged, limit, absent, low, high, words in (
            (verdicts.at_least, 1.35, 1, 1.2, 1.6, "and its interval reaches over 1.35"),
            (verdicts.at_least, 1.35, 1, 0.9, 1.2, "and its interval reaches over 1"),
            (verdicts.at_least, 1.35, 1, 0.9, 1.6, "and its interval reaches over 1 and 1.35"),
            (verdicts.at_least, 1.35, 1, 1.1, 1.2, "above 1, and weaker than the 1.35 that count as found"),
            (verdicts.at_most, 0.75, 1, 0.6, 0.9, "and its interval reaches over 0.75"),
            (verdicts.at_most, 0.75, 1, 0.8, 1.1, "and its interval reaches over 1"),
            (verdicts.at_most, 0.75, 1, 0.6, 1.1, "and its interval reaches over 0.75 and 1"),
            (verdicts.at_most, 0.75, 1, 0.8, 0.9, "below 1, and not the 0.75 that count as found")):
        statement = judged("it", verdicts.Quotient((low + high) / 2, low, high), limit, absent)
        expect(statement.holds is None and verdict_words.sentence(statement).endswith(f", {words}"),
               f"from {low} to {high}: {verdict_words.sentence(statement)}")


def check_numbers():
    """What rounds to nothing has no sign."""
    for value, words in ((-0.3, "0 %"), (0.3, "0 %"), (-2.6, "−3 %"), (97.2, "97 %")):
        expect(cpu_account.percent(value) == words, f"{value} is shown as {cpu_account.percent(value)}")


def handbook():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "measurement.md")
    with open(path, encoding="utf-8") as file:
        return file.read().replace("*", "").replace("\n", " ")


def check_words():
    """The six steps are defined once, and the handbook has the same words as the figure; so with limits."""
    said = " ".join(handbook().split())
    for name, limits in ((overlap, (f"between {overlap.AS_MUCH / overlap.ABOUT:g} and {overlap.AS_MUCH * overlap.ABOUT:g}",
                                    f"below {overlap.percent(overlap.HIDDEN)}")),
                         (timeline, (f"above {timeline.FASTER:g} ×",))):
        row = said.split(f"| `{name.FIGURE.name}` | ", 1)[1].split(" | ", 1)[0]
        for limit in (*limits, "ours"):
            expect(limit in row, f"docs/measurement.md: the rule of {name.FIGURE.name} does not say: {limit}")
            expect(limit in name.FIGURE.claim.rule, f"{name.FIGURE.name}: its rule does not say: {limit}")
    for words in ("A bar ends when the program learns of it", "the device may have been done earlier",
                  "may overlap; the total time says whether"):
        expect(words in timeline.FIGURE.reading, f"timeline: the text does not say: {words}")
    for words in steps.STEPS:
        expect(words in said, f"docs/measurement.md does not say: {words}")
        expect(words in steps.NUMBERED and words in steps.FIGURE.reading, f"the figure does not say: {words}")
    for words in ("this program's engines", steps.RUNS):
        expect(words in steps.FIGURE.claim.rule and words in said, f"of the six steps it does not say: {words}")


NUMBER = re.compile(r"\d+(?:\.\d+)?")


def check_rules_told():
    """Whatever number a rule has, the handbook's table has it, too; and says where a limit is ours."""
    for figure in registry.judged(registry.ALL):
        row = re.search(rf"\| `{figure.name}` \| ([^|]*)\|", handbook())
        expect(row, f"docs/measurement.md has no rule of {figure.name}")
        told = row[1] if row else ""
        missing = set(NUMBER.findall(figure.claim.rule)) - set(NUMBER.findall(told))
        expect(not missing, f"docs/measurement.md, {figure.name}: does not have {sorted(missing)}")
        expect("ours" not in figure.claim.rule or "ours" in told,
               f"docs/measurement.md, {figure.name}: does not say whose the limit is")


def main():
    check_rules()
    check_words()
    check_few_rounds()
    check_open_words()
    check_numbers()
    check_rules_told()
    check_load_words()
    check_figures(sys.argv[1])
    check_shares(sys.argv[1])
    check_counters(sys.argv[1])
    check_groups(sys.argv[1])
    check_distribution()
    check_load()
    check_stand_in(sys.argv[1])
    print("\n".join(failures) or "all is judged by its rule")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
