#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutate.py LAB: changes the reference by rule. Does a test fail for each change?

Takes the engines of a lab. A folder of labs/ without a lab works too: there the conformance suite judges.
Prints what survives, and counts by rule. A whole run writes its table to docs/mutation.md. What an earlier
run has found, stopped or not, is taken from there, unless the tests or the engines have changed since.

Exit status: 0 when the tests kill at least 95 % of the mutants that are not equivalent, 1 when less or when
something is wrong, 130 after Ctrl-C, which prints what is known so far.
"""
import argparse
import datetime
import os
import random
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor, as_completed

import labs  # first: it says where the others are
import children
from labs import ROOT, CourseError
from mutation.running import remove
from readings import number_option, standard_output

KILLED_LEAST_PERCENT = 95
EQUIVALENT_MOST_PERCENT = 10


def load_mutation():
    """They need libclang, and say so when it is missing."""
    from mutation import changes, equivalent, fates, judges, table
    return changes, equivalent, fates, judges, table


class Mutation:
    """One run over the mutants of one lab."""

    def __init__(self, judge, changes, reasons, kept, anew):
        self.judge, self.changes, self.reasons, self.kept, self.anew = judge, changes, reasons, kept, anew
        self.fates = []  # (change, "no_program" | "equivalent" | "killed" | "survived")
        self.killers = {}  # test: how many mutants it was the first to kill
        self.wrong = []  # false claims of equivalent.toml, in words

    def find_fate(self, number, change):
        """In a thread of its own. Returns (fate, its Killer or None)."""
        folder = os.path.join(self.judge.scratch, str(number))
        source = os.path.join(folder, change.file)
        os.makedirs(folder)
        try:
            with open(source, "wb") as file:
                file.write(change.applied())
            same = self.judge.is_same_program(change.file, source, folder)
            if same is None:
                return "no_program", None
            if same:
                return "equivalent", None
            killer = self.judge.killer({change.file: source}, folder, change.function,
                                       self.kept.last_killer(change))
        finally:
            remove(folder)
        return ("killed", killer) if killer else ("survived", None)

    def keep(self, change, fate, killer):
        self.kept.keep(change, fate, killer)
        if fate == "survived" and change in self.reasons:
            fate = "equivalent"
        self.fates.append((change, fate))
        where = f"{self.judge.name}/{change.file}:{change.line_number}"
        if killer:
            self.killers[killer.name] = self.killers.get(killer.name, 0) + 1
            if change in self.reasons:
                self.wrong.append(f"equivalent.toml is wrong about {where}: {change.becomes}\n{killer} kills it")
        if os.environ.get("V") == "1":
            print(f"# {where}: {change.rule}: {change.becomes}: {killer or fate}", flush=True)
        if fate == "survived":
            print(f"{where}: {change.rule}, in {change.function}\n{change.diff()}", flush=True)

    def run(self, chosen, jobs):
        """Returns whether it came to the end."""
        chosen = self.not_known(chosen)
        pool = ThreadPoolExecutor(jobs)
        try:  # the first mutants run while the last ones are handed over
            futures = {pool.submit(self.find_fate, number, change): change for number, change in enumerate(chosen)}
            for future in as_completed(futures):
                self.keep(futures[future], *future.result())
        except KeyboardInterrupt:
            return False
        finally:
            self.judge.runner.stop()
            pool.shutdown(cancel_futures=True)
        return True

    def not_known(self, chosen):
        """Takes over what an earlier run has found. Returns the changes that are left."""
        left = []
        for change in chosen:
            known = None if self.anew else self.kept.known(change)
            if known:
                self.keep(change, *known)
            else:
                left.append(change)
        if self.fates:
            print(f"{len(self.fates)} of {len(chosen)} changes are known from an earlier run of the same programs",
                  flush=True)
        return left

    def survivors(self):
        order = {change: number for number, change in enumerate(self.changes)}
        return sorted((c for c, fate in self.fates if fate == "survived"), key=order.get)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lab", nargs="?", help="a lab, as in 04, or a folder of labs/")
    parser.add_argument("--check-page", action="store_true", help="only check that docs/mutation.md counts the "
                        "changes that are made today")
    parser.add_argument("--jobs", type=number_option.whole(1, 1000), default=os.cpu_count(), help="mutants at once (default: CPUs)")
    parser.add_argument("--rule", help="only the changes of this rule")
    parser.add_argument("--function", help="only the changes in this function")
    parser.add_argument("--sample", type=number_option.whole(0, 10 ** 9), metavar="N", help="only N changes, chosen at random")
    parser.add_argument("--only-survivors", action="store_true", help="only the changes that survived when they were "
                        "tried last, without those of equivalent.toml")
    parser.add_argument("--anew", action="store_true", help="also what is known from an earlier run of the same programs")
    parser.add_argument("--seed", type=int, default=1, help="seed of that choice (default 1)")
    return parser.parse_args()


def choose(o, changes, rules):
    if o.rule and o.rule not in rules:
        raise CourseError(f"no rule is called '{o.rule}'; there are {', '.join(rules)}")
    functions = sorted({c.function for c in changes})
    if o.function and o.function not in functions:
        raise CourseError(f"no function is called '{o.function}'; there are {', '.join(functions)}")
    chosen = [c for c in changes if o.rule in (None, c.rule) and o.function in (None, c.function)]
    if o.sample is not None and o.sample < len(chosen):
        picked = set(random.Random(o.seed).sample(range(len(chosen)), o.sample))
        chosen = [c for number, c in enumerate(chosen) if number in picked]
    return chosen


def check_page(scratch):
    """Is each section of docs/mutation.md of the engines and rules as they are? Returns the exit status."""
    changes, _, _, judges, table = load_mutation()
    stale = []
    for name, section in table.read_page().items():
        judge = judges.judge_for(name, scratch)
        if table.is_stale(section, changes_of(judge, changes)):
            stale.append(name)
    for name in stale:
        print(f"mutate: docs/mutation.md counts other changes of {name} than are made now: make mutate LAB={name}",
              file=sys.stderr)
    return 1 if stale else 0


def changes_of(judge, changes):
    all_of_them = [c for file in judge.files for c in changes.changes_of(judge.path(file), file, judge.flags())]
    functions = judge.unmutated["functions"]
    unknown = sorted(set(functions) - {c.function for c in all_of_them})
    if unknown:
        raise CourseError(f"labs/{judge.name}/lab.toml: no function is called '{unknown[0]}' (unmutated)")
    return [c for c in all_of_them if c.function not in functions]


def mutate(o, scratch):
    """Returns the exit status."""
    if o.check_page:
        return check_page(scratch)
    if not o.lab:
        raise CourseError("which lab? make mutate LAB=04")
    changes, equivalent, fates, judges, table = load_mutation()
    judge = judges.judge_for(o.lab, scratch)
    made = changes_of(judge, changes)
    reasons = equivalent.read(judge.folder, made)
    chosen = choose(o, made, changes.RULES)
    if judge.unmutated["functions"]:
        print(f"not changed: {', '.join(judge.unmutated['functions'])}: {judge.unmutated['why']}", flush=True)
    judge.prepare(o.anew)
    kept = fates.Fates(judge.name, made, judge.digest())
    if o.only_survivors:
        chosen = [c for c in chosen if kept.has_survived(c) and c not in reasons]
    mutation = Mutation(judge, made, reasons, kept, o.anew)
    ended = mutation.run(chosen, o.jobs)

    survivors = mutation.survivors()
    rows = table.count_by_rule(mutation.fates)
    counts = rows["all"]
    if not ended:
        print(f"stopped: {len(mutation.fates)} of {len(chosen)} changes were tried")
    print(f"\n{judge.name}\n{table.text_table(rows)}\n"
          f"{sum(fate == 'no_program' for _, fate in mutation.fates)} more changes do not compile")
    if mutation.killers:
        most = sorted(mutation.killers.items(), key=lambda item: -item[1])[:5]
        print("killed most: " + ", ".join(f"{test} {count}" for test, count in most))
    if survivors:
        path = os.path.join(ROOT, "build", "mutation", f"{judge.name}.toml")
        labs.write(path, "\n".join(equivalent.entry_for(c, made) for c in survivors))
        print(f"{os.path.relpath(path)} has an entry for each survivor, for {equivalent.NAME}: if it is equivalent, "
              "write the reason")
    if not ended:
        return children.INTERRUPTED
    wrong = mutation.wrong
    if len(chosen) == len(made):
        if 100 * counts["equivalent"] > EQUIVALENT_MOST_PERCENT * counts["made"]:
            wrong.append(f"more than {EQUIVALENT_MOST_PERCENT} % are equivalent")
        if judge.folder.startswith(os.path.join(ROOT, "labs", "")):
            today = datetime.date.today().isoformat()
            table.write_page(judge.name, table.page_section(judge.name, rows, survivors, today, made, judge.unmutated))
    if table.share(counts) < KILLED_LEAST_PERCENT:
        wrong.append(f"less than {KILLED_LEAST_PERCENT} % are killed")
    for words in wrong:
        print(f"mutate: {words}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    o = read_options()
    children.catch_signals()
    # The names of folders in it must be short: the tests put sockets there.
    scratch = tempfile.mkdtemp(prefix="mutate-", dir=os.environ.get("TMPDIR", "/var/tmp"))
    try:
        status = mutate(o, scratch)
    except CourseError as error:
        sys.exit(f"mutate: {error}")
    except KeyboardInterrupt:
        status = children.INTERRUPTED
    finally:
        remove(scratch)
    sys.exit(status)


if __name__ == "__main__":
    with standard_output.needed("mutate"):
        main()
