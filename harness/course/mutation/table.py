# SPDX-License-Identifier: MIT
"""Counts by rule, and the page docs/mutation.md, which holds the last whole run of each lab."""
import hashlib
import os
import re

import labs
from labs import ROOT

from .changes import RULES
from .equivalent import NAME

PAGE = os.path.join(ROOT, "docs", "mutation.md")
FATES = ("equivalent", "killed", "survived")

HEAD = """# Mutants made by machine

`make mutate LAB=04` wrote this page: it holds the last whole run of each lab. [Add a lab](add-a-lab.md) says how to read
and to run it. A mutant is the reference with one change by rule. It is killed when a test fails or its time is up;
a change that does not compile is not counted. An equivalent one is no worse than the reference: the compiler makes the
same program of it, or the lab's `equivalent.toml` gives the reason.

Each section names the fingerprint of the changes that it counts: their files, rules and lines. `make check` makes the
changes anew, without running them, and fails where the fingerprint is another one (harness/tests/docs.bats). So a
section is of the engines and rules as they are. Tests may have been added since.
"""
SECTION_SAYS = re.compile(r"fingerprint ([0-9a-f]{12})")


def fingerprint(changes):
    """Of what is changed and how; comments and other lines of the files are not part of it."""
    lines = (f"{c.file}\0{c.rule}\0{c.function}\0{c.line}\0{c.becomes}\n" for c in changes)
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:12]


def share(counts):
    """The killed ones of those that are not equivalent, in percent."""
    judged = counts["killed"] + counts["survived"]
    return 100 * counts["killed"] / judged if judged else 100.0


def count_by_rule(fates):
    """{rule: {fate: count}} from [(change, fate)], with a row for all of them."""
    rows = {rule: dict.fromkeys(FATES, 0) for rule in [*RULES, "all"]}
    for change, fate in fates:
        if fate in FATES:
            rows[change.rule][fate] += 1
            rows["all"][fate] += 1
    return {rule: {"made": sum(row.values()), **row} for rule, row in rows.items()}


def text_table(rows):
    lines = [f"{'rule':12} {'made':>6} {'equivalent':>10} {'killed':>7} {'survived':>8} {'%':>6}"]
    for rule, row in rows.items():
        percent = f"{share(row):6.1f}" if row["made"] else ""
        lines.append(f"{rule:12} {row['made']:6} {row['equivalent']:10} {row['killed']:7} "
                     f"{row['survived']:8} {percent}")
    return "\n".join(lines)


def page_section(name, rows, survivors, when, changes, unmutated):
    lines = [f"## {name}", "", f"Run on {when} over {len(changes)} changes, fingerprint {fingerprint(changes)}.", "",
             "| rule | made | equivalent | killed | survived |", "| --- | --: | --: | --: | --: |"]
    for rule, row in rows.items():
        lines.append(f"| {RULES.get(rule, rule)} | {row['made']} | {row['equivalent']} | {row['killed']} | "
                     f"{row['survived']} |")
    all_of_them = rows["all"]
    lines += ["", f"Killed are {share(all_of_them):.1f} % of those that are not equivalent."]
    if os.path.exists(os.path.join(labs.LABS, name, NAME)):
        lines[-1] += f" Reasons: [{NAME}](../labs/{name}/{NAME})."
    if unmutated["functions"]:
        names = ", ".join(f"`{function}`" for function in unmutated["functions"])
        lines += ["", f"Not changed are {names}: {unmutated['why']}."]
    if survivors:
        lines += ["", "What survived:", "", "```diff"]
        for change in survivors:
            lines += [f"# {change.file}, {change.function}: {RULES[change.rule]}", change.diff()]
        lines.append("```")
    return "\n".join(lines) + "\n"


def read_page():
    """{the lab's or the folder's name: its section}"""
    sections = {}
    if os.path.exists(PAGE):
        for text in re.split(r"^(?=## )", labs.read(PAGE), flags=re.M)[1:]:
            sections[text.split("\n")[0][3:]] = text.rstrip("\n") + "\n"
    return sections


def is_stale(section, changes):
    """Does it count other changes than these?"""
    said = SECTION_SAYS.search(section)
    return not said or said[1] != fingerprint(changes)


def write_page(name, section):
    """Puts the section in the place of the lab's last one."""
    sections = read_page()
    sections[name] = section
    labs.write(PAGE, HEAD + "".join("\n" + sections[key] for key in sorted(sections)))
