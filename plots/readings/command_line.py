# SPDX-License-Identifier: MIT
"""The command that made something, as it is typed in iolab's folder."""
import shlex

from readings import shape

SHAPE = shape.maybe(shape.either(shape.text, shape.list_of(shape.text), expected="a command"))


def command_line(argv):
    """Some commands record the program by its name alone."""
    if not isinstance(argv, list):
        return argv or ""
    return shlex.join(["build/iolab", *argv[1:]] if argv[:1] == ["iolab"] else argv)
