# SPDX-License-Identifier: MIT
"""Offered load against latency, corrected and not, and what a stall makes of both."""
from drawing import charts, series, sheet, style
from drawing.figure import StudyFigure
from readings import verdicts
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from readings.quantities import count, duration, tick

SINCE_DUE, SINCE_BEGUN = "latency_ns", "latency_uncorrected_ns"
SHARES = (("p50", "p50", "o"), ("p99", "p99", "s"), ("p99_9", "p99.9", "^"))
LABEL = "io_uring"
FACTOR = 100  # half of what the source has
ABSENT = 1
SHOWN = 20  # p99 since begun is less than this part of the stall


def stalled(found, since, label=LABEL, share="p99"):
    return found.metric("offered_load_stalled", label, f"{since}.{share}")


def stall_ns(found):
    c = found.at("offered_load_stalled", LABEL)
    return c.stall_ms * 1e6 if c else None


def statements(found):
    due, begun = (stalled(found, since) for since in (SINCE_DUE, SINCE_BEGUN))
    length_ns = stall_ns(found)
    share = begun and length_ns and verdicts.Quotient(
        begun.median / length_ns, begun.low / length_ns, begun.high / length_ns, begun.count)
    return [verdicts.at_least("with the stall: p99 since due over p99 since begun",
                              verdicts.ratio(due, begun), FACTOR, ABSENT),
            verdicts.below("with the stall: p99 since begun over the stall's length", share or None,
                           1 / SHOWN)]


def add_key(page):
    """Markers tell the shares apart, line and filling where the clock starts."""
    def place(top_in):
        x_in = sheet.EDGE_IN
        y_in = top_in + sheet.LINE_IN / 2
        entries = [(words, look(marker, True)) for _, words, marker in SHARES]
        entries += [("filled: since due", {"color": style.INK}),
                    ("hollow: since begun", {"color": style.GREY, "linestyle": style.DOTTED})]
        for words, keywords in entries:
            page.line([x_in, x_in + 0.1, x_in + 0.2], [y_in] * 3, markevery=[1], linewidth=1,
                      **keywords)
            page.text(x_in + 0.25, y_in, words, fontsize=sheet.NOTE_PT, color=style.GREY)
            x_in += 0.25 + sheet.text_width_in(words, sheet.NOTE_PT) + 0.14

    page.add(sheet.LINE_IN, place)
    page.add(0.05)


def look(marker, since_due, colour=style.INK):
    return {"color": colour, "linestyle": style.SOLID if since_due else style.DOTTED,
            "marker": marker, "markersize": 4, "markeredgewidth": 0.9, "markeredgecolor": colour,
            "markerfacecolor": colour if since_due else "white"}


def paint(axes, panel, label, reach):
    low, high = panel.xs[0], panel.xs[-1]
    margin = max(1.15, (high / low) ** 0.06)
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    axes.xaxis.set_major_locator(LogLocator(subs=(1,) if high / low > 30 else (1, 2, 5), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value, count)))
    axes.grid(True, axis="x")
    charts.scale_values(axes, "y", reach, duration, log=True)
    engine = style.look_of(label).colour
    for since, colour in ((SINCE_BEGUN, style.GREY), (SINCE_DUE, engine)):
        for share, _, marker in SHARES:
            points = [(c.x, e) for c in panel.of(label) if (e := c.metric(f"{since}.{share}"))]
            if not points:
                continue
            for x, e in points:
                charts.draw_bar(axes, "y", x, e, colour)
            axes.plot([x for x, _ in points], [e.median for _, e in points], zorder=3, linewidth=1,
                      **look(marker, since == SINCE_DUE, colour))


def add_stall(page, found):
    panel = found.panel("offered_load_stalled")
    shown = [c for c in panel.configurations if c.ok]
    if not shown:
        return
    page.add(0.08)
    page.paragraph(f"Stopped once for {shown[0].stall_ms:g} ms, at {shown[0].x:g} reads a second",
                   size_pt=sheet.HEADING_PT, line_in=0.17, weight="bold")
    entries = [(f"{c.label}, {words}", c.label, stalled(found, since, c.label))
               for c in shown for words, since in (("since due", SINCE_DUE),
                                                   ("since begun", SINCE_BEGUN))]
    series.rows(page, entries, "latency p99", duration, log=True)


def place(page, found):
    panel = found.panel("offered_load")
    labels = [label for label in panel.labels if label not in panel.absent()]
    picks = [lambda c, key=f"{since}.{share}": c.metric(key)
             for since in (SINCE_DUE, SINCE_BEGUN) for share, _, _ in SHARES]
    reach = charts.extent(panel, *picks)
    if reach:
        add_key(page)
        cells = [sheet.Cell(lambda axes, label=label: paint(axes, panel, label, reach), label)
                 for label in labels]
        page.plan(sheet.Plan(cells, "reads offered a second", "latency", height_in=2.2))
    else:
        page.message(charts.UNMEASURED)
    add_stall(page, found)


FIGURE = StudyFigure(
    name="offered_load",
    title="Offered load against latency",
    subtitle="Random reads of 4 KiB, O_DIRECT, offered on a fixed schedule, at most 64 in flight",
    caption="Latency against the offered load, since a read was due and since it began. Below: the same with a "
            "thread that is stopped once.",
    reading="The load goes from a hundredth of what io_uring reaches here to more than that. Since due counts "
            "from the moment at which a read was to begin. Since begun counts from its submission, as a closed "
            "loop measures. Beyond the knee reads queue up, and only the time since they were due shows it. "
            "With fewer than 1000 reads in a window, p99.9 is the slowest one.",
    comparisons=("offered_load", "offered_load_stalled"),
    place=place,
    claim=verdicts.Claim(
        "Tene, README of github.com/giltene/wrk2",
        "one stall of 1.4 s in a run of 30 s makes the p99 that counts from the intended start 200 × the "
        "one that counts from the sending: the latter omits what waited",
        f"reproduced when, with a stall of a fifth of the window and io_uring, p99 since due is above "
        f"{FACTOR} × p99 since begun (half of the source's 200), and the latter shows less than 1/{SHOWN} of "
        "the stall (a limit of ours); contradicted when the two are equal, or the latter shows more",
        statements))
