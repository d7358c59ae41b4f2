# SPDX-License-Identifier: MIT
"""What became of each mutant of a lab, kept in build/mutation/ as soon as it is known. The next run takes it
from there as long as the tests and the engines are the same programs. After a change of them, what killed a
mutant is tried first on the same mutant."""
import collections
import dataclasses
import json
import os

import labs
from labs import ROOT

from .judges import Killer


def keys_of(changes):
    """{change: a key that stays when the engine's other lines change}"""
    seen, keys = collections.Counter(), {}
    for c in changes:
        words = f"{c.file}, {c.function}, {c.rule}: {c.line} -> {c.becomes}"
        seen[words] += 1
        keys[c] = f"{words} ({seen[words]})"
    return keys


class Fates:
    def __init__(self, name, changes, digest):
        self.path = os.path.join(ROOT, "build", "mutation", f"{name}.json")
        self.keys, self.digest = keys_of(changes), digest
        kept = json.loads(labs.read(self.path)) if os.path.exists(self.path) else {}
        self.kept = {key: entry for key, entry in kept.items() if key in self.keys.values()}

    def known(self, change):
        """(fate, its Killer or None) as a run over the same programs found it; None where none did."""
        entry = self.kept.get(self.keys[change], {})
        return (entry["fate"], self.last_killer(change)) if entry.get("programs") == self.digest else None

    def has_survived(self, change):
        """In the last run that tried it, over whatever programs."""
        return self.kept.get(self.keys[change], {}).get("fate") == "survived"

    def last_killer(self, change):
        killer = self.kept.get(self.keys[change], {}).get("killer")
        return Killer(**killer) if killer else None

    def keep(self, change, fate, killer):
        self.kept[self.keys[change]] = {"fate": fate, "killer": killer and dataclasses.asdict(killer),
                                        "programs": self.digest}
        self.write()

    def write(self):
        labs.write(self.path, json.dumps(self.kept, indent=0) + "\n")
