# SPDX-License-Identifier: MIT
"""How the numbers came about: method, environment, the commands to type, the data to cite."""
import os

from drawing import words
from drawing.verdict_words import LESS_ERROR
from figures import registry
from pages import literature
from pages.nodes import (Bullets, Cell, Code, Commands, Facts, Folded, Group, Link, Paragraph, Part,
                         Section, Soft, Strong, Table)
from readings import checksums, study_notes
from readings.command_line import command_line
from readings.foreign_load import BUSY_PCT, BUSY_SHARE_PCT
from readings.quantities import listed, size

STEAL = "cpu.host_steal_pct"
STEAL_NOTICED_PCT = 1  # of a CPU

READING = (
    "Each number is the median over the rounds; the smaller ones beside it are its interval. Trust "
    "the ratios more than the absolute numbers: the engines take turns, so a busy or "
    "throttled machine slows them all alike.",
    "A ratio is taken round by round to {baseline} on the same workload at the same {x}; the table has the "
    "geometric mean over the rounds. Where {baseline} never ended ok, another engine stands in and is named: "
    "the first one, in the order asked for, that ended ok in most rounds. “Higher” "
    "and “lower” mean that its whole interval lies on that side of 1. “No difference shown” means "
    "that the interval includes 1, or that there were fewer than five rounds: these rounds cannot tell. "
    "It does not mean that the two are equal.",
    "“Unsupported” means that the interface cannot do this, here or anywhere, in the words of the "
    "kernel where there are any. Nothing was put in its place.",
    "Colour, marker and line belong to the engine, in every figure.",
)


def steal_of(configuration):
    """In its worst round, as the foot of the table has it."""
    estimate = configuration and configuration.metric(STEAL)
    return None if estimate is None else estimate.max


def worst_steal(summary):
    """The configuration from which the hypervisor took most; None where that is not known."""
    known = [c for panel in summary.panels for c in panel.configurations
             if steal_of(c) is not None]
    return max(known, key=steal_of, default=None)


def steal_words(summary):
    worst = worst_steal(summary)
    if worst is None:
        return "not known"
    if steal_of(worst) == 0:
        return "none seen"
    return (f"up to {steal_of(worst):.2g} % of a CPU in the worst round, from {worst.label} on "
            f"{worst.work} at {worst.x_name} {worst.x}")


def notices(summary):
    """What a reader has to know of the measurement before anything else."""
    found = []
    if words.was_cut_short(summary):
        found.append(f"The comparison was interrupted: {words.rounds_words(summary)}.")
    if summary.rounds_done == 1:
        found.append("There was 1 round only: how much these numbers vary is unknown.")
    if words.busy_words(summary):
        found.append(f"{words.busy_words(summary)}.")
    found += [f"{panel.name}: {said[0].lower()}{said[1:]}."
              for panel in summary.panels for said in words.stand_in_words(panel)]
    if words.precision_words(summary):
        found.append(f"Precision: {words.precision_words(summary)}.")
    if summary.env_varies:
        found.append(f"The machine changed between runs: {listed(summary.env_varies)}.")
    if (steal_of(worst_steal(summary)) or 0) >= STEAL_NOTICED_PCT:
        found.append(f"The hypervisor took CPU time away: {steal_words(summary)}.")
    return found


def idle_words(summary):
    """And the rule by which others on the machine count."""
    if not words.idle_words(summary):
        return "not measured"
    return (f"{words.idle_words(summary)}; from {BUSY_PCT} % of a CPU on, {LESS_ERROR}, it "
            f"stands in each figure, and from {BUSY_SHARE_PCT} % of all CPUs on, "
            f"{LESS_ERROR}, no finding of others is judged")


