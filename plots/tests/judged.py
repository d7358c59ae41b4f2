#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""judged.py FOLDER: are verdicts computed from the data by the rule that is written beside them?"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import batching
import cpu_shares
import depth_one
import figures
import idle_descriptors
import sheet
import staircase
import verdicts
from results import Estimate

failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


class Made:
    """A study whose numbers are made up: (label, x) or label -> median, each plus and minus `spread`."""

    rounds = 5

    def __init__(self, spread, **numbers):
        self.spread = spread
        self.numbers = numbers

    def metric(self, name, label, key, x=None):
        value = self.numbers.get(f"{label}_{x}" if x else f"{name}_{label}")
        return value and Estimate(value, value * (1 - self.spread), value * (1 + self.spread))

    def ratio(self, name, label, key, x=None):
        value = self.numbers.get(f"ratio_{label}")
        return value and verdicts.Ratio(value, value * (1 - self.spread), value * (1 + self.spread))

    def panel(self, name):
        class Panel:
            labels = ["io_uring"]
        return Panel()


def check_made(module, verdict, study):
    found = verdicts.judge(module.CLAIM, study)
    expect(found.name == verdict, f"{module.NAME}: {found}, not {verdict}")
    expect(found.because, f"{module.NAME}: no reason")


def check_rules():
    """Each rule with numbers that fulfil it, that break it, and that are too vague."""
    yes, no, open_ = verdicts.REPRODUCED, verdicts.CONTRADICTED, verdicts.CANNOT_TELL
    check_made(idle_descriptors, yes, Made(0.05, poll_10=5, poll_4000=500, epoll_10=5,
                                           epoll_4000=6))
    check_made(idle_descriptors, no, Made(0.05, poll_10=5, poll_4000=6, epoll_10=5, epoll_4000=6))
    check_made(idle_descriptors, no, Made(0.05, poll_10=5, poll_4000=500, epoll_10=5,
                                          epoll_4000=300))
    check_made(idle_descriptors, open_, Made(0.4, poll_10=5, poll_4000=30, epoll_10=5,
                                             epoll_4000=6))
    check_made(idle_descriptors, open_, Made(0.05, poll_10=5, poll_4000=500))
    check_made(batching, yes, Made(0.02, io_uring_1=600, io_uring_128=80, io_uring_4096=84))
    check_made(batching, no, Made(0.02, io_uring_1=90, io_uring_128=80, io_uring_4096=84))
    check_made(batching, open_, Made(0.3, io_uring_1=200, io_uring_128=80, io_uring_4096=84))
    check_made(depth_one, yes, Made(0.05, ratio_libaio=1.05, ratio_io_uring=1.1))
    check_made(depth_one, no, Made(0.05, ratio_libaio=1.05, ratio_io_uring=2))
    check_made(depth_one, open_, Made(0.3, ratio_libaio=1.05, ratio_io_uring=1.1))
    check_made(staircase, yes, Made(0.05, ratio_io_uring=1.05, depth_one_io_uring=10,
                                    staircase_one_by_one_io_uring=80))
    check_made(staircase, no, Made(0.05, ratio_io_uring=1.05, depth_one_io_uring=10,
                                   staircase_one_by_one_io_uring=11))
    check_made(cpu_shares, yes, Made(0.05, **{"cpu_shares_io_uring:sqpoll": 15,
                                              "cpu_shares_io_uring": 5}))
    check_made(cpu_shares, no, Made(0.05, **{"cpu_shares_io_uring:sqpoll": 5,
                                             "cpu_shares_io_uring": 5}))
    once = Made(0, ratio_libaio=1, ratio_io_uring=1)
    once.rounds = 4
    check_made(depth_one, open_, once)


def check_figures(folder):
    """Rule, source and verdict stand in each figure, and its medians are drawn."""
    drawn_keys = {"depth_one": "ops_per_s", "batching": batching.KEY,
                  "idle_descriptors": idle_descriptors.KEY}
    for module in figures.LITERATURE:
        study = module.load(folder)
        for width_in in (sheet.WIDE_IN, sheet.NARROW_IN, 3.4):
            figure = module.draw(study, width_in)
            words = " ".join(text.get_text() for text in figure.texts)
            for text in (str(verdicts.judge(module.CLAIM, study)), module.CLAIM.rule,
                         module.CLAIM.found, module.CLAIM.source):
                expect(text.split()[-1].rstrip(",.") in words and text.split()[0] in words,
                       f"{module.NAME}: does not say: {text}")
            values = {float(v) for axes in figure.axes for line in axes.lines
                      for data in (line.get_xdata(), line.get_ydata()) for v in data}
            key = drawn_keys.get(module.NAME)
            for c in study.panel(module.NAME).configurations if key else ():
                estimate = c.metric(key)
                expect({estimate.median, estimate.low, estimate.high} <= values,
                       f"{module.NAME}: {c.label} at {c.x} is not drawn")


def check_shares(folder):
    """Each part is as long as its median, and begins where the one before it ends."""
    found = cpu_shares.load(folder)
    bars = [(bar.get_x(), bar.get_width()) for axes in cpu_shares.draw(found).axes
            for bar in axes.patches]
    for c in found.parts:
        begin = 0
        for part, _ in cpu_shares.PARTS:
            length = max(c[part]["median"], 0)
            expect(any(abs(x - begin) < 1e-9 and abs(w - length) < 1e-9 for x, w in bars),
                   f"cpu_shares: {part} of {c['engine']['label']} is not drawn")
            begin += length


def main():
    check_rules()
    check_figures(sys.argv[1])
    check_shares(sys.argv[1])
    print("\n".join(failures) or "all is judged by its rule")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
