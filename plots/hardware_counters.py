# SPDX-License-Identifier: MIT
"""What cannot be drawn without the CPU's own counters, and whether this machine has them."""
import results
import sheet
import study
import verdicts

NAME = "hardware_counters"
FILE = "doctor.json"
SCHEMA = "iolab.doctor.v1"
MADE_BY = "build/iolab doctor --json >FOLDER/doctor.json"
TITLE = "Instructions and cycles for an operation: not drawn"
READING = ("These figures count instructions and cycles, for which a CPU has counters of its own. iolab "
           "asks the kernel for one and says what it answered; it does not read them yet")
CAPTION = ("Figures of the literature that iolab does not draw, and why: what perf_event_open(2) answers "
           "here to the wish for a hardware counter. CPU time stands in for cycles in the other figures.")
TOPIC = "hardware counters"
FIGURES = (
    ("instructions for an I/O, instructions a cycle, cache and branch misses", "Ren and Trivedi, "
     "CHEOPS 2023"),
    ("cycles for a no-op against batch size; here: CPU time for it, the figure on batching",
     "Jasny et al., PVLDB 19, 2026"),
    ("cycles for a byte against block size; here: CPU time for 4 KiB, the figure on block size",
     "Jasny et al., PVLDB 19, 2026"),
)


def load(folder):
    document = results.load_document(folder, FILE, SCHEMA, MADE_BY)
    if document and finding(document):
        document.content.setdefault("command", ["iolab", "doctor", "--json"])
        return document
    return None


def finding(document):
    """What the doctor found about them."""
    return next((f for f in document.content["findings"] if f["topic"] == TOPIC), None)


def why(document):
    """Why they are not drawn."""
    found = finding(document)
    if found["status"] == "ok":
        return "this machine has hardware counters, and iolab does not read them yet"
    return f"this machine gives no hardware counters: {found['cause']}"


def statements(document):
    return [verdicts.open_statement(why(document))]


CLAIM = verdicts.Claim(
    "Ren and Trivedi, CHEOPS 2023, abstract",
    "at low load polling helps by 1.7 ×, for 2.3 × the instructions",
    "none is tried: it takes a count of instructions",
    statements)


def draw(document, width_in=sheet.WIDE_IN, bare=False):
    found = finding(document)

    def place(page):
        page.message(f"skipped: {why(document)}")
        page.add(0.06)
        for words, source in FIGURES:
            page.note("×", f"{words} ({source})")
        if found["status"] != "ok" and found["cure"]:
            page.note("", f"What would help: {found['cure']}.")
        study.add_claim(page, CLAIM, document)

    return sheet.compose_document(document, TITLE, READING, place, width_in, bare)


def alt_text(document):
    return f"{TITLE}: {why(document)}."
