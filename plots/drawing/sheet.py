# SPDX-License-Identifier: MIT
"""A sheet that figures are laid out on: paragraphs, notes, and panels with the names of their engines.

All lengths are inches from the left and upper edge. The height of a sheet follows from what is on
it, so nothing can overlap: blocks are gathered first and placed when their heights are known.
"""
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Callable

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from drawing import style

WIDE_IN = 7.2  # the text width of a printed page; names stand to the right
NARROW_IN = 4.25  # half a screen, or a phone; names stand below

EDGE_IN = 0.08
HANG_IN = 0.12
LINE_IN = 0.135  # of the smaller text
NAME_PT = 7
HEADING_PT = 7.5
NOTE_PT = 6.5
HANDLE_IN = 0.3
LEADER_IN = 0.2
TICKS_IN = 0.62  # tick labels and the axis' name to the left of a cell
INNER_IN = 0.18  # between two cells with the same scale
OWN_SCALE_IN = 0.55  # with different ones: room for tick labels
X_AXIS_IN = 0.42
HEADING_IN = 0.19
ROW_IN = 0.175
NAMES_SHARE = 0.4  # of a sheet’s width: as much as labels may take


@dataclass
class Cell:
    """One pair of axes. `paint` draws into it and answers where each line ends, in data units."""

    paint: Callable
    heading: str = ""


@dataclass
class Plan:
    """What a figure shows of one panel."""

    cells: list = field(default_factory=list)
    x_label: str = ""
    y_label: str = ""
    names: list = field(default_factory=list)  # of the lines; none when the rows carry the names
    absent: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    height_in: float = 2.1  # of one cell
    columns: int = 2  # of cells, at most
    own_scales: bool = False  # has each cell an upright scale of its own?
    message: str = ""  # in place of the cells


@lru_cache(maxsize=20000)
def text_width_in(text, size_pt, weight="normal"):
    font = FontProperties(family=style.SETTINGS["font.family"], size=size_pt, weight=weight)
    return text_to_path.get_text_width_height_descent(text, font, False)[0] / 72


def wrapped(text, width_in, size_pt, weight="normal"):
    """Lines that fit; a word that is too long for a line is cut. A no-break space holds."""
    lines = []
    line, taken_in = "", 0
    space_in = text_width_in("a a", size_pt, weight) - text_width_in("aa", size_pt, weight)
    for word in re.split("[ \n]+", text.strip(" \n")):
        word_in = text_width_in(word, size_pt, weight)
        if line and taken_in + space_in + word_in <= width_in:
            line, taken_in = f"{line} {word}", taken_in + space_in + word_in
            continue
        if line:
            lines.append(line)
        while word_in > width_in and len(word) > 1:
            fits = max(1, int(len(word) * width_in / word_in) - 1)
            lines.append(word[:fits])
            word = word[fits:]
            word_in = text_width_in(word, size_pt, weight)
        line, taken_in = word, word_in
    return lines + [line] if line else lines


def fitted(text, width_in, size_pt, weight="normal"):
    """The text, or its beginning and end with an ellipsis between."""
    if text_width_in(text, size_pt, weight) <= width_in:
        return text
    for kept in range(min(len(text) - 1, 200), 1, -1):
        shortened = f"{text[:-(-kept // 2)]}…{text[-(kept // 2):]}"
        if text_width_in(shortened, size_pt, weight) <= width_in:
            return shortened
    return "…"


