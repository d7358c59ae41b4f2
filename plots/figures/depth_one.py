# SPDX-License-Identifier: MIT
"""One operation at a time: throughput and latency of every engine."""
from drawing import sheet, study
from readings import verdicts
from readings.quantities import count, duration

NAME = "depth_one"
TITLE = "One operation at a time"
READING = "Random reads of 4 KiB, O_DIRECT, one in flight"
CAPTION = ("Throughput and median latency with one read in flight: there is nothing to batch and "
           "nothing to overlap, so what is left is the cost of the call itself and of being woken.")
COMPARISONS = ("depth_one",)
COMPLETION = ("libaio", "io_uring")


def statements(found):
    return [verdicts.within(f"throughput of {label} over blocking",
                            found.ratio("depth_one", label, "ops_per_s"), verdicts.CLOSE)
            for label in COMPLETION]


CLAIM = verdicts.Claim(
    "Ren and Trivedi, Performance Characterization of Modern Storage Stacks, CHEOPS 2023, abstract",
    "at low load all interfaces perform competitively with each other",
    f"reproduced when the throughput of libaio and of io_uring lies within a factor of {verdicts.CLOSE} of "
    "that of a blocking pread, interval and all (a limit of ours: the source has no number)",
    statements)


def load(folder):
    return study.load(folder, COMPARISONS)


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    panel = found.panel("depth_one")

    def entries(key):
        return [(label, label, found.metric("depth_one", label, key)) for label in panel.labels]

    def place(page):
        study.rows(page, entries("ops_per_s"), "reads per second", count)
        page.add(0.05)
        study.rows(page, entries("latency_ns.p50"), "latency p50", duration)

    return study.compose(TITLE, READING, CLAIM, found, place, width_in, bare)


def alt_text(found):
    return study.alt_text(TITLE, CLAIM, found)
