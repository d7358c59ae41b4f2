#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command shut in: as a user of its own, with limits, and where nothing lies but what it needs.

What is possible is tried, not guessed: Sandbox() finds out once, and `barriers` says it in words.
The command is started by this same file, run as a program (see main()). It enters the namespaces,
builds the file tree, lowers the limits, gives up its rights, and only then turns into the command.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from dataclasses import dataclass

MIB = 1 << 20
OUTPUT_BYTES = 4 * MIB  # more of what a command prints is thrown away
POLL_S = 0.05
PROCESSES = 400  # a lab's test program may have 256 threads
MEMORY_BYTES = 1024 * MIB  # by control group: what it really takes
DATA_BYTES = 2048 * MIB  # by rlimit: what it asks for, stacks of threads included
ADDRESS_SPACE_BYTES = 4096 * MIB
FILE_BYTES = 64 * MIB
DISK_BYTES = 2048 * MIB  # the file system may lose that much while a command runs
INODES = 100_000
SCRATCH_BYTES = 64 * MIB  # of each private /tmp

CANNOT = 125  # our own failure, before the command began

# What every command may read: the system, without home folders and without this repository.
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu")
DEVICES = ("null", "zero", "full", "random", "urandom")
PRIVATE = ("/tmp", "/var/tmp", "/dev/shm")

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 4096, 16384, 1 << 18
AT_RECURSIVE, MOUNT_ATTR_RDONLY, SYS_MOUNT_SETATTR = 0x8000, 1, 442
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38
SIOCSIFFLAGS, IFF_UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """A function of libc that Python 3.11 does not offer."""
    words = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(libc, name)(*words) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


# The grader's side.


@dataclass
class Ended:
    """How a command ended."""

    status: int  # its exit status, or 128 + signal
    stdout: str
    stderr: str
    stopped: str  # why we ended it; "" when it ended by itself
    seconds: float


class Sandbox:
    def __init__(self, scratch, hidden=()):
        """`scratch`: a folder of the grader's. `hidden`: folders that no command may see."""
        self.scratch, self.hidden = scratch, list(hidden)
        self.root = os.path.join(scratch, "root")  # where each builds its file tree, unseen by others
        os.makedirs(self.root)
        self.is_root = os.geteuid() == 0
        self.count = 0
        self.stopping = False  # set from another thread: whatever runs is ended
        self.flags, refusal = self._probe()
        self.groups = self._probe_groups()
        self.barriers = self._describe(refusal)

    def _probe(self):
        """The most namespaces that we get, and the kernel's words for why there are not more."""
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

    def _probe_groups(self):
        with contextlib.ExitStack() as stack:
            group = stack.enter_context(ControlGroup(f"iolab-probe-{os.getpid()}"))
            return {controller: None for controller in group.folders}

    def _describe(self, refusal):
        flags = self.flags
        without = f" ({refusal})" if refusal else ""
        yes_no = [
            (self.is_root, "user: each submission has one of its own",
             "user: the grader's own, since the grader is not root"),
            (flags & CLONE_NEWNS,
             "files: a tree of its own (mount namespace) in which the repository, home folders and other "
             "submissions do not exist; /tmp, /var/tmp, /dev/shm are private and small",
             f"files: NOT hidden, no mount namespace{without}; only permissions, the list of included files "
             "and the proctor's eye on open() stand before them"),
            (flags & CLONE_NEWPID, "processes: it sees its own alone (pid namespace), which end with it",
             f"processes: NOT separate, no pid namespace{without}"),
            (flags & CLONE_NEWNET, "network: only its own loopback (network namespace)",
             f"network: NOT cut off, no network namespace{without}"),
            ("memory" in self.groups, f"memory: {MEMORY_BYTES // MIB} MiB by control group, and rlimits",
             f"memory: rlimits only ({DATA_BYTES // MIB} MiB a process), no control group may be used"),
            ("pids" in self.groups, f"number of processes: {PROCESSES} by control group, and a new one "
             "ends the test", "number of processes: no control group may be used; a new one ends the test"),
        ]
        return [yes if condition else no for condition, yes, no in yes_no]

    def run(self, command, wall_s, uid=None, cwd="/", readable=(), writable=(), environment=None,
            cpu_s=None):
        """Runs it to its end, ours at the latest after `wall_s`. Returns Ended."""
        self.count += 1
        spec = {"flags": self.flags, "root": self.root, "hidden": self.hidden, "uid": uid, "cwd": cwd,
                "readable": list(readable), "writable": list(writable), "command": list(command),
                "cpu_s": cpu_s, "environment": {"PATH": os.environ.get("PATH", os.defpath),
                                                "LANG": "C.UTF-8", "HOME": cwd, **(environment or {})}}
        with ControlGroup(f"iolab-{os.getpid()}-{self.count}", self.groups) as group:
            spec["groups"] = list(group.folders.values())
            start = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", os.path.abspath(__file__), json.dumps(spec)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True)
            try:
                texts, stopped = self._follow(process, start + wall_s, wall_s)
            finally:
                # All that it started is of its group, or dies with it: see start_inside().
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                process.stdout.close()
                process.stderr.close()
            return Ended(process.returncode if not stopped else -1, *texts, stopped,
                         time.monotonic() - start)

    def _follow(self, process, deadline, wall_s):
        texts = {process.stdout: bytearray(), process.stderr: bytearray()}
        before = os.statvfs(self.scratch)
        stopped = ""
        with selectors.DefaultSelector() as selector:
            for stream in texts:
                os.set_blocking(stream.fileno(), False)
                selector.register(stream, selectors.EVENT_READ)
            while True:
                ended = process.poll() is not None  # asked first: what it printed is then in the pipe
                for key, _ in selector.select(0 if ended else POLL_S):
                    piece = key.fileobj.read(65536)
                    if piece == b"":
                        selector.unregister(key.fileobj)
                    elif piece and len(texts[key.fileobj]) < OUTPUT_BYTES:
                        texts[key.fileobj] += piece
                        ended = False  # there may be more
                if ended:
                    break
                if not selector.get_map():
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(POLL_S)
                now = os.statvfs(self.scratch)
                lost = (before.f_bavail - now.f_bavail) * now.f_frsize
                if self.stopping:
                    stopped = "interrupted"
                elif time.monotonic() > deadline:
                    stopped = f"not done after {wall_s:g} s"
                elif lost > DISK_BYTES or before.f_favail - now.f_favail > INODES:
                    stopped = "it filled the disk"
                if stopped:
                    break
        return [bytes(text).decode(errors="replace") for text in texts.values()], stopped

    def kill_user(self, uid):
        """Ends whatever still runs as this user. Where a pid namespace died with it, nothing does."""
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(OSError):
                os.setgid(uid)
                os.setuid(uid)
                os.kill(-1, signal.SIGKILL)
            os._exit(0)
        os.waitpid(pid, 0)

    def sweep(self, uid):
        """Removes what a user left in folders that all may write to. Private ones went by themselves."""
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


