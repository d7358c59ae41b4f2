# SPDX-License-Identifier: MIT
"""What a submission holds, and where. No link in it is followed, and no read can block."""
import errno
import os
import stat

from grading import reports
from labs import SOURCES, CourseError

SOURCE_BYTES_MOST = 1 << 20
OWN_FILES = (*SOURCES, ".h")
LISTED_MOST = 20  # of the files that no lab asks for
LOOKED_AT_MOST = 10_000
DEEPEST = 16  # folders
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar")


def take_file(folder, parts):
    """The bytes of folder/parts... No part may be a symbolic link. Raises CourseError."""
    name = "/".join(parts)
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        for part in parts[:-1]:
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
        # Checked before it is opened: opening a device can have effects.
        mode = os.stat(parts[-1], dir_fd=fd, follow_symlinks=False).st_mode
        if stat.S_ISREG(mode):
            file = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
            with os.fdopen(file, "rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                text = stream.read(SOURCE_BYTES_MOST + 1) if stat.S_ISREG(mode) else b""
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise CourseError(f"{name} refused: it is a symbolic link, or lies behind one") from error
        raise CourseError(f"{name} is missing" if error.errno == errno.ENOENT else
                          f"{name} cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)
    if not stat.S_ISREG(mode):
        what = "a symbolic link" if stat.S_ISLNK(mode) else "a folder" if stat.S_ISDIR(mode) else \
            "a fifo" if stat.S_ISFIFO(mode) else "no regular file"
        raise CourseError(f"{name} refused: it is {what}")
    if len(text) > SOURCE_BYTES_MOST:
        raise CourseError(f"{name} refused: larger than {SOURCE_BYTES_MOST >> 20} MiB")
    return text


def places(folder, lab):
    """The places where a submission may keep the files of a lab, as parts of a path."""
    own = [()] if os.path.basename(os.path.abspath(folder)) == lab.name else []
    return [*own, ("work", lab.name), (lab.name,), ()]


def place_of(folder, lab):
    """The first place that holds some of them, or None."""
    for parts in places(folder, lab):
        if any(os.path.lexists(os.path.join(folder, *parts, name)) for name in lab.files):
            return parts
    return None


def names_lab(folder, lab):
    """Does the submission itself say that it belongs to this lab?"""
    parts = place_of(folder, lab)
    return parts is not None and (parts != () or
                                  os.path.basename(os.path.abspath(folder)) == lab.name)


def is_dropping(name):
    """Is it what a file manager or an archiver leaves, and no person wrote?"""
    return name in ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini") or name.startswith("._")


def other_files(folder, taken):
    """The files in a submission that are not graded. Looks no deeper than DEEPEST, and not at all when
    there are very many."""
    found, seen = [], 0
    below = [()]
    while below and len(found) <= LISTED_MOST and seen < LOOKED_AT_MOST:
        parts = below.pop()
        try:
            entries = sorted(os.scandir(os.path.join(folder, *parts)), key=lambda entry: entry.name)
        except OSError:
            continue
        folders = []
        for entry in entries:
            seen += 1
            relative = os.path.join(*parts, entry.name)
            if is_dropping(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                if len(parts) < DEEPEST:
                    folders.append((*parts, entry.name))
                else:
                    found.append(reports.shortened(reports.printable(relative), 100) + "/...")
            elif relative not in taken:
                found.append(reports.shortened(reports.printable(relative), 100))
        below += reversed(folders)
    return [*found[:LISTED_MOST], "..."] if len(found) > LISTED_MOST else found


def is_folder(entry):
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))


def describe_passed_over(names, what):
    shown = [reports.shortened(reports.printable(name), 60) for name in sorted(names)]
    more = [f"and {len(shown) - 8} more"] if len(shown) > 8 else []
    return f"not graded: {', '.join(shown[:8] + more)}: {what}"


def submissions_in(folder, all_labs):
    """[(name, path)]: the folder itself, or the folders in it. And words for each kind of what else is in
    a class's folder, which is no submission."""
    entries = [entry for entry in os.scandir(folder) if not is_dropping(entry.name)]
    folders = [entry for entry in entries if is_folder(entry) and not entry.name.startswith(".")]
    lab_names = {lab.name for lab in all_labs} | {"work"}
    places = [place for lab in all_labs if (place := place_of(folder, lab)) is not None]
    # A folder that is called like a lab may also lie among submissions, and so may a stray engine.c.
    others = [entry for entry in folders if entry.name not in lab_names and
              any(place_of(entry.path, lab) is not None for lab in all_labs)]
    if places and not others:
        path = os.path.abspath(folder)
        name = os.path.basename(path)
        if any(name == lab.name for lab in all_labs):  # one person's "work/04_epoll"
            above = os.path.dirname(path)
            above = os.path.dirname(above) if os.path.basename(above) == "work" else above
            name = f"{os.path.basename(above)}-{name}" if os.path.basename(above) else name
        return [(name, folder)], []
    files = [entry.name for entry in entries if not is_folder(entry) and not entry.name.startswith(".")]
    archives = [name for name in files if name.lower().endswith(ARCHIVES)]
    kinds = [(archives, "archives; unpack each into a folder of its own"),
             ([name for name in files if name.endswith(OWN_FILES)],
              "files beside the submissions; each belongs into a folder with its student's name"),
             ([name for name in files if not name.endswith(OWN_FILES) and name not in archives],
              "no folders, so no submissions"),
             ([entry.name for entry in folders if entry.name in lab_names] if others else [],
              "named like a lab; is it a submission whose student's name is missing?"),
             ([entry.name for entry in entries if is_folder(entry) and entry.name.startswith(".")],
              "hidden folders")]
    found = sorted((entry.name, entry.path) for entry in folders
                   if not others or entry.name not in lab_names)
    return found, [describe_passed_over(names, what) for names, what in kinds if names]
