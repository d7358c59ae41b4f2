# SPDX-License-Identifier: MIT
"""The sentences of a header's comments, each with what it is said of.

The rules at the top have titles ("Memory.   All that operations need ..."). A comment further down speaks
of what is declared behind it, or on its own line. What does not end like a sentence is a note beside a field.
"""
import re

COMMENT = re.compile(r"/\*(.*?)\*/", re.S)
# "Short I/O.   A count ...": the title of a paragraph, then its text.
TITLE = re.compile(r"^ ?([A-Z][\w /-]{0,12}\.)\s+(?=\S)")
NUMBERED = re.compile(r"^\s+\d\. ")
# Of a picture, of code that is shown, and of a list: so far to the right, behind an empty line.
INDENTED = re.compile(r"^ {4,}\S")
# A sentence ends before a capital, a parenthesis, a quoted name, a number, an error or a call.
END = re.compile(r"(?<=[.?])\s+(?=[A-Z(`0-9]|-E[A-Z]|[a-z_]+\()")
# The member whose comment stands behind it on the same line.
MEMBER_BEFORE = re.compile(r"(\w+)(?:\[.*\])?(?: = [^;]*)?[;,]$")
# What a comment speaks of: a macro, a structure, a function, a call behind a pointer, a value, a variable.
DECLARED = re.compile(r"(?:#if[^\n]*\n)?#define (\w+)|(?:typedef )?(?:struct|enum) (\w+) \{|[^;{}=(]*?(\w+)\(|"
                      r"[^;{}]*?\(\*(\w+)\)\(|(?:\w+[ *]+)*\*?(\w+)\W", re.S)
ATTRIBUTE = re.compile(r"__attribute__\(\(\w+\)\)|_Alignas\(\d+\) ")
HEADING_WORDS_MOST = 4
OVERVIEW = "Overview"


def states_rules(text):
    """Whether its top has paragraphs with titles: then it is a contract."""
    return any(TITLE.match(line.removeprefix(" *")) for line in text[:text.index("#ifndef ")].splitlines())


def split(text):
    """The sentences of one paragraph. One that ends with a colon has a list behind it, or code."""
    for sentence in END.split(" ".join(text.split())):
        if sentence.endswith((".", ".)", "?", ":")):
            yield sentence


def paragraphs(comment, has_titles):
    """Yields (title or None, text). The items of a numbered list are paragraphs of their own."""
    title, lines, skips, is_after_gap = None, [], False, True
    for line in comment.splitlines():
        line = re.sub(r"^\s*\*", "", line).rstrip()
        own_title = TITLE.match(line) if has_titles else None
        if not line:
            yield title, "\n".join(lines)
            lines, is_after_gap, skips = [], True, False
            continue
        if NUMBERED.match(line):
            yield title, "\n".join(lines)
            lines, skips = [NUMBERED.sub("", line) + "."], False
        elif own_title and not INDENTED.match(line):
            yield title, "\n".join(lines)
            title, lines, skips = own_title[1].rstrip("."), [line[own_title.end():]], False
        elif is_after_gap and INDENTED.match(line):
            skips = True
        elif not skips:
            lines.append(line)
        is_after_gap = False
    yield title, "\n".join(lines)


def declared(code):
    found = DECLARED.match(ATTRIBUTE.sub("", code.lstrip().removeprefix("static inline")))
    return next(filter(None, found.groups())) if found else "the file"


def sentences(text):
    """Yields (what it is said of, sentence), in order, of a whole header."""
    guard = text.index("#ifndef ")
    for comment in COMMENT.finditer(text):
        before = text[:comment.start()].rsplit("\n", 1)[-1].strip()
        behind = text[comment.end():]
        member = MEMBER_BEFORE.search(before)
        is_at_top = comment.start() < guard
        if not behind.lstrip().startswith("__asm__"):  # inside of a function: of that one
            of = OVERVIEW if is_at_top else member[1] if member else declared(behind)
        found = [(title or of, sentence) for title, paragraph in paragraphs(comment[1], is_at_top)
                 for sentence in split(paragraph)]
        # "Timers." alone on its line heads what follows.
        if found and behind.startswith("\n\n") and len(found[0][1].split()) <= HEADING_WORDS_MOST:
            heading = found.pop(0)[1].rstrip(".")
            found = [(heading, sentence) for _, sentence in found]
        yield from found
