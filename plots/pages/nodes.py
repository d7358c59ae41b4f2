# SPDX-License-Identifier: MIT
"""What a report is made of: one description, which write_html.py and write_markdown.py render.

The words of a line are text, one of Strong, Soft, Code, Link and Label, or a list of these. Headings
take their level from the sections that they are in.
"""
import re
from dataclasses import dataclass
from urllib.parse import quote


@dataclass(frozen=True)
class Strong:
    words: object


@dataclass(frozen=True)
class Soft:
    """What may be read second."""

    words: object


@dataclass(frozen=True)
class Code:
    text: str


@dataclass(frozen=True)
class Link:
    words: object
    target: str  # a file beside the report, or a section by to()

    @property
    def url(self):
        return quote(self.target, safe="/#")


@dataclass(frozen=True)
class Label:
    """An engine's; a long one may break where its parts meet."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    words: object


@dataclass(frozen=True)
class Notice:
    """What has to be known before anything else is read."""

    items: list


@dataclass(frozen=True)
class Bullets:
    items: list


@dataclass(frozen=True)
class Facts:
    pairs: list  # (term, words); a tuple of words stands for several lines


@dataclass(frozen=True)
class Commands:
    text: str


@dataclass(frozen=True)
class Folded:
    """Commands that few will read: on a screen a window on them, on paper all."""

    words: object
    text: str


@dataclass(frozen=True)
class FillIn:
    """A place for a text of the reader's own."""

    title: str
    hint: str


@dataclass(frozen=True)
class Figure:
    name: str  # of its file
    svg: str
    png: bytes
    alt: str
    caption: object


@dataclass(frozen=True)
class Grid:
    """Blocks that may stand side by side."""

    blocks: list


@dataclass(frozen=True)
class Cell:
    words: object  # None: there is nothing
    under: tuple = ()  # lines below, or in brackets behind
    soft: bool = False


@dataclass(frozen=True)
class Reason:
    """In place of all cells of a row: why there are none."""

    kind: str
    text: str


@dataclass(frozen=True)
class Part:
    """Columns that belong together."""

    title: str
    heads: list


@dataclass(frozen=True)
class Group:
    """Rows that belong together."""

    title: str
    rows: list  # [words of the row's head, Cell or Reason...]


@dataclass(frozen=True)
class Table:
    caption: str
    head: str  # of the first column
    parts: list
    groups: list
    # "numbers": many narrow columns. "stacked": a phone shows a row as a list. "prose": so does plain
    # text. "hashes": as stacked, with long words that may break anywhere.
    kind: str = "numbers"


@dataclass(frozen=True)
class Section:
    title: str
    blocks: list


@dataclass(frozen=True)
class Report:
    title: str
    name: str  # for a browser's tab
    lead: list
    sections: list


def anchor(title):
    """As GitHub makes it of a heading, so that a link leads to the same place in both."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def to(title):
    """The target of a Link to a section."""
    return "#" + anchor(title)


def figures_of(blocks):
    """Every figure below these blocks, in order."""
    for block in blocks:
        if isinstance(block, Figure):
            yield block
        elif isinstance(block, (Section, Grid)):
            yield from figures_of(block.blocks)
