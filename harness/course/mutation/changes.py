# SPDX-License-Identifier: MIT
"""Changes to a C file by rule, each of which makes a mutant of it. libclang finds the places."""
import re
from dataclasses import dataclass, field

from labs import CourseError

try:
    from clang import cindex
except ImportError as missing:
    raise CourseError("this python has no clang.cindex (libclang's binding): run "
                      "harness/setup.sh check, or set PYTHON") from missing

K = cindex.CursorKind

RULES = {
    "statement": "a statement is gone",
    "condition": "a condition is turned",
    "comparison": "a comparison is off by one",
    "constant": "a constant is off by one",
    "argument": "an argument is 0",
    "flag": "a flag or a member's value is missing",
    "error_path": "an error path is skipped",
}
FILE_LEVEL = "(file)"  # in place of a function's name

TURNED = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
OFF_BY_ONE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)([uUlL]*)")
WORD_OR_INTEGER = re.compile(rb"\b(?:0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*\b|[A-Za-z_]\w*")
LEAVES = (K.RETURN_STMT, K.GOTO_STMT, K.BREAK_STMT, K.CONTINUE_STMT)
REMOVED = (K.CALL_EXPR, K.BINARY_OPERATOR, K.COMPOUND_ASSIGNMENT_OPERATOR, K.UNARY_OPERATOR,
           K.BREAK_STMT, K.CONTINUE_STMT, K.GOTO_STMT)
# An error's number as a branch of ?:, as in n < 0 ? -errno : n
IS_ERROR = re.compile(r"-\s*(errno|error|E[A-Z0-9]+)")


def squeezed(text):
    return " ".join(text.split())


@dataclass(frozen=True)
class Change:
    file: str  # "engine.c"
    rule: str
    function: str
    begin: int  # the bytes [begin, end) of the file become `text`
    end: int
    text: bytes
    source: bytes = field(repr=False, hash=False, compare=False)

    def applied(self):
        """The whole file, changed. It keeps its count of lines, so that places stay the same."""
        gone = self.source[self.begin:self.end].count(b"\n") - self.text.count(b"\n")
        return self.source[:self.begin] + self.text + b"\n" * gone + self.source[self.end:]

    @property
    def line_number(self):
        return self.source.count(b"\n", 0, self.begin) + 1

    def _lines(self, middle):
        """The whole lines that the change touches, with `middle` in its place."""
        first = self.source.rfind(b"\n", 0, self.begin) + 1
        last = self.source.find(b"\n", self.end)
        return (self.source[first:self.begin] + middle + self.source[self.end:last]).decode()

    @property
    def line(self):
        return squeezed(self._lines(self.source[self.begin:self.end]))

    @property
    def becomes(self):
        return squeezed(self._lines(self.text))

    def diff(self):
        before = self._lines(self.source[self.begin:self.end]).splitlines()
        after = self._lines(self.text).rstrip().splitlines()
        return "\n".join([f"-{line}" for line in before] + [f"+{line}" for line in after])


