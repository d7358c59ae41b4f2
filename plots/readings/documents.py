# SPDX-License-Identifier: MIT
"""A file of a results folder that holds no comparison: a trace, a table."""
import os
from dataclasses import dataclass

from readings import command_line, foreign_load, json_file, remarks, study_notes
from readings.shape import count, maybe, record, text


def document_shape(fields):
    """What all documents have, and `fields`."""
    return record({"env": maybe(record({"cpus_online": maybe(count)})), "command": command_line.SHAPE,
                   "rounds": maybe(count), "time_utc": maybe(text),
                   "idle_baseline": foreign_load.IDLE_SHAPE, **fields})


@dataclass(frozen=True)
class Document:
    path: str
    content: dict

    @property
    def env(self):
        return self.content.get("env") or {}

    @property
    def command(self):
        return command_line.command_line(self.content.get("command"))

    @property
    def rounds(self):
        """None where the document has none to count."""
        return self.content.get("rounds")

    @property
    def time_utc(self):
        return self.content.get("time_utc") or ""

    @property
    def quick(self):
        return study_notes.was_quick(*os.path.split(self.path))

    @property
    def load(self):
        return foreign_load.foreign_load(self.content.get("idle_baseline"), self.env)

    def confidences_pct(self):
        """Of each interval of a median in it."""
        return list(_confidences(self.content))


def _confidences(content):
    """What has a mean is a ratio, whose interval is another one."""
    if isinstance(content, dict):
        if isinstance(content.get("confidence_pct"), (int, float)) and (content.get("count") or 0) > 1:
            if "mean" not in content:
                yield content["confidence_pct"]
            return
        content = list(content.values())
    if isinstance(content, list):
        for item in content:
            yield from _confidences(item)


def load(folder, name, schema, shape, made_by):
    """The file `name` of the folder, or None when it is not there."""
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        return None
    return Document(path, with_remarks(json_file.read(path, schema, shape, made_by)))


REASONS = ("reason", "threads_reason", "cause", "cure")


def with_remarks(content):
    """The content with its reasons and warnings as Remarks."""
    if isinstance(content, list):
        return [with_remarks(item) for item in content]
    if not isinstance(content, dict):
        return content
    found = {}
    for key, value in content.items():
        if key in REASONS and isinstance(value, dict):
            found[key] = remarks.read(value)
        elif key == "warnings" and isinstance(value, list):
            found[key] = [remarks.read(warning) for warning in value]
        else:
            found[key] = with_remarks(value)
    return found
