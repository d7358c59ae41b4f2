# SPDX-License-Identifier: MIT
"""Instructions and cycles for an operation, by the CPU's own counters; or why there are none here."""
from drawing import sheet, study
from figures.block_size import BYTES, SIZES
from readings import results, verdicts
from readings.quantities import count

NAME = "hardware_counters"
FILE = "doctor.json"
SCHEMA = "iolab.doctor.v1"
MADE_BY = "build/iolab doctor --json >FOLDER/doctor.json"
TITLE = "Instructions and cycles for an operation"
READING = ("The CPU's own counters: user and kernel, every thread of the process, in runs of their own. "
           "Reads of 4 KiB, O_DIRECT, one in flight; no-ops of io_uring by batch; reads by block size, "
           "four in flight")
READING_WITHOUT = ("Not drawn. These figures count instructions and cycles, for which a CPU has counters of "
                   "its own. iolab asks the kernel for one and says what it answered")
CAPTION = ("Instructions and cycles for an operation, counted by the CPU itself: user and kernel, every "
           "thread of the process, its SQPOLL and io-wq threads included, in runs that enter no other "
           "figure. SQPOLL polls for submissions, not for completions. Where the kernel gives no counter, "
           "its answer stands here, and what cannot be drawn without one; CPU time stands in for cycles in "
           "the other figures.")
TOPIC = "hardware counters"
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
WARNING = "hardware counters: "  # how a run begins to say that it could not count


def load(folder):
    """A study where runs counted, else what the doctor found."""
    found = study.load(folder, (POLLING,))
    if not found:
        document = results.load_document(folder, FILE, SCHEMA, MADE_BY)
        if document and finding(document):
            document.content.setdefault("command", ["iolab", "doctor", "--json"])
            return document
        return None
    more = [extra for names in ((BATCHING,), BLOCK_SIZES) if (extra := study.load(folder, names))]
    summaries = {name: summary for part in (found, *more) for name, summary in part.summaries.items()}
    return study.Study(folder, summaries, any(part.quick for part in (found, *more)))


def finding(document):
    """What the doctor found about them."""
    return next((f for f in document.content["findings"] if f["topic"] == TOPIC), None)


def uncounted(found):
    """Why nothing was counted; None where it was."""
    if isinstance(found, results.Document):
        said = finding(found)
        if said["status"] == "missing":
            return f"this machine gives no hardware counters: {said['cause']}"
        return f"this machine has hardware counters, and no run counted; {COMMAND} does"
    configurations = found.panel(POLLING).configurations
    if any(c.metric(INSTRUCTIONS) for c in configurations):
        return None
    said = (text.removeprefix(WARNING) for c in configurations for text in c.warnings
            if text.startswith(WARNING))
    return f"no instructions were counted: {next(said, 'the runs do not say why')}"


def polls(found):
    """Did an engine that polls for completions run?"""
    return not isinstance(found, results.Document) and POLLED in found.panel(POLLING).labels


def statements(found):
    left_open = [uncounted(found), None if polls(found) else NO_POLLING]
    if any(left_open):
        return [verdicts.open_statement(why) for why in left_open if why]
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


def draw(found, width_in=sheet.WIDE_IN, bare=False):
    if isinstance(found, results.Document):
        return sheet.compose_document(found, TITLE, READING_WITHOUT,
                                      lambda page: say_why(page, found), width_in, bare)
    return study.compose(TITLE, READING, CLAIM, found, lambda page: plot(page, found), width_in, bare)


def say_why(page, document):
    page.message(f"skipped: {uncounted(document)}")
    page.add(0.06)
    for words, source in FIGURES:
        page.note("×", f"{words} ({source})")
    said = finding(document)
    if said["status"] != "ok" and said["cure"]:
        page.note("", f"What would help: {said['cure']}.")
    study.add_claim(page, CLAIM, document)


def plot(page, found):
    labels = found.panel(POLLING).labels
    for key, words in ((INSTRUCTIONS, "instructions for a read"), (PER_CYCLE, "instructions a cycle")):
        study.rows(page, [(label, label, found.metric(POLLING, label, key)) for label in labels], words,
                   count)
        page.add(0.05)
    if BATCHING in found.summaries:
        study.lines(page, found.series(BATCHING, CYCLES), "no-ops handed over by one system call",
                    "cycles for a no-op", count)
        page.add(0.1)
    if BLOCK_SIZES[0] in found.summaries:
        names = dict(zip(BYTES, SIZES))
        study.lines(page, {label: per_byte(found, label) for label in found.panel(BLOCK_SIZES[0]).labels},
                    "block size", "cycles for a byte", count,
                    lambda value, _: names.get(round(value), ""))


def per_byte(found, label):
    """[(block size, cycles for a byte)]"""
    return [(n, study.scaled(found.metric(name, label, CYCLES), 1 / n))
            for name, n in zip(BLOCK_SIZES, BYTES)]


def alt_text(found):
    why = uncounted(found)
    return f"{TITLE}: {why}." if why else study.alt_text(TITLE, CLAIM, found)
