# SPDX-License-Identifier: MIT
"""What the configurations of a panel have in common, as harness/workloads/panel.h describes it."""
import json
from dataclasses import dataclass

from readings import shape

SHAPE = shape.record({"id": shape.text, "values": shape.map_of(shape.anything),
                      "text": shape.text_of_at_most(1000)})


@dataclass(frozen=True, eq=False)
class Work:
    """Two are equal when their identifiers and values are. Their texts, for titles, are not compared."""

    id: str  # the name of the workload
    values: dict
    text: str

    def __str__(self):
        return self.text

    def __eq__(self, other):
        return isinstance(other, Work) and self._what() == other._what()

    def __hash__(self):
        return hash(self._what())

    def _what(self):
        return self.id, json.dumps(self.values, sort_keys=True)


def read(entry):
    """Of checked JSON."""
    return Work(entry["id"], entry["values"], entry["text"])
