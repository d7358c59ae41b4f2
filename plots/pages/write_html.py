# SPDX-License-Identifier: MIT
"""A report as one HTML page that needs nothing else: styles and figures are in it."""
import os
import re

from pages import nodes
from pages.markup import Markup, tag
from readings.quantities import DASH

CSS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "report.css")

LOOKS = {"numbers": "numbers", "stacked": "stacked", "prose": "stacked", "hashes": "stacked hashes"}


def page(report):
    return _Page().whole(report)


def line(words):
    """The words of a line as HTML."""
    match words:
        case list() | tuple():
            return [line(word) for word in words]
        case nodes.Strong(inner):
            return tag("b", line(inner))
        case nodes.Soft(inner):
            return tag("span", line(inner), class_="soft")
        case nodes.Code(text):
            return tag("code", text)
        case nodes.Link(inner, target):
            shown = "shown" if inner == target or target.startswith("#") else None
            return tag("a", line(inner), href=words.url, class_=shown)
        case nodes.Label(text):
            return [part if part.isalnum() else [part, Markup("<wbr>")]
                    for part in re.split(r"([:+_])", text)]
    return words


def inline_svg(text, prefix, alt):
    """An SVG file as an element of a page: no prologue, no fixed size, identifiers of its own."""
    text = text[text.index("<svg"):]
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{prefix}', text)
    text = re.sub(r'((?:xlink:)?href="|url\()#', rf"\1#{prefix}", text)
    view = re.search(r'viewBox="([^"]*)"', text).group(1)
    body = text[text.index(">") + 1:]
    opening = tag("svg", viewBox=view, role="img", aria_label=alt,
                  style="stroke-linejoin: round; stroke-linecap: butt")
    return Markup(opening.removesuffix("</svg>") + body)


class _Page:
    """Counts what is numbered while it writes."""

    def __init__(self):
        self.figures = 0
        self.tables = 0
        self.anchors = {}

    def whole(self, report):
        with open(CSS, encoding="utf-8") as file:
            css = Markup(file.read())
        contents = [tag("li", tag("a", section.title, href=nodes.to(section.title)))
                    for section in report.sections]
        return "<!DOCTYPE html>\n" + tag(
            "html",
            tag("head", tag("meta", charset="utf-8"),
                tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
                tag("title", report.name), tag("style", css)),
            tag("body", tag("header", tag("h1", report.title), self.blocks(report.lead, 2)),
                tag("nav", tag("ul", contents), aria_label="Contents"),
                tag("main", self.blocks(report.sections, 2))),
            lang="en") + "\n"

    def blocks(self, blocks, level):
        return [self.block(block, level) for block in blocks]

    def block(self, block, level):
        match block:
            case nodes.Section(title, blocks):
                return tag("section", tag(f"h{level}", title, id=self.anchor(title)),
                           self.blocks(blocks, level + 1))
            case nodes.Paragraph(words):
                return tag("p", line(words))
            case nodes.Notice(items):
                return tag("ul", [tag("li", line(item)) for item in items], class_="notice")
            case nodes.Bullets(items):
                return tag("ul", [tag("li", line(item)) for item in items])
            case nodes.Facts(pairs):
                return tag("dl", [self.fact(*pair) for pair in pairs], class_="facts")
            case nodes.Commands(text):
                return tag("pre", text)
            case nodes.Folded(words, text):
                return tag("div", tag("p", line(words)),
                           tag("pre", text, tabindex=0, role="region", aria_label="Commands"),
                           class_="folded")
            case nodes.FillIn(title, hint):
                return tag("div", tag("p", tag("b", title), " ", hint), class_="fill-in")
            case nodes.Grid(blocks):
                return tag("div", self.blocks(blocks, level), class_="figures")
            case nodes.Figure():
                return self.figure(block)
            case nodes.Table():
                return self.table(block)
        raise TypeError(f"not a block of a report: {block!r}")

    def anchor(self, title):
        """As GitHub does it: what was there before gets a number."""
        name = nodes.anchor(title)
        before = self.anchors.get(name, 0)
        self.anchors[name] = before + 1
        return f"{name}-{before}" if before else name

    def fact(self, term, words):
        lines = words if isinstance(words, tuple) else (words,)
        return tag("dt", term), [tag("dd", line(words)) for words in lines]

    def figure(self, block):
        self.figures += 1
        return tag("figure", inline_svg(block.svg, f"f{self.figures}-", block.alt),
                   tag("figcaption", tag("b", f"Figure {self.figures}."), " ", line(block.caption)))

    def table(self, table):
        self.tables += 1
        name = f"table-{self.tables}"
        heads = [head for part in table.parts for head in part.heads]
        parted = any(part.title for part in table.parts)
        first = tag("th", table.head, scope="col", rowspan=2 if parted else None)
        columns = [tag("th", head, scope="col") for head in heads]
        if parted:
            above = [tag("th", part.title, scope="colgroup", colspan=len(part.heads))
                     for part in table.parts]
            head = [tag("tr", first, above), tag("tr", columns)]
        else:
            head = tag("tr", first, columns)
        bodies = []
        for group in table.groups:
            title = tag("tr", tag("th", tag("span", group.title), colspan=len(heads) + 1,
                                  scope="rowgroup"), class_="group") if group.title else None
            bodies.append(tag("tbody", title, [self.row(row, heads) for row in group.rows]))
        return [tag("p", tag("b", f"Table {self.tables}."), " ", table.caption, class_="caption",
                    id=name),
                tag("div", tag("table", tag("thead", head), bodies, class_=LOOKS[table.kind],
                               aria_labelledby=name),
                    class_="scroll", tabindex=0, role="region", aria_labelledby=name)]

    def row(self, row, heads):
        words, *cells = row
        found = []
        for cell, head in zip(cells, heads):
            if isinstance(cell, nodes.Reason):
                found.append(tag("td", tag("span", f"{cell.kind}: {cell.text}"),
                                 colspan=len(heads), class_="reason"))
                break
            under = [tag("small", line(words)) for words in cell.under]
            looks = "empty" if cell.words is None else "soft" if cell.soft else None
            found.append(tag("td", DASH if cell.words is None else line(cell.words), under,
                             data_name=head, class_=looks))
        return tag("tr", tag("th", line(words), scope="row"), found)


