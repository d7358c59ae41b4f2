# SPDX-License-Identifier: MIT
"""What figures and report say of a comparison, its machine and its precision."""
from dataclasses import dataclass

from readings import remarks
from readings.quantities import listed, rounds, span

# How intervals are made: the identifiers of harness/summary/interval_method.h, and the same words.
METHODS = {"order_statistics": "order statistics of the rounds, sign test",
           "paired_t_of_logarithms":
               "geometric mean of the rounds' ratios, Student's t on their logarithms"}


@dataclass(frozen=True)
class Note:
    """Something to be said about several configurations of a panel at once."""

    where: str  # "epoll, epoll:edge" or "threads at 500 connections"
    kind: str  # WARNING, NOTE, or what kept it from being shown: "unsupported"
    text: str

    @property
    def mark(self):
        """What it hangs from, below a figure."""
        return {WARNING: "!", NOTE: ""}.get(self.kind, "×")

    def __str__(self):
        return f"{self.where}: {self.text}" if self.kind in (WARNING, NOTE) else (
            f"{self.where}: {self.kind}: {self.text}")


WARNING, NOTE = "warning", "note"


def x_plural(panel):
    return panel.axis.plural


def x_words(panel, xs):
    """depth 1 and 4; 50 connections"""
    axis = panel.axis
    if None in xs:  # an imported run that does not say it has a panel of its own
        return f"{axis.name} unknown"
    if axis.unit:
        return f"{listed(xs)} {axis.unit if xs == [1] else axis.plural}"
    return f"{axis.name} {listed(xs)}"


def panel_notes(panel):
    """Why configurations are missing, then what to know of those that are there."""
    missing = [(c.status, c.reason or remarks.NO_REASON, c) for c in panel.configurations if not c.ok]
    warned = [(WARNING, remark, c) for c in panel.configurations for remark in c.warnings]
    return notes(panel, missing) + notes(panel, warned)


def notes(panel, said):
    """Joins remarks of one family: over the swept values of a label, then over labels. `said`:
    (kind, remark, configuration)."""
    xs_of, remarks_of = {}, {}
    for kind, remark, c in said:
        what = kind, remarks.family(remark)
        remarks_of.setdefault(what, []).append(remark)
        xs = xs_of.setdefault(what, {}).setdefault(c.label, [])
        if c.x not in xs:
            xs.append(c.x)
    found = []
    for what, xs_by_label in xs_of.items():
        text = str(remarks.merged(remarks_of[what]))
        labels_at = {}
        for label, xs in xs_by_label.items():
            everywhere = sorted(xs) == [c.x for c in panel.of(label)]
            place = "" if everywhere else f" at {x_words(panel, sorted(xs))}"
            labels_at.setdefault(place, []).append(label)
        found += [Note(", ".join(labels) + place, what[0], text)
                  for place, labels in labels_at.items()]
    return found


def stand_in_words(panel):
    """Where ratios are taken to another engine than the baseline."""
    found = dict.fromkeys((c.baseline, c.stand_in_reason) for c in panel.configurations if c.stand_in_reason)
    return [f"Ratios to {baseline}: {reason}" for baseline, reason in found]


def ratio_reasons(panel):
    """Why there are no ratios, each once."""
    return list(dict.fromkeys(c.ratio_reason for c in panel.configurations if c.ratio_reason))


def marks_words(summary, what="median"):
    """What marks and bars in the figures are."""
    if summary.rounds_done <= 1:
        return f"marks: {what} of 1 round only, so the spread is unknown and no bars are drawn"
    if what != "median":
        what += ", median"
    words = f"marks: {what} of {rounds(summary.rounds_done)}; bars: {summary.confidence_pct:.3g} % interval"
    return words + (f" ({method_words(summary.method)})" if summary.method else "")


def precision_words(summary):
    """Empty when no precision was asked for."""
    asked = summary.precision or {}
    if not asked.get("wanted_pct"):
        return ""
    words = f"every ratio was to be known to ±{asked['wanted_pct']:g} %"
    missed = len(asked["unreached"])
    if not missed:
        return f"{words}, and is"
    ended = ""
    if asked.get("ended_by") == "time" and asked.get("time_limit_s") is not None:
        ended = f" when the time of {asked['time_limit_s']:g} s was over"
    widest = asked.get("widest_pct")
    return f"{words}: {missed} of {asked['ratios']} are not{ended}" + (
        f", the widest is known to ±{widest:.2g} %" if widest is not None else "")


def idle_words(summary):
    idle = summary.idle_baseline
    return (f"used {idle['busy_pct']:.3g} % of a CPU before the comparison "
            f"(±{idle['error_pct']:.2g} %)") if idle else ""


def busy_words(summary):
    """What to know of a host that others used before the comparison, and probably during it."""
    load = summary.load
    return (f"Others used {load.busy_pct:.0f} % of a CPU before it: trust these numbers less"
            if load and load.noted else "")


def load_words(load):
    """For the foot of a figure; empty where the host was quiet, or nobody knows."""
    return (f"measured beside {load.busy_pct:.0f} % foreign load (of a CPU, before it)"
            if load and load.noted else "")


def was_cut_short(summary):
    return summary.interrupted or summary.rounds_done < summary.rounds_planned


def rounds_words(summary):
    words = rounds(summary.rounds_done)
    return f"{words} of {summary.rounds_planned} planned (interrupted)" if was_cut_short(summary) else words


def method_words(method):
    return METHODS.get(method, method) or "method not given"


def document_rounds_words(document):
    """How many rounds, and what is shown of them; empty where there are none."""
    if document.rounds is None:
        return ""
    if document.rounds <= 1:
        return f"{rounds(document.rounds)} only, so the spread is unknown"
    found = document.confidences_pct()
    if not found:
        return rounds(document.rounds)
    # An engine that failed in some rounds has an interval from fewer, which is worth less.
    sure = "{:.3g}".format
    pct = sure(min(found)) if sure(min(found)) == sure(max(found)) else span(
        min(found), max(found), sure)
    return f"medians of {rounds(document.rounds)} with their {pct} % intervals ({METHODS['order_statistics']})"


def machine_words(env):
    cpus = env.get("cpus_online")
    return [str(word) for word in (
        env.get("cpu_model"),
        cpus and f"{cpus} CPU{'' if cpus == 1 else 's'}",
        env.get("virtualization"),
        env.get("kernel") and f"Linux {env['kernel']}",
    ) if word]


def commit_words(env):
    return " ".join(f"{k} {env[k]}" for k in ("iolab", "commit") if env.get(k))


def device_words(env):
    """ext4 on /dev/vda (none); empty without a file workload"""
    words = " on ".join(str(env[k]) for k in ("filesystem", "device") if env.get(k))
    if words and env.get("scheduler"):
        words += f" (scheduler {env['scheduler']})"
    return words


def foot(found, rounds_said, *more):
    """Two lines for the foot of a figure: the machine, then the measurement."""
    return [machine_words(found.env) + [device_words(found.env)],
            [load_words(found.load), *more, rounds_said, found.time_utc, commit_words(found.env)]]
