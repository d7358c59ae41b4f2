# SPDX-License-Identifier: MIT
"""The learner's own files of a lab: they begin as the starter, and are never overwritten."""
import hashlib
import os
import time

import labs
from labs import ROOT, CourseError


def shown(path):
    """The path as one types it, from the root of the repository."""
    relative = os.path.relpath(path, ROOT)
    return path if relative.startswith("..") else relative


def names_of_files(lab):
    """"work/04_epoll/engine.c"; of several "work/12_async_await: promise.c, await.c"."""
    if len(lab.files) == 1:
        return shown(lab.work(lab.files[0]))
    return f"{shown(lab.work())}: {', '.join(lab.files)}"


def present(lab):
    return [name for name in lab.files if os.path.exists(lab.work(name))]


def is_begun(lab):
    return bool(present(lab))


def need(lab):
    """Raises CourseError, with one line on what to do, unless the working copy is whole."""
    absent = [name for name in lab.files if name not in present(lab)]
    if len(absent) == len(lab.files) and os.path.isdir(lab.work()):
        raise CourseError(f"{shown(lab.work(lab.files[0]))} is gone: make start LAB={lab.number} puts the starter "
                          "there")
    if len(absent) == len(lab.files):
        raise CourseError(f"lab {lab.number} is not started yet: make start LAB={lab.number}")
    if absent:
        raise CourseError(f"{shown(lab.work(absent[0]))} is missing; make start LAB={lab.number} "
                          "puts its starter there and leaves your other files alone")


def read(path):
    """The text of a file, in any encoding."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def write_missing(lab):
    """Writes the starter's files that are missing. Returns their names."""
    starter = lab.starter()
    written = [name for name in lab.files if name not in present(lab)]
    for name in written:
        labs.write(lab.work(name), starter[name])
    return written


def write_makefile(lab):
    """Makes the course's commands work in the working copy's folder, too, for the lab that lies there."""
    path = lab.work("Makefile")
    if not os.path.exists(path):
        root = os.path.relpath(ROOT, lab.work())
        labs.write(path, "# make hint, make check-lab ...: as from the root of the repository.\n"
                   f"%: ; @$(MAKE) --no-print-directory -C '{root}' $@ $(if $(LAB),,LAB={lab.number})\n"
                   "all: check-lab\n.DEFAULT_GOAL := check-lab\nMakefile: ;\n")


def set_aside(lab, names):
    """Moves files into a new folder beside the working copy. Returns the folder."""
    stamp = time.strftime("%Y-%m-%dT%H%M%S")
    for attempt in range(1, 100):
        folder = f"{lab.work()}.old-{stamp}" + (f"-{attempt}" if attempt > 1 else "")
        try:
            os.makedirs(folder)
            break
        except FileExistsError:
            continue
    for name in names:
        os.rename(lab.work(name), os.path.join(folder, name))
    return folder


def digest(lab):
    """Of the files as they are now, to tell whether they have changed since they passed."""
    text = hashlib.sha256()
    for name in present(lab):
        with open(lab.work(name), "rb") as file:
            text.update(name.encode() + b"\0" + file.read() + b"\0")
    return text.hexdigest()[:16]


def stamps(lab):
    """Changes with every save of a source or header in the working copy."""
    found = []
    for entry in os.scandir(lab.work()) if os.path.isdir(lab.work()) else []:
        if entry.name.endswith((*labs.SOURCES, ".h")):
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            found.append((entry.name, status.st_mtime_ns, status.st_size, status.st_ino))
    return sorted(found)
