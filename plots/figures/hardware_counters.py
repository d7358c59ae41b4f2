# SPDX-License-Identifier: MIT
"""Instructions and cycles for an operation, by the CPU's own counters; or why there are none here."""
from dataclasses import dataclass

from drawing import series
from drawing.figure import DocumentFigure, Figure, StudyFigure
from figures.block_size import BYTES, SIZES
from readings import documents, remarks, shape, studies, verdicts
from readings.quantities import count

TOPIC = "hardware_counters"
FIGURES = (
    ("instructions for an I/O, instructions a cycle", "Ren and Trivedi, CHEOPS 2023"),
    ("cycles for a no-op against batch size; here: CPU time for it, the figure on batching",
     "Jasny et al., PVLDB 19, 2026"),
    ("cycles for a byte against block size; here: CPU time for 4 KiB, the figure on block size",
     "Jasny et al., PVLDB 19, 2026"),
)
POLLING = "hardware_polling"
BATCHING = "hardware_batching"
BLOCK_SIZES = tuple(f"hardware_block_size_{size}" for size in SIZES)
COMMAND = "harness/studies/study.py --only hardware FOLDER"
INSTRUCTIONS = "hardware.instructions_per_op"
CYCLES = "hardware.cycles_per_op"
PER_CYCLE = "hardware.instructions_per_cycle"
POLLED = "io_uring:iopoll"  # no engine has it yet; where the results hold one, it is judged
NO_POLLING = "no engine here polls for completions (IOPOLL); SQPOLL polls for submissions"
FASTER, DEARER = 1.35, 1.65  # half of the gains that the source has
WARNING = "hardware_not_counted"  # the remark of a run that could not count

SHAPE = documents.document_shape({"findings": shape.list_of(shape.record({
    "topic": remarks.SHAPE, "status": shape.text, "cause": shape.maybe(remarks.SHAPE),
    "cure": shape.maybe(remarks.SHAPE)}))})


def load_counted(folder):
    """The runs that counted, if any did."""
    found = studies.load(folder, (POLLING,))
    if not found:
        return None
    more = [extra for names in ((BATCHING,), BLOCK_SIZES) if (extra := studies.load(folder, names))]
    summaries = {name: summary for part in (found, *more) for name, summary in part.summaries.items()}
    return studies.Study(folder, summaries, any(part.quick for part in (found, *more)))


def finding(document):
    """What the doctor found about them."""
    return next((f for f in document.content["findings"] if f["topic"]["id"] == TOPIC), None)


def uncounted(found):
    """Why nothing was counted; None where it was."""
    if isinstance(found, documents.Document):
        said = finding(found)
        if said["status"] == "missing":
            return remarks.Remark("no_counters", "this machine gives no hardware counters: {cause}",
                                  cause=said["cause"])
        return remarks.Remark("no_run_counted",
                              "this machine has hardware counters, and no run counted; {command} does",
                              {"command": COMMAND})
    configurations = found.panel(POLLING).configurations
    if any(c.metric(INSTRUCTIONS) for c in configurations):
        return None
    warning = next((warning for c in configurations for warning in c.warnings if warning.id == WARNING),
                   remarks.NO_REASON)
    return remarks.Remark("nothing_counted", "no instructions were counted: {cause}", cause=warning)


def polls(found):
    """Did an engine that polls for completions run?"""
    return not isinstance(found, documents.Document) and POLLED in found.panel(POLLING).labels


def statements(found):
    left_open = [("not_counted", uncounted(found)), ("no_polling", None if polls(found) else NO_POLLING)]
    if any(why for _, why in left_open):
        return [verdicts.left_open(id_, "{cause}", cause=why) for id_, why in left_open if why]
    return [verdicts.at_least("reads a second when polling for completions over those when not",
                              found.ratio(POLLING, POLLED, "ops_per_s"), FASTER, 1),
            verdicts.at_least("instructions for a read when polling for completions over those when not",
                              found.ratio(POLLING, POLLED, INSTRUCTIONS), DEARER, 1)]


