# SPDX-License-Identifier: MIT
"""What a submission holds, and where. No link in it is followed, and no read can block."""
import errno
import os
import stat

from grading import reports
from labs import CourseError

SOURCE_BYTES_MOST = 1 << 20
LISTED_MOST = 20  # of the files that no lab asks for


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


def other_files(folder, taken):
    """The files in a submission that are not graded."""
    found = []
    for path, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            relative = os.path.relpath(os.path.join(path, name), folder)
            if relative not in taken:
                found.append(reports.printable(relative))
            if len(found) > LISTED_MOST:
                return [*found[:LISTED_MOST], "..."]
    return found


def submissions_in(folder, all_labs):
    """[(name, path)]: the folder itself, or the folders in it."""
    if any(place_of(folder, lab) is not None for lab in all_labs):
        path = os.path.abspath(folder)
        name = os.path.basename(path)
        if any(name == lab.name for lab in all_labs):  # one person's "work/04_epoll"
            above = os.path.dirname(path)
            above = os.path.dirname(above) if os.path.basename(above) == "work" else above
            name = f"{os.path.basename(above)}-{name}" if os.path.basename(above) else name
        return [(name, folder)]
    return sorted((entry.name, entry.path) for entry in os.scandir(folder)
                  if entry.is_dir(follow_symlinks=False) or
                  (entry.is_symlink() and os.path.isdir(entry.path)))
