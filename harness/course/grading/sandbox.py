# SPDX-License-Identifier: MIT
"""Runs commands in a sandbox: as another user, with limits, in a file tree of only what they need.

Sandbox() tries once what this machine allows, and `barriers` says it in words. confined.py starts each
command.
"""
import contextlib
import errno
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from grading.confined import (CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
                      DATA_BYTES, MIB, PRIVATE, __file__ as CONFINED)
from grading.control_group import MEMORY_BYTES, PROCESSES, ControlGroup, remove_abandoned
from labs import CourseError

OUTPUT_BYTES = 4 * MIB  # further output of a command is thrown away
POLL_S = 0.05
DISK_BYTES = 2048 * MIB  # the file system may lose this much space while a command runs
INODES = 100_000
DISK_LEFT_BYTES = 48 * MIB  # with less than this left, nothing is graded
INODES_LEFT = 100
OWN_BYTES = 256 * MIB  # a command that holds this much, or this many files, filled the disk itself
OWN_FILES = 20_000


class Ungraded(Exception):
    """Something that the submission did not cause: it must get a grade later, not 0 points now."""


class Interrupted(Ungraded):
    def __str__(self):
        return "interrupted"


class EndedFromOutside(Ungraded):
    def __str__(self):
        return "a signal from outside ended a program of the grader's"


class DiskFull(Ungraded):
    def __str__(self):
        return "the disk was full"


def told(error):
    """An error of the grader's, in words for people. The disk may be full at any of the grader's steps."""
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return str(DiskFull())
        return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    return str(error) if isinstance(error, (Ungraded, CourseError)) else repr(error)


@dataclass
class Ended:
    """How a command ended."""

    status: int  # its exit status, or 128 + signal
    stdout: str
    stderr: str
    stopped: str  # why the grader ended it; "" when it ended on its own
    seconds: float
    late: bool = False  # was that because its time was over?


class Disk:
    """The file system below a folder, watched while a command runs."""

    def __init__(self, folder):
        self.folder, self.before = folder, os.statvfs(folder)

    def fills(self):
        """Has it lost more than a command may take, or is little left?"""
        now = os.statvfs(self.folder)
        lost = (self.before.f_bavail - now.f_bavail) * now.f_frsize
        return lost > DISK_BYTES or self.before.f_favail - now.f_favail > INODES or \
            now.f_bavail * now.f_frsize < DISK_LEFT_BYTES or 0 < now.f_files and now.f_favail < INODES_LEFT