def users_taken(uids):
    """The first of these numbers that is somebody's already, and whose: (uid, words), or None."""
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


class ControlGroup:
    """Limits on memory and processes, in a control group below our own where we may make one, or
    below one above it. Version 1 or 2: each controller is looked for in both."""

    def __init__(self, name, controllers=("memory", "pids")):
        self.name = name
        self.folders = {}  # by controller
        parents = own_groups() if controllers else {}
        for controller in controllers:
            for folder in parents.get(controller, parents.get("", [])):
                if self._make(controller, os.path.join(folder, name)):
                    break

    def _make(self, controller, folder):
        limits = {"memory": [("memory.max", MEMORY_BYTES), ("memory.limit_in_bytes", MEMORY_BYTES)],
                  "pids": [("pids.max", PROCESSES)]}[controller]
        try:
            if folder not in self.folders.values():
                os.mkdir(folder)
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
        # Without this the limit on memory would be met by swapping. Not every kernel has the file.
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
                    time.sleep(0.02)  # the kernel tells nobody when the last process is gone


def own_groups():
    """{controller: [folder of our own control group, the one above it, ...]}; "" stands for version 2."""
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


# The other side: what becomes the command.


def bind(source, target, read_only=False):
    call("mount", source, target, None, ctypes.c_ulong(MS_BIND | MS_REC), None)
    if read_only:
        make_read_only(target)


def make_read_only(path):
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    call("syscall", ctypes.c_long(SYS_MOUNT_SETATTR), ctypes.c_int(-100), path,
         ctypes.c_uint(AT_RECURSIVE), attributes, ctypes.c_size_t(len(attributes)))


def mount_tmpfs(path, options):
    call("mount", "tmpfs", path, "tmpfs", ctypes.c_ulong(MS_NOSUID | MS_NODEV), options)


