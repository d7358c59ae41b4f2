# SPDX-License-Identifier: MIT
"""A report as Markdown (CommonMark and GitHub's tables), for pasting into a text of one's own.

It is read as plain text, too: lines are wrapped, columns are aligned, and nothing is escaped that
needs not be.
"""
import re
import textwrap

from pages import nodes
from readings.quantities import DASH

WIDTH = 110
ALIGNED = 44  # what is longer does not widen its column
FIGURES = "figures/report"  # where the figures' files lie, from the report

ALWAYS = re.compile(r"([\\`*\[\]<|~$]|&(?=[\w#]))")
# Between two letters an underscore is one, and it stays as it is.
UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
# What would begin a list, a heading or a quotation, or make one of the line above.
BEGINNING = re.compile(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[+-](?:\s|$)|#{1,6}(?:\s|$)|[=-]+\s*$|>))")
SPACE = "\0"  # in code, until lines are wrapped: a code span stays on its line


def page(report):
    return _Page().whole(report)


def figure_path(figure):
    return f"{FIGURES}/{figure.name}.png"


def escaped(text):
    """Text that is text, on one line."""
    text = re.sub(r"\s+", " ", str(text))
    return UNDERSCORE.sub(r"\\_", ALWAYS.sub(r"\\\1", text))


def code(text):
    """A code span; in a table "|" needs its backslash even here."""
    longest = max(map(len, re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{space}{text}{space}{fence}".replace(" ", SPACE)


def line(words):
    """The words of a line as Markdown."""
    match words:
        case None:
            return ""
        case list() | tuple():
            return "".join(line(word) for word in words)
        case nodes.Strong(inner):
            return f"**{line(inner)}**"
        case nodes.Soft(inner):
            return line(inner)
        case nodes.Code(text):
            return code(text)
        case nodes.Link(inner):
            return f"[{line(inner)}]({words.url})"
        case nodes.Label(text):
            return escaped(text)
    return escaped(words)


def wrapped(text, first="", rest=""):
    """Lines that are not too long, none of which begins as a list or a heading does."""
    lines = textwrap.wrap(text, WIDTH - len(first), break_long_words=False, break_on_hyphens=False)
    lines = [BEGINNING.sub(lambda found: f"{found[1] or ''}\\", words) for words in lines]
    return "\n".join((rest if i else first) + words for i, words in enumerate(lines))


def fenced(text):
    longest = max(map(len, re.findall(r"^`+", text, re.MULTILINE)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}sh\n{text}\n{fence}"


class _Page:
    """Counts what is numbered while it writes."""

    def __init__(self):
        self.figures = 0
        self.tables = 0

    def whole(self, report):
        contents = nodes.Bullets([nodes.Link(section.title, nodes.to(section.title))
                                  for section in report.sections])
        blocks = [f"# {escaped(report.title)}", *self.blocks(report.lead, 2),
                  self.block(contents, 2), *self.blocks(report.sections, 2)]
        return "\n\n".join(block for block in blocks if block).replace(SPACE, " ") + "\n"

    def blocks(self, blocks, level):
        return [self.block(block, level) for block in blocks]

    def block(self, block, level):
        match block:
            case nodes.Section(title, blocks):
                return "\n\n".join([f"{'#' * level} {escaped(title)}",
                                    *self.blocks(blocks, level + 1)])
            case nodes.Paragraph(words):
                return wrapped(line(words))
            case nodes.Notice(items):
                return "\n>\n".join(wrapped(line(item), "> ", "> ") for item in items)
            case nodes.Bullets(items):
                return "\n".join(wrapped(line(item), "- ", "  ") for item in items)
            case nodes.Facts(pairs):
                return "\n".join(self.fact(*pair) for pair in pairs)
            case nodes.Commands(text):
                return fenced(text)
            case nodes.Folded(words, text):
                return f"{wrapped(line([words, ':']))}\n\n{fenced(text)}"
            case nodes.FillIn(title, hint):
                return wrapped(f"**{escaped(title)}** {escaped(hint)} *(To be filled in.)*",
                               "> ", "> ")
            case nodes.Grid(blocks):
                return "\n\n".join(self.blocks(blocks, level))
            case nodes.Figure():
                return self.figure(block)
            case nodes.Table():
                return self.table(block)
        raise TypeError(f"not a block of a report: {block!r}")

    def fact(self, term, words):
        lines = words if isinstance(words, tuple) else (words,)
        return wrapped(f"**{escaped(term)}**: {'; '.join(line(words) for words in lines)}",
                       "- ", "  ")

    def figure(self, block):
        self.figures += 1
        picture = wrapped(f"![{escaped(block.alt)}]({figure_path(block)})")
        return f"{picture}\n\n" + wrapped(f"**Figure {self.figures}.** {line(block.caption)}")

    def table(self, table):
        """One table for each part: a line of Markdown cannot hold many columns."""
        self.tables += 1
        blocks = [wrapped(f"**Table {self.tables}.** {escaped(table.caption)}")]
        if table.kind == "prose":
            return "\n\n".join(blocks + [self.listed(table, group) for group in table.groups])
        first = 0
        for part in table.parts:
            if part.title:
                blocks.append(wrapped(f"{escaped(part.title)}:"))
            blocks.append(self.part(table, part, first))
            first += len(part.heads)
        return "\n\n".join(blocks)

    def listed(self, table, group):
        """Rows whose cells are sentences: each a list of them."""
        heads = [head for part in table.parts for head in part.heads]
        lines = []
        for words, *cells in group.rows:
            lines.append(wrapped(f"**{line(words)}**", "- ", "  "))
            lines += [wrapped(f"{escaped(head)}: {line(cell.words)}", "  - ", "    ")
                      for head, cell in zip(heads, cells)]
        return "\n".join(lines)

    def part(self, table, part, first):
        width = len(part.heads)
        rows = [[escaped(table.head), *map(escaped, part.heads)]]
        for group in table.groups:
            if group.title:
                rows.append([f"**{escaped(group.title)}**"] + [""] * width)
            for words, *cells in group.rows:
                if cells and isinstance(cells[0], nodes.Reason):
                    row = [cells[0].kind] + [""] * (width - 1)
                else:
                    row = [cell_words(cell) for cell in cells[first:first + width]]
                rows.append([in_table(line(words)), *row])
        return aligned(rows)


def in_table(text):
    """`line` has escaped "|" in text already, but not in code."""
    return re.sub(r"(?<!\\)\|", r"\\|", text)


def cell_words(cell):
    if cell.words is None:
        return DASH
    under = f" ({', '.join(map(line, cell.under))})" if cell.under else ""
    return in_table(line(cell.words) + under)


def aligned(rows):
    """Rows of a pipe table, the first being its head."""
    columns = list(zip(*rows))
    widths = [max([3] + [len(text) for text in column if len(text) <= ALIGNED])
              for column in columns]
    rows = [rows[0], ["-" * width for width in widths], *rows[1:]]
    return "\n".join("| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |"
                     for row in rows)