def parse(path, args):
    """The syntax tree of a file that compiles."""
    try:
        tree = cindex.Index.create().parse(path, args=args)
    except (cindex.LibclangError, cindex.TranslationUnitLoadError) as error:
        raise CourseError(f"libclang: {squeezed(str(error))}") from error
    wrong = [d for d in tree.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if wrong:
        raise CourseError(f"libclang: {wrong[0].location.file}:{wrong[0].location.line}: {wrong[0].spelling}")
    return tree


def bare(cursor):
    """Without conversions and parentheses around it."""
    while cursor.kind in (K.UNEXPOSED_EXPR, K.PAREN_EXPR):
        inner = list(cursor.get_children())
        if len(inner) != 1:
            break
        cursor = inner[0]
    return cursor


class Finder:
    """Collects the changes of one file."""

    def __init__(self, path, file, args):
        self.path, self.file = path, file
        with open(path, "rb") as opened:
            self.source = opened.read()
        self.function = FILE_LEVEL
        self.found = {}
        for cursor in parse(path, args).cursor.get_children():
            if cursor.location.file and cursor.location.file.name == path:
                self.top_level(cursor)
        self.defines()

    def add(self, rule, begin, end, text):
        if isinstance(text, str):
            text = text.encode()
        change = Change(self.file, rule, self.function, begin, end, text, self.source)
        if self.source[begin:end] != text:
            self.found.setdefault((begin, end, text), change)

    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def text(self, cursor):
        begin, end = self.span(cursor)
        return self.source[begin:end].decode()

    def top_level(self, cursor):
        body = [c for c in cursor.get_children() if c.kind == K.COMPOUND_STMT]
        if cursor.kind == K.FUNCTION_DECL and body:
            self.function = cursor.spelling
            self.walk(body[0])
            self.booleans(*self.span(body[0]))
            self.function = FILE_LEVEL
        elif cursor.kind in (K.VAR_DECL, K.ENUM_DECL):
            self.walk(cursor)

    def walk(self, cursor):
        for rule in self.BY_KIND.get(cursor.kind, ()):
            rule(self, cursor)
        for child in cursor.get_children():
            self.walk(child)

    # A statement is gone.

    def compound(self, cursor):
        for child in cursor.get_children():
            self.statement(child)

    def labelled(self, cursor):
        """case, default and a label hold their first statement."""
        children = list(cursor.get_children())
        self.statement(children[-1])
        if cursor.kind == K.CASE_STMT and children[-1].kind == K.RETURN_STMT:
            self.remove(children[-1])

    def statement(self, cursor):
        if bare(cursor).kind in REMOVED:
            self.remove(cursor)

    def remove(self, cursor):
        self.add("statement", *self.span(cursor), "")

    # A condition is turned, an error path is skipped.

    def if_statement(self, cursor):
        children = list(cursor.get_children())
        self.turn(children[0])
        for body in children[1:]:
            self.branch(body)
        if len(children) == 2 and self.leaves(children[1]):
            self.add("error_path", *self.span(children[0]), f"({self.text(children[0])}) && 0")

    def branch(self, cursor):
        """The statement after if, else or a loop's head; a way out is error_path's."""
        if cursor.kind not in LEAVES:
            self.statement(cursor)

    @staticmethod
    def leaves(body):
        if body.kind == K.COMPOUND_STMT:
            inner = list(body.get_children())
            return bool(inner) and inner[-1].kind in LEAVES
        return body.kind in LEAVES

    def while_loop(self, cursor):
        condition, body = list(cursor.get_children())[-2:]
        self.turn(condition)
        self.branch(body)

    def do_loop(self, cursor):
        body, condition = list(cursor.get_children())
        self.turn(condition)
        self.branch(body)

    def for_loop(self, cursor):
        """libclang leaves out the parts that are absent, so the semicolons tell which is which."""
        *parts, body = cursor.get_children()
        self.branch(body)
        if not self.text(cursor).startswith("for"):  # it comes of a library's macro, which differs between versions
            return
        at = self.source.index(b"(", cursor.extent.start.offset) + 1
        depth, semicolons = 0, []
        while len(semicolons) < 2:
            depth += {ord("("): 1, ord(")"): -1}.get(self.source[at], 0)
            if self.source[at] == ord(";") and depth == 0:
                semicolons.append(at)
            at += 1
        for part in parts:
            if semicolons[0] < part.extent.start.offset < semicolons[1]:
                self.turn(part)

    def choice(self, cursor):
        condition, yes, no = list(cursor.get_children())
        if self.span(condition) == self.span(cursor):  # it comes of a library's macro, as assert() does
            return
        self.turn(condition)
        for branch, other in ((yes, no), (no, yes)):
            if IS_ERROR.match(self.text(branch)):
                self.add("error_path", *self.span(cursor), self.text(other))

    def turn(self, cursor):
        """Each operand of && and || alone."""
        inner = bare(cursor)
        sides = self.sides(inner)
        if sides and sides[1] in ("&&", "||"):
            self.turn(sides[0])
            self.turn(sides[2])
        elif sides and sides[1] in TURNED:
            self.replace_operator("condition", sides, TURNED[sides[1]])
        elif inner.kind == K.UNARY_OPERATOR and self.text(inner).startswith("!"):
            begin, end = self.span(inner)
            self.add("condition", begin, end, self.text(inner)[1:])
        else:
            self.add("condition", *self.span(cursor), f"!({self.text(cursor)})")

    def sides(self, cursor):
        """(left, operator, right) of a binary operator that stands in this file as it reads."""
        if cursor.kind != K.BINARY_OPERATOR:
            return None
        left, right = cursor.get_children()
        begin, end = self.span(left)[1], self.span(right)[0]
        operator = self.source[begin:end].decode().strip()
        return (left, operator, right) if re.fullmatch(r"[-+*/%<>=!&|^]{1,3}", operator) else None

    def replace_operator(self, rule, sides, operator):
        begin, end = self.span(sides[0])[1], self.span(sides[2])[0]
        between = self.source[begin:end].decode()
        self.add(rule, begin, end, between.replace(sides[1], operator))

    # A comparison or a constant is off by one, a flag is missing.

    def binary(self, cursor):
        sides = self.sides(cursor)
        if not sides:
            return
        left, operator, right = sides
        if operator in TURNED or operator in ("&&", "||"):
            self.turn(cursor)
        if operator in OFF_BY_ONE:
            self.replace_operator("comparison", sides, OFF_BY_ONE[operator])
        if operator == "|":
            for gone, kept in ((left, right), (right, left)):
                deeper = self.sides(bare(gone))
                if not deeper or deeper[1] != "|":
                    self.add("flag", *self.span(cursor), self.text(kept))

    def integer(self, cursor):
        begin, end = self.span(cursor)
        self.off_by_one(begin, end)

    def off_by_one(self, begin, end):
        literal = INTEGER.fullmatch(self.source[begin:end].decode())
        if not literal:
            return  # a macro's
        digits, suffix = literal.groups()
        octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
        value = int(digits, 8) if octal else int(digits, 0)
        for other in (value + 1, value - 1):
            if other >= 0:
                self.add("constant", begin, end, (f"0{other:o}" if octal else str(other)) + suffix)

    def booleans(self, begin, end):
        """true and false are macros, so only the text shows them."""
        for word in WORD_OR_INTEGER.finditer(self.without_comments(), begin, end):
            if word[0] in (b"true", b"false"):
                self.add("constant", *word.span(), "false" if word[0] == b"true" else "true")

    def defines(self):
        text = self.without_comments()
        for line in re.finditer(rb"^#[ \t]*define[ \t]+\w+[ \t]+((?:.*\\\n)*.*)$", text, re.M):
            for word in WORD_OR_INTEGER.finditer(text, *line.span(1)):
                self.off_by_one(*word.span())
            for pattern in (rb"\b\w+\s*\|(?!\|)\s*", rb"(?<!\|)\|\s*\w+\b(?!\s*\|)"):
                for flag in re.finditer(pattern, line[1]):
                    self.add("flag", line.start(1) + flag.start(), line.start(1) + flag.end(), "")

    def without_comments(self):
        """The source with blanks in place of comments and strings."""
        return re.sub(rb"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"",
                      lambda m: re.sub(rb"[^\n]", b" ", m[0]), self.source, flags=re.S)

    def initialiser(self, cursor):
        """.member = value of a local object: the member stays 0."""
        if self.function == FILE_LEVEL:
            return
        for child in cursor.get_children():
            begin, end = self.span(child)
            named = re.match(rb"\.\w+(\.\w+)*\s*=\s*", self.source[begin:end])
            if named and self.source[begin + named.end():end] not in (b"0", b"NULL"):
                self.add("flag", begin + named.end(), end, "0")

    # An argument is 0.

    def call(self, cursor):
        for number, argument in enumerate(cursor.get_arguments()):
            text = self.text(argument)
            kind = argument.type.get_canonical().kind
            if number == 0 and kind == cindex.TypeKind.POINTER:
                continue  # what the call is about: without it the program only crashes
            if text.startswith('"'):
                break  # a format: what follows are values for words
            if text in ("0", "NULL", "false") or kind == cindex.TypeKind.RECORD:
                continue
            begin, end = self.span(argument)
            inside = self.span(cursor)
            if inside[0] < begin and end < inside[1]:  # else the call is a macro's
                self.add("argument", begin, end, "0")

    BY_KIND = {
        K.COMPOUND_STMT: (compound,),
        K.CASE_STMT: (labelled,),
        K.DEFAULT_STMT: (labelled,),
        K.LABEL_STMT: (labelled,),
        K.IF_STMT: (if_statement,),
        K.WHILE_STMT: (while_loop,),
        K.DO_STMT: (do_loop,),
        K.FOR_STMT: (for_loop,),
        K.CONDITIONAL_OPERATOR: (choice,),
        K.BINARY_OPERATOR: (binary,),
        K.INTEGER_LITERAL: (integer,),
        K.INIT_LIST_EXPR: (initialiser,),
        K.CALL_EXPR: (call,),
    }


def changes_of(path, file, args):
    """All changes of the C file at `path`, which is called `file`, in the order of their places."""
    found = Finder(path, file, args).found.values()
    return sorted(found, key=lambda c: (c.begin, list(RULES).index(c.rule), c.end, c.text))
