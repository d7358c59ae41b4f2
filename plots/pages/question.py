# SPDX-License-Identifier: MIT
"""What was asked: what was compared with what, on which work, in plain words."""
from pages.nodes import Bullets, FillIn, Link, Paragraph, Section, to
from readings.quantities import listed, size

ACCESS = {"read": "reads in order", "write": "writes in order", "randread": "random reads",
          "randwrite": "random writes", "randrw": "random reads and writes"}
CACHE = {"bypassed": "past the page cache (O_DIRECT)", "warm": "through a warm page cache",
         "dropped": "through a cold page cache"}
TRANSPORT = {"tcp": "TCP", "unix": "Unix sockets"}
SWEPT = {"depth": "“Depth” is how many operations are offered at a time.",
         "rate": "“Rate” is how many operations are due in a second, whether the earlier ones are "
                 "finished or not."}


def every(number, what):
    return f"after every {what}" if number == 1 else f"after every {number} {what}s"


def file_words(workload):
    words = [f"{ACCESS[workload['rw']]} of {size(workload['bs_bytes'])}"]
    if workload.get("read_pct") is not None and workload["rw"] == "randrw":
        words[0] += f" ({workload['read_pct']} % reads)"
    if workload.get("size_bytes"):
        words[0] += f" in a file of {size(workload['size_bytes'])}"
    if workload.get("cache") in CACHE:
        words.append(CACHE[workload["cache"]])
    for key, sync in (("fsync_every", "fsync"), ("fdatasync_every", "fdatasync")):
        if workload.get(key):
            words.append(f"{sync} {every(workload[key], 'write')}")
    return ", ".join(words)


def messages(workload):
    transport = TRANSPORT.get(workload["transport"], workload["transport"])
    return f"messages of {size(workload['msg_size_bytes'])} over {transport}"


def echo_words(workload):
    words = f"a server that sends back what it receives, {messages(workload)}"
    if workload.get("slow_conns"):
        words += (f", while {workload['slow_conns']} of the clients pause for "
                  f"{workload['slow_pause_ms']:g} ms between two")
    return words


def idle_words(workload):
    active = workload["active"]
    return (f"a server that watches connections of which {active} "
            f"{'sends' if active == 1 else 'send'} and all others are silent, {messages(workload)}")


def nop_words(_):
    return "operations that do nothing: what is left is the interface itself"


WORDS = {"file": file_words, "echo": echo_words, "idle": idle_words, "nop": nop_words}


def work_words(panel):
    """What one panel's work is; its name, where it is none of iolab's own."""
    first = panel.configurations[0]
    try:
        words = WORDS[first.workload["name"]](first.workload)
    except (KeyError, TypeError, ValueError):
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
    works = [[Link(title, to(title)), ": ", work_words(panel), f"; {panel.x_words(panel.xs)}."]
             for title, panel in zip(titles, summary.panels)]
    blocks = [Paragraph(asked(summary)), Bullets(works)]
    swept = [SWEPT[name] for name in dict.fromkeys(p.x_name for p in summary.panels)
             if name in SWEPT]
    against = (f"Throughput, median latency and CPU time of each are held against those of "
               f"{summary.baseline}, round by round.") if len(engines(summary)) > 1 else ""
    if swept or against:
        blocks.append(Paragraph(" ".join([*swept, against]).strip()))
    if documents:
        blocks.append(Paragraph(f"{len(documents)} figures more show what others found with such "
                                "interfaces, tried on this machine, and how it comes about."))
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
