# SPDX-License-Identifier: MIT
"""What was asked: what was compared with what, on which work, in plain words."""
from drawing.words import x_words
from pages.nodes import Bullets, FillIn, Link, Paragraph, Section, to
from readings.quantities import listed


def work_words(panel):
    """What one panel's work is, in the workload's own words; else its name."""
    first = panel.configurations[0]
    words = first.workload.get("words")
    if not words:
        return panel.name
    if first.compute_us:
        words += f", and {first.compute_us:g} µs of computing for each"
    return words


def engines(summary):
    """In the order in which they are first met."""
    return list(dict.fromkeys(label for panel in summary.panels for label in panel.labels))


def asked(summary):
    labels = engines(summary)
    if len(labels) == 1:
        return f"What does the interface {labels[0]} cost on this machine, with the work below?"
    return (f"Which of these {len(labels)} interfaces does the work below best on this machine, and what does "
            f"it cost: {listed(labels)}?")


def section(summary, titles, documents):
    works = [[Link(title, to(title)), ": ", work_words(panel), f"; {x_words(panel, panel.xs)}."]
             for title, panel in zip(titles, summary.panels)]
    blocks = [Paragraph(asked(summary)), Bullets(works)]
    swept = [about for about in dict.fromkeys(p.axis.about for p in summary.panels) if about]
    against = (f"Throughput, median latency and CPU time of each are compared with those of "
               f"{summary.baseline}, round by round.") if len(engines(summary)) > 1 else ""
    if swept or against:
        blocks.append(Paragraph(" ".join([*swept, against]).strip()))
    if documents:
        blocks.append(Paragraph(f"{len(documents)} more figures try on this machine what others found with "
                                "such interfaces, and show how it comes about."))
    return Section("Question", blocks + [
        FillIn("Your question.", "Which of these numbers do you need, and what will you decide by "
               "them?"),
        FillIn("What you expect, and why.", "Write it down before you read on. Which interface will "
               "do best, by what factor, and what would prove you wrong?")])


def discussion():
    return Section("Discussion", [
        FillIn("What was found.", "Answer your question in a sentence, with the number and its "
               "interval, and name the figure or table that shows it."),
        FillIn("What you had not expected.", "What differs from what you wrote above?"),
        FillIn("Why.", "What in the interface, in the kernel or in the device would make it so, and "
               "what would test that?"),
        FillIn("What these numbers do not tell.", "Other devices, other kernels, other sizes, a "
               "machine that does something else besides.")])