def method(summary):
    everything = [c for panel in summary.panels for c in panel.configurations]
    imported = list(dict.fromkeys(c.label for c in everything if c.imported))
    runs = [c for c in everything if c.ok and not c.imported]
    if imported and not runs:
        return Section("Method", [Facts([
            ("rounds", f"{words.rounds_words(summary)} of {listed(imported)}, which ran one after the other"),
            ("intervals", f"{summary.confidence_pct:.3g} %, {words.method_words(summary.method)}")])])
    windows = sorted({(c.warmup_s, c.runtime_s) for c in runs if c.runtime_s is not None
                      and c.warmup_s is not None})
    swept = listed(dict.fromkeys(f"number of {p.axis.plural}" if p.axis.unit else p.axis.name
                                 for p in summary.panels))
    return Section("Method", [
        Facts([("rounds", words.rounds_words(summary)),
               ("order", "each round runs every configuration once, in an order of its own drawn at "
                f"random (seed {summary.seed}): the workloads and swept values, and at each of them "
                "the engines, one right after the other"),
               ("a run", "; ".join(f"a fresh process, {w:g} s to warm up, then a window of {r:g} s"
                                   for w, r in windows) or "a fresh process"),
               ("intervals", f"{summary.confidence_pct:.3g} %, "
                f"{words.method_words(summary.method)}"),
               ("ratios", f"round by round to {summary.baseline}; "
                f"{summary.ratio_confidence_pct:.3g} %, "
                f"{words.method_words(summary.ratio_method)}"),
               ("idle host", idle_words(summary)),
               ("steal", steal_words(summary)),
               *([("imported", f"{listed(imported)}: runs of another program, made before or after these "
                   "rounds and not in turns with them, so they have no ratios")] if imported else [])]),
        Section("How to read the numbers", [
            Bullets([text.format(baseline=summary.baseline, x=swept) for text in READING])]),
        Section("How to read the figures", [
            Bullets([[Strong(f"{figure.title}."), " ", figure.reading]
                     for figure in registry.PANELS if figure.reading])])])


def environment(summary):
    return Section("Environment", [
        Facts([(key.removesuffix("_bytes").replace("_", " "), value_words(key, value))
               for key, value in summary.env.items()])])


def value_words(key, value):
    if value is None:
        return Soft("not found")
    if isinstance(value, dict):
        return tuple(same_words(value)) or "none"
    if key.endswith("_bytes") and isinstance(value, (int, float)):
        return size(value)
    return listed(value) if isinstance(value, list) and value else str(value)


def same_words(table):
    """What has the same value is said together: the mitigations that a CPU does not need, mostly."""
    names = {}
    for name, value in table.items():
        said = size(value) if name.endswith("_bytes") and isinstance(value, int) else (
            "not found" if value is None else str(value))
        names.setdefault(said, []).append(name.removesuffix("_bytes"))
    return [f"{', '.join(same)}: {said}" for said, same in names.items()]


def commands(summary, documents):
    folder = command_line([summary.folder])
    blocks = [Paragraph(["They are typed in iolab's folder, after ", Code("make"), ". A folder that "
                         "holds a comparison is not written over: name another with ",
                         Code("--out"), "."]),
              Paragraph("The comparison:"),
              Commands(summary.command or "# not recorded")]
    made = literature.commands(documents)
    if made:
        blocks += [Paragraph("The other figures, one after the other:"),
                   Commands("\n".join(f"# {name}\n{command}" for name, command in made.items())),
                   Paragraph("All of these at once:"),
                   Commands(literature.figures_command(summary.folder, any(
                       document.quick for _, document in documents if document)))]
    blocks += [Paragraph("What draws them and writes this report:"),
               Commands(f"python3 plots/plot.py {folder}\npython3 plots/report.py {folder}")]
    each = [c.command for panel in summary.panels for c in panel.configurations if c.command]
    if each:
        blocks.append(Folded(f"The command of each of the {len(each)} configurations",
                             "\n".join(each)))
    return Section("Commands", blocks)


WHAT = {"runs.jsonl": "the raw results, one line a run",
        "summary.json": "medians, intervals and ratios",
        "doctor.json": "what this machine can measure",
        "study.json": "which of these are from short runs"}


def what(path):
    place, name = os.path.split(path)
    titles = {source: figure.title for figure in registry.TRACES for source in figure.sources}
    said = WHAT.get(name) or titles.get(name) or ""
    return f"{said}: {os.path.basename(place)}" if said and place not in ("", study_notes.FOLDER) else said


def data(summary, files, beside):
    """`beside`: the folder that the report lies in."""
    rows = []
    for file in files:
        path = checksums.place(file, summary.folder, beside)
        rows.append([Link(path, path), Cell(what(file.path) or None), Cell(str(file.size_bytes)),
                     Cell(Code(file.sha256))])
    check = command_line(["cd", beside or "."])
    return Section("Data", [
        Paragraph(["The numbers of this report are those of the files below, as they were when it was "
                   "written. ", Link(checksums.NAME, checksums.NAME), " holds the same hashes; this "
                   "says whether a file has changed since:"]),
        Commands(f"{check} && sha256sum -c {checksums.NAME}"),
        Table("The data, with size and SHA-256.", "file",
              [Part("", ["what it is", "bytes", "SHA-256"])], [Group("", rows)], "hashes")])
