# SPDX-License-Identifier: MIT
"""Programs that a mutant may spoil: each with a limit of time, and none outlives this program."""
import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time

from children import dies_with

REMOVED_AFTER_S = 5


class Stopped(Exception):
    """The whole run ends, so a result that comes now says nothing of the mutant."""


def everything_below(pid):
    """The processes that `pid` has started, and theirs."""
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                for word in file.read().split():
                    yield from everything_below(int(word))
                    yield int(word)
    except OSError:
        return


def kill_all(process):
    """Its whole session too, since what is started while the list is read is not in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for pid in [*everything_below(process.pid), process.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def remove(folder):
    """A program that was killed may still finish the call in which it makes a file."""
    ends = time.monotonic() + REMOVED_AFTER_S
    while os.path.exists(folder) and time.monotonic() < ends:
        shutil.rmtree(folder, ignore_errors=True)


class Runner:
    """Runs programs from several threads; stop() ends them all."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.stopped = False

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.running:
                kill_all(process)

    def run(self, command, limit_s, env=None, enough=None):
        """Returns (status, lines of the output); the status is None after `limit_s` seconds. Ends the
        program at the first line for which enough() is true."""
        # A session of its own: the terminal's Ctrl-C is for this program alone.
        with self.lock:
            if self.stopped:
                raise Stopped
            us = os.getpid()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.STDOUT, env=env, start_new_session=True,
                                       preexec_fn=lambda: dies_with(us))
            self.running.add(process)
        late = threading.Event()
        timer = threading.Timer(limit_s, lambda: (late.set(), kill_all(process)))
        timer.start()
        lines = []
        try:
            for line in process.stdout:
                lines.append(line.decode(errors="replace").rstrip("\n"))
                if enough and enough(lines[-1]):
                    kill_all(process)
                    break
            process.stdout.close()
            status = process.wait()
        except BaseException:
            kill_all(process)
            raise
        finally:
            timer.cancel()
            with self.lock:
                self.running.discard(process)
        if self.stopped:
            raise Stopped
        return (None if late.is_set() else status), lines
