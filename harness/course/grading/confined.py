#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""confined.py JSON: becomes a command in a sandbox; sandbox.py starts it.

It enters the namespaces, builds the file tree, lowers the limits, gives up its rights, and then becomes
the command. It runs for each step of each submission, so it imports little.
"""
import ctypes
import fcntl
import json
import os
import resource
import signal
import struct
import sys
import warnings  # noqa: F401 ; os.execvpe() imports it, when Python's own files may be out of sight

MIB = 1 << 20
DATA_BYTES = 2048 * MIB  # rlimit: the memory of a process, with the stacks of its threads
ADDRESS_SPACE_BYTES = 4096 * MIB
FILE_BYTES = 64 * MIB
PROCESSES = 400  # of the command's user
SCRATCH_BYTES = 64 * MIB  # of each private /tmp

CANNOT = 125  # exit status: this script failed, before the command began

# Every command may read these: the system, without home folders and this repository.
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
AF_INET, SOCK_DGRAM, SIOCSIFFLAGS, IFF_UP = 2, 2, 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)


def call(name, *arguments):
    """Calls a function of libc that Python 3.11 lacks."""
    words = [a.encode() if isinstance(a, str) else a for a in arguments]
    if getattr(libc, name)(*words) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


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
    """Builds the command's file tree below spec["root"]: the system, read-only; a few devices; empty
    folders for scratch; the given files, at their own paths."""
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
        make_mount_point(path, root + path)  # again, for one below a private folder
        bind(path, root + path, path in spec["readable"])


def make_mount_point(path, target):
    if os.path.isdir(path):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        open(target, "w", encoding="ascii").close()


def lower_limits(spec):
    limits = {resource.RLIMIT_CORE: 0, resource.RLIMIT_FSIZE: FILE_BYTES}
    if not spec["reserves_much"]:
        limits |= {resource.RLIMIT_DATA: DATA_BYTES, resource.RLIMIT_AS: ADDRESS_SPACE_BYTES}
    if spec["cpu_s"]:
        limits[resource.RLIMIT_CPU] = spec["cpu_s"]
    # It counts all processes of a user, so it is of no use when that is the grader's own user.
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
        signal.signal(number, signal.SIG_DFL)  # Python ignores both, and the command would inherit that
    os.execvpe(spec["command"][0], spec["command"], spec["environment"])


def start_inside(spec):
    """Runs in the child. In a pid namespace that child is process 1: when it ends, the kernel ends all
    others. Without one, it adopts orphaned processes and ends them itself."""
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
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                if file.read().rpartition(")")[2].split()[1] == own:
                    os.kill(int(entry), signal.SIGKILL)
        except OSError:
            pass  # it has ended in the meantime


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
        any_socket = libc.socket(AF_INET, SOCK_DGRAM, 0)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
        os.close(any_socket)
    if spec["flags"] & CLONE_NEWNS:
        build_tree(spec)
    child = os.fork()
    if child == 0:
        guarded(start_inside, spec)
    status = os.waitpid(child, 0)[1]
    os._exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))


def guarded(function, spec):
    """Calls the function; its failure must not look like the command's."""
    try:
        function(spec)
    except OSError as error:
        sys.stderr.write(f"sandbox: {error.filename or ''} {error.strerror or error}\n".replace(":  ", ": "))
    except Exception as error:
        sys.stderr.write(f"sandbox: {error!r}\n")
    finally:
        sys.stderr.flush()
        os._exit(CANNOT)


if __name__ == "__main__":
    guarded(enter, json.loads(sys.argv[1]))