def build_tree(spec):
    """The file tree of the command, below spec["root"]: the system read-only, a few devices, empty
    folders for scratch, and what it was given, each where it lies outside."""
    root = spec["root"]
    call("mount", "none", "/", None, ctypes.c_ulong(MS_REC | MS_PRIVATE), None)
    call("mount", "tmpfs", root, "tmpfs", ctypes.c_ulong(MS_NOSUID), "size=1m,mode=755")
    given = [*spec["readable"], *spec["writable"]]
    for path in SYSTEM:
        if os.path.islink(path):
            os.symlink(os.readlink(path), root + path)
        elif os.path.isdir(path):
            os.mkdir(root + path)
            bind(path, root + path)
    for path in spec["hidden"]:
        if os.path.isdir(root + path):
            mount_tmpfs(root + path, "size=4k,mode=755")
    for path in ("/dev", "/proc", *PRIVATE):
        os.makedirs(root + path, exist_ok=True)
    for path in given:
        make_mount_point(path, root + path)
    for name in DEVICES:
        open(f"{root}/dev/{name}", "w", encoding="ascii").close()
        bind(f"/dev/{name}", f"{root}/dev/{name}")
    for name, number in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink(f"/proc/self/fd{number}", f"{root}/dev/{name}")
    make_read_only(root)
    for path in PRIVATE:
        mount_tmpfs(root + path, f"size={SCRATCH_BYTES},nr_inodes=4096,mode=1777")
    for path in given:
        make_mount_point(path, root + path)  # again, where it lies below a private one
        bind(path, root + path, path in spec["readable"])


def make_mount_point(path, target):
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w", encoding="ascii").close()


def lower_limits(spec):
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_DATA: DATA_BYTES,
              resource.RLIMIT_AS: ADDRESS_SPACE_BYTES, resource.RLIMIT_FSIZE: FILE_BYTES}
    if spec["cpu_s"]:
        limits[resource.RLIMIT_CPU] = spec["cpu_s"]
    # It counts all processes of a user: of no use where that is the grader's own.
    if spec["uid"] is not None or spec["flags"] & CLONE_NEWUSER:
        limits[resource.RLIMIT_NPROC] = PROCESSES
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def start_command(spec):
    lower_limits(spec)
    if spec["uid"] is not None:
        os.setgroups([])
        os.setgid(spec["uid"])
        os.setuid(spec["uid"])
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    os.chdir(spec["cwd"])
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)  # Python ignores both, and the command would inherit it
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])


def start_inside(spec):
    """In the child that is process 1 of a pid namespace, where there is one: when it ends, the kernel
    ends all the others. Else it adopts what loses its parent, and ends that itself."""
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    call("prctl", PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    if spec["flags"] & CLONE_NEWNS:
        if spec["flags"] & CLONE_NEWPID:
            call("mount", "proc", spec["root"] + "/proc", "proc", ctypes.c_ulong(MS_NOSUID | MS_NODEV), None)
        else:
            bind("/proc", spec["root"] + "/proc")
        os.chroot(spec["root"])
        os.chdir("/")
    command = os.fork()
    if command == 0:
        guarded(start_command, spec)
    status = None
    while True:
        try:
            pid, ended = os.wait()
        except ChildProcessError:
            break
        if pid == command:
            status = ended
            if spec["flags"] & CLONE_NEWPID:
                break
        if status is not None:
            kill_children()
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def kill_children():
    own = str(os.getpid())
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit():
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                    if file.read().rpartition(")")[2].split()[1] == own:
                        os.kill(int(entry), signal.SIGKILL)


def enter(spec):
    for folder in spec["groups"]:
        with open(os.path.join(folder, "cgroup.procs"), "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    user, group = os.getuid(), os.getgid()
    os.umask(0o022)
    if spec["flags"]:
        call("unshare", ctypes.c_int(spec["flags"]))
    if spec["flags"] & CLONE_NEWUSER:
        for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"),
                           ("gid_map", f"{group} {group} 1")):
            with open(f"/proc/self/{file}", "w", encoding="ascii") as out:
                out.write(text)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if spec["flags"] & CLONE_NEWNET:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    if spec["flags"] & CLONE_NEWNS:
        build_tree(spec)
    child = os.fork()
    if child == 0:
        guarded(start_inside, spec)
    status = os.waitpid(child, 0)[1]
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def guarded(function, spec):
    """A failure of ours must not be taken for the command's."""
    try:
        function(spec)
    except OSError as error:
        sys.stderr.write(f"sandbox: {error.filename or ''} {error.strerror or error}\n".replace(":  ", ": "))
    finally:
        sys.stderr.flush()
        os._exit(CANNOT)


if __name__ == "__main__":
    guarded(enter, json.loads(sys.argv[1]))