CLAIM = verdicts.Claim(
    "Ren and Trivedi, CHEOPS 2023, abstract",
    "at low load polling helps by 1.7 ×, for 2.3 × the instructions",
    "the source polls for completions, so this is judged where the results hold an engine that does, "
    f"{POLLED}: reproduced when, one read at a time, it does more than {FASTER} × the reads a second of "
    f"io_uring, for more than {DEARER} × the instructions (half of the source's gains); contradicted where it "
    "is not faster, or takes no more of them. SQPOLL polls for submissions and is drawn, but not judged",
    statements)


def say_why(page, document):
    page.message(f"skipped: {uncounted(document)}")
    page.add(0.06)
    for words, source in FIGURES:
        page.note("×", f"{words} ({source})")
    said = finding(document)
    if said["status"] != "ok" and said["cure"]:
        page.note("", f"What would help: {said['cure']}.")


def plot(page, found):
    labels = found.panel(POLLING).labels
    for key, words in ((INSTRUCTIONS, "instructions for a read"), (PER_CYCLE, "instructions a cycle")):
        series.rows(page, [(label, label, found.metric(POLLING, label, key)) for label in labels], words,
                   count)
        page.add(0.05)
    if BATCHING in found.summaries:
        series.lines(page, found.series(BATCHING, CYCLES), "no-ops handed over by one system call",
                    "cycles for a no-op", count)
        page.add(0.1)
    if BLOCK_SIZES[0] in found.summaries:
        names = dict(zip(BYTES, SIZES))
        series.lines(page, {label: per_byte(found, label) for label in found.panel(BLOCK_SIZES[0]).labels},
                    "block size", "cycles for a byte", count,
                    lambda value, _: names.get(round(value), ""))


def per_byte(found, label):
    """[(block size, cycles for a byte)]"""
    return [(n, studies.scaled(found.metric(name, label, CYCLES), 1 / n))
            for name, n in zip(BLOCK_SIZES, BYTES)]


CAPTION = "Instructions and cycles for an operation, counted by the CPU in separate runs; or why it counts none."
WAY_TO_READ = ("The counters cover user space and kernel, and every thread of the process, SQPOLL's and io-wq's included. "
               "The reads are of 4 KiB with O_DIRECT, one in flight. No-ops of io_uring stand by batch, reads by block "
               "size with four in flight. SQPOLL polls for submissions, not for completions. Where the kernel gives no "
               "counter, CPU time stands in for cycles in the other figures.")
_COMMON = {"name": "hardware_counters", "title": "Instructions and cycles for an operation",
           "caption": CAPTION, "reading": WAY_TO_READ, "claim": CLAIM}


@dataclass(frozen=True, kw_only=True)
class CountersFigure(Figure):
    """Of the runs that counted; where none did, of what the doctor found."""

    counted: StudyFigure
    answer: DocumentFigure

    @property
    def sources(self):
        return (POLLING, self.answer.file)

    def of(self, found):
        return self.answer if isinstance(found, documents.Document) else self.counted

    def load(self, folder):
        if counted := self.counted.load(folder):
            return counted
        document = self.answer.load(folder)
        return document if document and finding(document) else None

    def draw(self, found, *arguments, **keywords):
        return self.of(found).draw(found, *arguments, **keywords)

    def conditions(self, found):
        return self.of(found).conditions(found)

    def foot(self, found):
        return self.of(found).foot(found)

    def alt_text(self, found):
        why = uncounted(found)
        return f"{self.title}: {why}." if why else super().alt_text(found)


FIGURE = CountersFigure(
    **_COMMON,
    subtitle="The CPU's own counters, of every thread of the process, in separate runs",
    counted=StudyFigure(
        **_COMMON,
        subtitle="The CPU's own counters, of every thread of the process, in separate runs",
        comparisons=(POLLING,),
        loads=load_counted,
        place=plot),
    answer=DocumentFigure(
        **_COMMON,
        subtitle="Not drawn: a CPU has counters for instructions and cycles, and this kernel gives none",
        file="doctor.json",
        schema="iolab.doctor.v2",
        made_by="build/iolab doctor --json >FOLDER/doctor.json",
        shape=SHAPE,
        place=say_why,
        describe=lambda found: f"{uncounted(found)}."))
