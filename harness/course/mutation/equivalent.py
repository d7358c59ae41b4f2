# SPDX-License-Identifier: MIT
"""equivalent.toml of a lab: the mutants that are no worse than the reference, each with a reason.

    [[equivalent]]
    rule = "comparison"
    function = "epoll_reap"                      # or "(file)"
    line = 'while (count < max) {'               # the line as it stands, blanks squeezed
    becomes = 'while (count <= max) {'           # the line as the rule leaves it
    reason = "count never reaches max here, since ..."

An entry that fits several mutants also says which, counted from 1: occurrence = 2. `file` is needed only
where the same function is in two files of a lab.
"""
import os
import tomllib

from labs import CourseError

NAME = "equivalent.toml"
NEEDED = ("rule", "function", "line", "becomes", "reason")
OPTIONAL = ("file", "occurrence")


def fits(entry, change):
    return all(entry[key] == getattr(change, key) for key in ("rule", "function", "line", "becomes")) and \
        entry.get("file", change.file) == change.file


def read(folder, changes):
    """{change: reason}. An entry that fits none, or more than one, is an error."""
    path = os.path.join(folder, NAME)
    if not os.path.exists(path):
        return {}
    try:
        with open(path, "rb") as file:
            entries = tomllib.load(file).get("equivalent", [])
    except tomllib.TOMLDecodeError as error:
        raise CourseError(f"{path}: {error}") from error
    found, wrong = {}, []
    for number, entry in enumerate(entries, 1):
        odd = [key for key in NEEDED if not str(entry.get(key, "")).strip()]
        unknown = set(entry) - {*NEEDED, *OPTIONAL}
        if odd or unknown:
            wrong.append(f"entry {number}: " + (f"{odd[0]} is missing" if odd else f"what is {unknown.pop()}?"))
            continue
        fitting = [change for change in changes if fits(entry, change)]
        which = entry.get("occurrence", 1)
        if which > len(fitting) or which < 1:
            wrong.append(f"entry {number} fits no mutant: {entry['rule']} in {entry['function']}: {entry['line']}")
        elif len(fitting) > 1 and "occurrence" not in entry:
            wrong.append(f"entry {number} fits {len(fitting)} mutants; add occurrence = 1 or another: {entry['line']}")
        elif fitting[which - 1] in found:
            wrong.append(f"entry {number} names a mutant that another entry names: {entry['line']}")
        else:
            found[fitting[which - 1]] = entry["reason"]
    if wrong:
        raise CourseError("\n".join(f"{path}: {words}" for words in wrong))
    return found


def entry_for(change, changes):
    """An entry whose reason somebody has yet to write."""
    alike = [c for c in changes if (c.file, c.rule, c.function, c.line, c.becomes) ==
             (change.file, change.rule, change.function, change.line, change.becomes)]
    lines = ["[[equivalent]]"]
    for key in ("file", "rule", "function", "line", "becomes"):
        text = getattr(change, key)
        quote = "'''" if "'" in text else "'" if '"' in text or "\\" in text else '"'
        lines.append(f"{key} = {quote}{text}{quote}")
    if len(alike) > 1:
        lines.append(f"occurrence = {alike.index(change) + 1}")
    return "\n".join([*lines, 'reason = ""']) + "\n"