class Sandbox:
    def __init__(self, scratch, hidden=(), sanitizers=True):
        """`scratch`: a folder of the grader's. `hidden`: folders that no command may see. Without `sanitizers` no
        program of theirs is wanted."""
        self.scratch, self.hidden = scratch, list(hidden)
        self.root = os.path.join(scratch, "root")  # each command builds its file tree here, unseen by others
        os.makedirs(self.root)
        self.is_root = os.geteuid() == 0
        self.sanitizers = sanitizers
        self.count = 0
        self.stopping = False  # another thread sets it to end all commands
        self.flags, refusal = self._probe()
        self.groups = self._probe_groups()
        self.barriers = self._describe(refusal)

    def _probe(self):
        """As many namespaces as possible, and the kernel's reason why there are not more."""
        base = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (0 if self.is_root else CLONE_NEWUSER)
        refusal = ""
        for flags in (base | CLONE_NEWPID | CLONE_NEWNET, base | CLONE_NEWPID, base | CLONE_NEWNET,
                      base, CLONE_NEWNET if self.is_root else 0, 0):
            self.flags, self.groups = flags, {}
            ended = self.run(["true"], wall_s=10)
            if ended.status == 0:
                return flags, refusal
            refusal = refusal or ended.stderr.strip() or f"status {ended.status}"
        raise OSError(f"cannot start a command here: {refusal}")

    @property
    def why_no_sanitizers(self):
        """Why no program of a sanitizer's may run here; "" when it may. Nobody watches its system calls, and it
        reserves more memory than rlimits could allow."""
        if not self.sanitizers:
            return "SANITIZERS=no"
        if not self.is_root or not self.flags & CLONE_NEWNS or not self.flags & CLONE_NEWPID:
            return "that needs root and namespaces"
        return "" if {"memory", "pids"} <= self.groups.keys() else "no control group may be used"

    def _probe_groups(self):
        remove_abandoned()
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(ControlGroup(f"probe-{os.getpid()}"))
            return {controller: None for controller in group.folders}

    def _describe(self, refusal):
        flags = self.flags
        without = f" ({refusal})" if refusal else ""
        yes_no = [
            (self.is_root, "user: each submission runs as a user of its own",
             "user: the grader's own, since the grader is not root"),
            (flags & CLONE_NEWNS,
             "files: a tree of its own (mount namespace) in which the repository, home folders and other "
             "submissions do not exist; /tmp, /var/tmp, /dev/shm are private and small",
             f"files: NOT hidden, no mount namespace{without}; only permissions, the list of included files "
             "and the proctor, which watches open(), protect them"),
            (flags & CLONE_NEWPID, "processes: a submission sees only its own (pid namespace), and they end with it",
             f"processes: NOT separate, no pid namespace{without}"),
            (flags & CLONE_NEWNET, "network: only its own loopback (network namespace)",
             f"network: NOT cut off, no network namespace{without}"),
            ("memory" in self.groups, f"memory: {MEMORY_BYTES // MIB} MiB by control group, and rlimits",
             f"memory: rlimits only ({DATA_BYTES // MIB} MiB a process), no control group may be used"),
            ("pids" in self.groups, f"number of processes: {PROCESSES} by control group, and a new one "
             "ends the test", "number of processes: no control group may be used; a new one ends the test"),
            (not self.why_no_sanitizers,
             "sanitizers: what passes runs again under AddressSanitizer and UBSan, and where a lab has threads "
             "under ThreadSanitizer",
             f"sanitizers: NOT run ({self.why_no_sanitizers})"),
        ]
        return [yes if condition else no for condition, yes, no in yes_no]

    def run(self, command, wall_s, uid=None, cwd="/", readable=(), writable=(), environment=None,
            cpu_s=None, reserves_much=False):
        """Runs the command until it ends, or ends it after `wall_s`. `reserves_much`: it maps terabytes that it
        does not use, so only the control group limits its memory. Returns Ended; raises Ungraded."""
        self.count += 1
        spec = {"flags": self.flags, "root": self.root, "hidden": self.hidden, "uid": uid, "cwd": cwd,
                "readable": list(readable), "writable": list(writable), "command": list(command),
                "cpu_s": cpu_s, "reserves_much": reserves_much, "environment": {"PATH": os.environ.get("PATH", os.defpath),
                                                "LANG": "C.UTF-8", "HOME": cwd, **(environment or {})}}
        with ControlGroup(f"{os.getpid()}-{self.count}", self.groups) as group:
            spec["groups"] = list(group.folders.values())
            start = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", os.path.abspath(CONFINED), json.dumps(spec)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True)
            try:
                texts, stopped, late = self._follow(process, start + wall_s, wall_s, writable)
            finally:
                # Everything it started is in its group or dies with it: see start_inside().
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                process.stdout.close()
                process.stderr.close()
            if not stopped and was_ended_from_outside(process.returncode):
                raise EndedFromOutside
            return Ended(process.returncode if not stopped else -1, *texts, stopped,
                         time.monotonic() - start, late)

    def _follow(self, process, deadline, wall_s, writable):
        texts = {process.stdout: bytearray(), process.stderr: bytearray()}
        disk = Disk(self.scratch)
        stopped, late = "", False
        with selectors.DefaultSelector() as selector:
            for stream in texts:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None  # asked first: then all its output is in the pipe
                for key, _ in selector.select(0 if ended else POLL_S):
                    piece = key.fileobj.read(65536)
                    if piece == b"":
                        selector.unregister(key.fileobj)
                    elif piece and len(texts[key.fileobj]) < OUTPUT_BYTES:
                        texts[key.fileobj] += piece
                        ended = False  # there may be more
                if ended:
                    if process.returncode != 0 and disk.fills() and not any(map(holds_much, writable)):
                        raise DiskFull  # it may have failed for want of space, whatever it says itself
                    break
                if not selector.get_map():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(POLL_S)
                if self.stopping:
                    raise Interrupted
                if time.monotonic() > deadline:
                    stopped, late = f"not done after {wall_s:.0f} s", True
                elif disk.fills():
                    if not any(map(holds_much, writable)):
                        raise DiskFull
                    stopped = "it filled the disk"
                if stopped:
                    break
        return [bytes(text).decode(errors="replace") for text in texts.values()], stopped, late

    def kill_user(self, uid):
        """Ends all processes of this user. After the end of a pid namespace there are none."""
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(OSError):
                os.setgid(uid)
                os.setuid(uid)
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        os.waitpid(pid, 0)

    def sweep(self, uid):
        """Removes a user's files from folders that everybody may write to. Private ones are gone already."""
        if self.flags & CLONE_NEWNS:
            return
        for folder in PRIVATE:
            for entry in os.scandir(folder) if os.path.isdir(folder) else []:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid != uid:
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        shutil.rmtree(entry.path, ignore_errors=True)
                    else:
                        os.unlink(entry.path)


def was_ended_from_outside(status):
    """Did somebody end the command, or confined.py, such as a system that stops a service? A submission can send
    neither of them a signal. SIGKILL may also be a limit's."""
    return status < 0 or status - 128 in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def holds_much(folder):
    """Does a command hold so much in its folder that it, and no neighbour, fills the disk?"""
    used, files, below = 0, 0, [folder]
    while below and used < OWN_BYTES and files < OWN_FILES:
        with contextlib.suppress(OSError):
            for entry in os.scandir(below.pop()):
                files += 1
                used += entry.stat(follow_symlinks=False).st_blocks * 512
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
    return used >= OWN_BYTES or files >= OWN_FILES


def users_taken(uids):
    """The first of these numbers that is taken, and by whom: (uid, words), or None."""
    import grp
    import pwd
    for uid in uids:
        with contextlib.suppress(KeyError):
            return uid, f"the user {pwd.getpwuid(uid).pw_name}"
        with contextlib.suppress(KeyError):
            return uid, f"the group {grp.getgrgid(uid).gr_name}"
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid in uids:
                return os.stat(f"/proc/{entry}").st_uid, f"process {entry}; does another grader run?"
    return None
