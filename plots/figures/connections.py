# SPDX-License-Identifier: MIT
"""Connections against requests a second, for several message sizes."""
from drawing import series, style
from drawing.figure import StudyFigure
from readings import verdicts
from readings.quantities import count, cpu_time

SIZES = (("64", "64 B"), ("1k", "1 KiB"), ("16k", "16 KiB"))
COMPARISONS = tuple(f"connections_{size}" for size, _ in SIZES)
RATE, CPU = "ops_per_s", "cpu.us_per_op"
MANY = 1000
BESIDE = 1.7  # how far the shade reaches on both sides of its place, a factor


def statements(found):
    return [exchanged(found, f"connections_{size}", words) for size, words in SIZES]


def exchanged(found, name, words):
    key, what = (CPU, "CPU time for a request") if found.peer_limited(name, MANY) else (
        RATE, "requests a second")
    return verdicts.within(f"{words}: {what}, io_uring over epoll,",
                           found.ratio(name, "io_uring", key, MANY), verdicts.CLOSE)


def place(page, found):
    name_of = dict(zip((words for _, words in SIZES), COMPARISONS))

    def shade(axes, words):
        for x in found.panel(name_of[words]).xs:
            if found.peer_limited(name_of[words], x):
                axes.axvspan(x / BESIDE, x * BESIDE, color=style.SHADE, zorder=0)

    for key, y_label, as_text in ((RATE, "requests a second", count),
                                  (CPU, "server CPU a request", cpu_time)):
        cells = {words: found.series(name, key) for words, name in name_of.items()}
        series.grid(page, cells, "connections", y_label, as_text, paint_behind=shade)
        page.add(0.06)
    if any(found.peer_limited(name, x) for name in COMPARISONS for x in found.panel(name).xs):
        page.note("", "Shaded: the client was at its limit, with one server at least. Compare CPU "
                  "time there, not requests a second.")


FIGURE = StudyFigure(
    name="connections",
    title="Connections against requests a second",
    subtitle="An echo server on one CPU, its client on another; every connection talks",
    caption="Requests a second and the server's CPU time for one, against the number of connections, for three "
            "sizes of message.",
    reading="Where the client is at its limit (shaded), it bounds what any server can reach, and only CPU time "
            "tells the interfaces apart.",
    comparisons=COMPARISONS,
    place=place,
    claim=verdicts.Claim(
        "Jasny et al., PVLDB 19, 2026, abstract; the table in benchmarks.md of github.com/frevib/"
        "io_uring-echo-server",
        "putting io_uring in the place of another interface does not alone make a program faster (frevib "
        "has 1.6 × the requests of epoll at 1000 clients, and as many at one)",
        f"reproduced when, at {MANY} connections and with each size, plain io_uring lies within a factor of "
        f"{verdicts.CLOSE} of epoll, with its whole interval: in requests a second, or in the server's CPU time for "
        "one where the client is the limit. Multishot receives and buffer rings are not tried",
        statements))
