# SPDX-License-Identifier: MIT
"""Limits on memory and processes by control group, version 1 or 2, where one may be made.

The kernel keeps a group when its maker is killed. So the maker holds a lock on the folder, which ends with it,
and the next grader removes what nobody holds.
"""
import contextlib
import fcntl
import os
import signal
import time

MEMORY_BYTES = 1 << 30
PROCESSES = 400  # a lab's test program may have 256 threads
PREFIX = "iolab-"


class ControlGroup:
    """A control group below our own, or else below one of its parents. Each controller is looked for
    in version 1 and version 2."""

    def __init__(self, name, controllers=("memory", "pids")):
        self.name = PREFIX + name
        self.folders = {}  # by controller
        self.locks = []
        parents = own_groups() if controllers else {}
        for controller in controllers:
            for folder in parents.get(controller, parents.get("", [])):
                if self._make(controller, os.path.join(folder, self.name)):
                    break

    def _make(self, controller, folder):
        limits = {"memory": [("memory.max", MEMORY_BYTES), ("memory.limit_in_bytes", MEMORY_BYTES)],
                  "pids": [("pids.max", PROCESSES)]}[controller]
        try:
            if folder not in self.folders.values():
                self.locks.append(make_locked(folder))
            for file, value in limits:
                if os.path.exists(os.path.join(folder, file)):
                    with open(os.path.join(folder, file), "w", encoding="ascii") as limit:
                        limit.write(str(value))
                    self.folders[controller] = folder
        except OSError:
            pass
        if controller not in self.folders:
            if folder not in self.folders.values():
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            return False
        # Otherwise the kernel would swap to stay within the limit. Not every kernel has the file.
        for file in ("memory.swap.max", "memory.memsw.limit_in_bytes"):
            if controller == "memory" and os.path.exists(os.path.join(folder, file)):
                with contextlib.suppress(OSError):
                    with open(os.path.join(folder, file), "w", encoding="ascii") as limit:
                        limit.write("0" if "swap.max" in file else str(MEMORY_BYTES))
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for folder in set(self.folders.values()):
            remove(folder)
        for number in self.locks:
            os.close(number)


def make_locked(folder):
    """Returns an open descriptor, which holds the lock."""
    while True:
        os.mkdir(folder)
        with contextlib.suppress(FileNotFoundError):
            number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(number, fcntl.LOCK_EX)
            if os.path.isdir(folder):
                return number
            os.close(number)  # remove_abandoned() of another grader was faster


def remove(folder):
    """Ends the processes in it first."""
    for _ in range(100):
        try:
            with open(os.path.join(folder, "cgroup.procs"), encoding="ascii") as file:
                for pid in file.read().split():
                    with contextlib.suppress(OSError):
                        os.kill(int(pid), signal.SIGKILL)
            os.rmdir(folder)
            break
        except FileNotFoundError:
            break
        except OSError:
            time.sleep(0.02)  # the kernel does not say when the last process is gone


def remove_abandoned():
    """Removes the groups of graders that were killed, wherever this grader could make one of its own."""
    for parent in {folder for folders in own_groups().values() for folder in folders}:
        for entry in os.scandir(parent) if os.path.isdir(parent) else []:
            if not entry.name.startswith(PREFIX) or not entry.is_dir(follow_symlinks=False):
                continue
            with contextlib.suppress(OSError):
                number = os.open(entry.path, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    remove(entry.path)
                finally:
                    os.close(number)


def own_groups():
    """{controller: [folder of our own control group, of its parent, ...]}; "" means version 2."""
    mounts, found = {}, {}
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            before, after = line.split(" - ", 1)
            root, point = before.split()[3:5]
            kind, _, options = after.split()[:3]
            for controller in [""] if kind == "cgroup2" else options.split(",") if kind == "cgroup" else []:
                mounts[controller] = (root, point)
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, own = line.strip().split(":", 2)
            for controller in controllers.split(","):
                if controller not in mounts:
                    continue
                root, point = mounts[controller]
                below = os.path.relpath(own, root) if own.startswith(root) else "."
                parts = [] if below in (".", "/") or below.startswith("..") else below.split("/")
                found[controller] = [os.path.join(point, *parts[:n]) for n in range(len(parts), -1, -1)]
    return found