class Sheet:
    def __init__(self, width_in, bare=False):
        self.width_in = width_in
        self.bare = bare  # for a page that has title, machine and legend already
        self.height_in = 0
        self._blocks = []
        self._figure = None

    def add(self, height_in, place=None):
        """`place(top_in)` is called when the sheet is drawn; without it the block is a gap."""
        if place:
            self._blocks.append((self.height_in, place))
        self.height_in += height_in

    def paragraph(self, text, size_pt=NOTE_PT, left_in=EDGE_IN, line_in=LINE_IN, **keywords):
        for line in wrapped(text, self.width_in - left_in - EDGE_IN, size_pt,
                            keywords.get("weight", "normal")):
            self.add(line_in, lambda top, line=line: self.text(
                left_in, top + line_in / 2, line, fontsize=size_pt, **keywords))

    def note(self, mark, text):
        """A paragraph that hangs from a mark."""
        for i, line in enumerate(wrapped(text, self.width_in - 2 * EDGE_IN - HANG_IN, NOTE_PT)):
            self.add(LINE_IN, lambda top, i=i, line=line: (
                self.text(EDGE_IN, top + LINE_IN / 2, "" if i else mark, fontsize=NOTE_PT,
                          color=style.GREY),
                self.text(EDGE_IN + HANG_IN, top + LINE_IN / 2, line, fontsize=NOTE_PT,
                          color=style.GREY)))

    def message(self, text):
        """What stands where a panel would be."""
        lines = wrapped(text, self.width_in - 6 * EDGE_IN, NAME_PT)
        height_in = LINE_IN * (len(lines) + 2)

        def place(top_in):
            self.rectangle(EDGE_IN, top_in, self.width_in - 2 * EDGE_IN, height_in,
                           facecolor=style.SHADE)
            for i, line in enumerate(lines):
                self.text(3 * EDGE_IN, top_in + (i + 1.5) * LINE_IN, line, fontsize=NAME_PT,
                          style="italic", color=style.GREY)

        self.add(height_in, place)

    def plan(self, plan):
        """A panel, or the message in its place."""
        if plan.message:
            self.message(plan.message)
        else:
            PanelBlock(self, plan).add()

    def plan_with_notes(self, plan):
        self.plan(plan)
        for note in plan.notes:
            self.note(note.mark, str(note))

    def figure(self):
        self._figure = Figure(figsize=(self.width_in, self.height_in))
        for top_in, place in self._blocks:
            place(top_in)
        return self._figure

    def across(self, x_in):
        return x_in / self.width_in

    def down(self, y_in):
        return 1 - y_in / self.height_in

    def text(self, x_in, y_in, text, **keywords):
        self._figure.text(self.across(x_in), self.down(y_in), text,
                          **{"va": "center_baseline", "ha": "left", **keywords})

    def line(self, xs_in, ys_in, **keywords):
        self._figure.add_artist(Line2D([self.across(x) for x in xs_in],
                                       [self.down(y) for y in ys_in], **keywords))

    def rectangle(self, left_in, top_in, width_in, height_in, **keywords):
        self._figure.add_artist(Rectangle(
            (self.across(left_in), self.down(top_in + height_in)), self.across(width_in),
            height_in / self.height_in, **keywords))

    def axes(self, left_in, top_in, width_in, height_in):
        return self._figure.add_axes((self.across(left_in), self.down(top_in + height_in),
                                      width_in / self.width_in, height_in / self.height_in))

    def position_in(self, axes, point):
        """A point in the axes' data units as (x_in, y_in)."""
        across, up = axes.transData.transform(point) / self._figure.dpi
        return across, self.height_in - up


