#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a command at a terminal of its own and types Ctrl-C, or sends a signal, at a given moment.

Prints what the terminal showed, and fails with one line when a process of it is left. The exit
status is the command's, or 128 and the signal that ended it.
"""
import argparse
import ctypes
import os
import pty
import select
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
LIMIT_S = 300  # the machine may be busy
LOOK_EVERY_S = 0.01
# What is waited for after the leader's end: the kernel ends its children a moment later.
ORPHANS_END_S = 60


def descendants():
    """Process ids of everything below this process; who lost its parent was handed to us."""
    found, begin = [], [os.getpid()]
    while begin:
        pid = begin.pop()
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    children = [int(word) for word in file.read().split()]
                found += children
                begin += children
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        found = dict(line.split(":", 1) for line in file)
    return (int(found["SigPnd"], 16) | int(found["ShdPnd"], 16)) >> (number - 1) & 1


class Session:
    def __init__(self, command):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.shown = b""
        self.status = None
        self.ends = time.monotonic() + LIMIT_S
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            # A shell ignores the first two for what it starts in the background, and nohup(1) the third.
            for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            os.execvp(command[0], command)

    def look(self):
        """Takes what was shown, and whether the command has ended."""
        ready, _, _ = select.select([self.terminal], [], [], LOOK_EVERY_S)
        if ready:
            try:
                self.shown += os.read(self.terminal, 65536)
            except OSError:  # EIO: nobody has the other end any more
                time.sleep(LOOK_EVERY_S)
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        if time.monotonic() > self.ends:
            os.killpg(self.pid, signal.SIGKILL)
            self.stop(f"still there after {LIMIT_S} s")

    def stop(self, words):
        sys.stdout.buffer.write(self.shown)
        sys.exit(f"terminal.py: {words}")

    def until(self, condition):
        """Waits until the shell command `condition` succeeds while the command runs. One shell asks all the time: to
        start one for each question would take more CPU time than many a command does. It waits for a pipe that stays
        silent, which starts nothing either."""
        silent, kept_open = os.pipe()
        loop = f"until {condition}\ndo read -rt {LOOK_EVERY_S} <&{silent}\ndone"
        with subprocess.Popen(["bash", "-c", loop], pass_fds=[silent],
                              env=os.environ | {"COMMAND_PID": str(self.pid)}) as asking:
            while asking.poll() is None:
                self.look()
                if self.status is not None:
                    asking.kill()
                    self.stop(f"ended with {self.status} before: {condition}")
        os.close(silent)
        os.close(kept_open)

    def until_runs(self, text):
        """Waits until a process below us has `text` among its words."""
        ours = words_of(os.getpid())  # and those of a child that is not the command yet
        while not any(text in words and words != ours for words in map(words_of, descendants())):
            self.look()
            if self.status is not None:
                self.stop(f"ended with {self.status} before a process was: {text}")

    def send(self, what):
        if what != "^C":
            os.kill(self.pid, getattr(signal, "SIG" + what))
            return
        echoed = self.shown.count(b"^C")
        os.write(self.terminal, b"\x03")
        # The terminal's driver signals first and echoes then.
        while self.status is None and self.shown.count(b"^C") == echoed:
            self.look()

    def until_taken(self):
        """Waits until no SIGINT is pending: two that are would be one."""
        while self.status is None and pending(self.pid, signal.SIGINT):
            self.look()

    def finish(self):
        while self.status is None:
            self.look()
        ends = time.monotonic() + ORPHANS_END_S
        while left := [pid for pid in descendants() if not zombie(pid)]:
            if time.monotonic() > ends:
                words = "; ".join(words_of(pid) for pid in left)
                for pid in left:
                    os.kill(pid, signal.SIGKILL)
                self.stop(f"left behind: {words}")
            self.look()
        self.look()
        sys.stdout.buffer.write(self.shown)
        return 128 - self.status if self.status < 0 else self.status


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--until", action="append", default=[], metavar="SHELL-COMMAND",
                        help="then until this succeeds; $COMMAND_PID is the command")
    parser.add_argument("--until-runs", metavar="TEXT",
                        help="wait until a process of the command has TEXT among its words")
    parser.add_argument("--send", default="^C", help="then type ^C, or send a signal: TERM (%(default)s)")
    parser.add_argument("--twice", action="store_true", help="and once more")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    session = Session(options.command)
    if options.until_runs:
        session.until_runs(options.until_runs)
    for condition in options.until:
        session.until(condition)
    session.send(options.send)
    if options.twice:
        session.until_taken()
        session.send(options.send)
    sys.exit(session.finish())


if __name__ == "__main__":
    main()