class PanelBlock:
    """One panel on a sheet."""

    def __init__(self, sheet, plan):
        self.sheet = sheet
        self.plan = plan
        self.names_right = bool(plan.names) and sheet.width_in >= WIDE_IN
        self.columns = 1 if plan.rows else min(plan.columns, len(plan.cells))
        self.lines = -(-len(plan.cells) // self.columns)
        everyone = plan.names + plan.absent
        self.name_room_in = NAMES_SHARE * sheet.width_in  # a label may be as long as it likes
        widest_in = max((text_width_in(n, NAME_PT) for n in everyone + plan.rows), default=0)
        self.name_in = HANDLE_IN + min(widest_in, self.name_room_in)
        self.left_in = TICKS_IN
        self.right_in = sheet.width_in - 0.12
        if plan.rows:
            self.left_in = 0.2 + min(widest_in, self.name_room_in)
        if self.names_right:
            self.right_in = sheet.width_in - EDGE_IN - LEADER_IN - self.name_in

        self.cell_in = plan.height_in
        if plan.rows:
            self.cell_in = ROW_IN * (len(plan.rows) + 0.4)
        self.heading_in = HEADING_IN if any(c.heading for c in plan.cells) else 0
        if self.names_right:
            needed = LINE_IN * (len(everyone) + 1) / self.lines - self.heading_in
            self.cell_in = max(self.cell_in, needed)
        self.between_in = 0.34 if plan.own_scales else 0.22  # two lines of cells
        self.cells_in = self.lines * (self.cell_in + self.heading_in) + (self.lines - 1) * self.between_in

        names_across = sheet.width_in - 2 * EDGE_IN
        self.name_columns = max(1, int(names_across / (self.name_in + 0.1)))
        below = plan.names and not self.names_right
        self.names_below_in = LINE_IN * -(-len(everyone) // self.name_columns) if below else 0

    def add(self):
        self.sheet.add(self.cells_in + X_AXIS_IN + self.names_below_in, self._place)

    def _place(self, top_in):
        plan, sheet = self.plan, self.sheet
        gap_in = 0 if self.columns == 1 else OWN_SCALE_IN if plan.own_scales else INNER_IN
        width_in = (self.right_in - self.left_in - gap_in * (self.columns - 1)) / self.columns
        ends = []
        for i, cell in enumerate(plan.cells):
            line, column = divmod(i, self.columns)
            left_in = self.left_in + column * (width_in + gap_in)
            cell_top_in = top_in + self.heading_in + line * (self.cell_in + self.heading_in + self.between_in)
            axes = sheet.axes(left_in, cell_top_in, width_in, self.cell_in)
            found = cell.paint(axes)
            if found:
                ends.append((axes, found))
            self._shorten_rows(axes)
            if cell.heading:
                heading = fitted(cell.heading, sheet.width_in - 2 * EDGE_IN, HEADING_PT)
                room_in = sheet.width_in - EDGE_IN - text_width_in(heading, HEADING_PT)
                sheet.text(min(left_in, room_in), cell_top_in - 0.09, heading,
                           fontsize=HEADING_PT, color=style.GREY)
            last_of_column = i + self.columns >= len(plan.cells)
            axes.tick_params(labelleft=column == 0 or plan.own_scales,
                             labelbottom=last_of_column or plan.own_scales)
            if not last_of_column:
                axes.set_xlabel("")
        bottom_in = top_in + self.cells_in
        sheet.text((self.left_in + self.right_in) / 2, bottom_in + 0.3, plan.x_label, ha="center")
        if plan.y_label:
            sheet.text(EDGE_IN + 0.06, top_in + self.cells_in / 2, plan.y_label, rotation=90,
                       ha="center", va="center")
        if plan.names:
            self._name(top_in, ends)

    def _shorten_rows(self, axes):
        for text in axes.get_yticklabels() if self.plan.rows else ():
            if text_width_in(text.get_text(), NAME_PT) > self.name_room_in:
                shown = [fitted(row, self.name_room_in, NAME_PT) for row in self.plan.rows]
                axes.set_yticklabels(shown)
                return

    def _name(self, top_in, ends):
        """Names in the order in which the lines end, the highest first."""
        plan, sheet = self.plan, self.sheet
        axes, end_of = ends[0] if ends else (None, {})
        y_in = {label: sheet.position_in(axes, end)[1] for label, end in end_of.items()}
        order = sorted(plan.names, key=lambda label: y_in.get(label, 1e9))
        everyone = order + plan.absent
        if not self.names_right:
            per_column = -(-len(everyone) // self.name_columns)
            pitch_in = (sheet.width_in - 2 * EDGE_IN) / self.name_columns
            for i, label in enumerate(everyone):
                column, line = divmod(i, per_column)
                self._key(EDGE_IN + column * pitch_in,
                          top_in + self.cells_in + X_AXIS_IN + (line + 0.5) * LINE_IN, label)
            return
        direct = bool(end_of) and len(plan.cells) == 1
        first_in = top_in + self.heading_in + LINE_IN / 2
        last_in = top_in + self.cells_in
        wanted = [y_in.get(label, first_in) if direct else first_in for label in order]
        wanted += [last_in if direct else first_in] * len(plan.absent)
        left_in = self.right_in + LEADER_IN
        for label, y in zip(everyone, spaced(wanted, LINE_IN, first_in, last_in)):
            self._key(left_in, y, label)
            if direct and label in end_of:
                x_end, y_end = sheet.position_in(axes, end_of[label])
                sheet.line([x_end + 0.05, left_in - 0.02], [y_end, y], linewidth=0.5, alpha=0.6,
                           color=style.look_of(label).colour)

    def _key(self, left_in, y_in, label):
        sheet = self.sheet
        shown = fitted(label, self.name_room_in, NAME_PT)
        if label in self.plan.absent:
            sheet.line([left_in + 0.12], [y_in], marker="x", markersize=3.2, color=style.GREY,
                       markeredgewidth=0.8, linestyle="none")
            sheet.text(left_in + HANDLE_IN, y_in, shown, fontsize=NAME_PT, color=style.GREY,
                       style="italic")
            return
        look = style.look_of(label)
        sheet.line([left_in, left_in + 0.24], [y_in, y_in], color=look.colour, linestyle=look.line,
                   linewidth=1.2)
        sheet.line([left_in + 0.12], [y_in], color=look.colour, linestyle="none",
                   **look.marker_keywords(4.2))
        sheet.text(left_in + HANDLE_IN, y_in, shown, fontsize=NAME_PT)


def spaced(wanted, step, first, last):
    """Positions close to the (ascending) wanted ones, at least a step apart, first .. last."""
    placed = []
    for want in wanted:
        placed.append(max(want, placed[-1] + step) if placed else max(want, first))
    limit = last
    for i in reversed(range(len(placed))):
        placed[i] = min(placed[i], limit)
        limit = placed[i] - step
    return placed
