# SPDX-License-Identifier: MIT
"""Other programs as children. docs/architecture.md, "Signals", says what reaches whom.

On Ctrl-C, TERM or HUP a child is told once and ends in order, for it may have something to keep. Only
then does KeyboardInterrupt go on. No child outlives this program, however that ends.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from readings import standard_output

INTERRUPTED = 130  # as the commands of iolab exit
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
ORPHANS_AFTER_S, ORPHANS_PAUSE_S, ORPHANS_LIMIT_S = 0.5, 0.01, 2
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_lock = threading.Lock()
_running = set()
_stopped = False
_is_ending = False
_gets_orphans = False  # they come to us, and not to init


class Stopped(Exception):
    """The whole program ends, so no child is started any more."""


def _on_signal(_number, _frame):
    # Once: timeout(1) signals its child twice, and cleaning up must not be interrupted. A second
    # Ctrl-C reaches the children from the terminal, and they know what to do.
    global _is_ending
    _is_ending = True
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def catch_signals():
    """SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt once, and are ignored from then on."""
    for number in ENDING:
        # nohup(1) ignores SIGHUP, and means it. A shell ignores SIGINT for each command in the background.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _on_signal)


def dies_with(parent):
    """In the child, before it is the program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be asked
        os.kill(os.getpid(), signal.SIGKILL)


def _become_the_program(parent, mask):
    """As dies_with(). Python's handler only takes a note, and execve(2) forgets that."""
    dies_with(parent)
    for number in ENDING:
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _children_of(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                    found += map(int, file.read().split())
    return found


def _signal(process, number):
    """Tells the child, and what it runs: strace(1) keeps signals to itself."""
    for pid in (*_children_of(process.pid), process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _stop_all():
    """Ends the children of all threads, which may start no other. Waits for none of them."""
    global _stopped
    with _lock:
        _stopped = True
        for process in _running:
            if process.poll() is None:
                _signal(process, signal.SIGTERM)


def _end_orphans():
    """Ends whoever has lost its parent, as the program that strace(1) was about to trace: it came to us, and may
    hold the pipe from which we read. So may its own children, next. One that the kernel does not let go is left."""
    ends = time.monotonic() + ORPHANS_LIMIT_S
    while _gets_orphans and time.monotonic() < ends:
        with _lock:
            orphans = set(_children_of(os.getpid())) - {process.pid for process in _running}
        if not orphans:
            return
        for pid in orphans:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
        time.sleep(ORPHANS_PAUSE_S)


def _await_end(process):
    while True:
        try:
            process.communicate(timeout=ORPHANS_AFTER_S)
            return
        except subprocess.TimeoutExpired:
            if process.poll() is not None and _is_ending:
                _end_orphans()


@contextlib.contextmanager
def child(command, **options):
    """A subprocess.Popen; it has ended when the block is left by an exception."""
    process = None
    us, mask = os.getpid(), signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        try:
            with _lock:
                if _stopped:
                    raise Stopped
                process = subprocess.Popen(command, preexec_fn=lambda: _become_the_program(us, mask), **options)
                _running.add(process)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # what came meanwhile is raised here
        yield process
    except BaseException:
        if process and process.poll() is None:
            _signal(process, signal.SIGTERM)
            _await_end(process)
        raise
    finally:
        with _lock:
            _running.discard(process)


@contextlib.contextmanager
def pool(threads):
    """A ThreadPoolExecutor for work that runs children: Ctrl-C ends them, and no other is started."""
    with ThreadPoolExecutor(threads) as executor:
        try:
            yield executor
        except KeyboardInterrupt:
            executor.shutdown(wait=False, cancel_futures=True)
            _stop_all()
            raise


def run(command, limit_s=None, **options):
    """As subprocess.run() with the output as text. A child that takes longer is killed."""
    options = {"text": True, **options}
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            _signal(process, signal.SIGKILL)
            process.communicate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def main(name, work):
    """Runs `work` as the whole of the program `name`, with an exit status for each way to end."""
    global _gets_orphans
    catch_signals()
    _gets_orphans = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    with standard_output.needed(name):
        try:
            work()
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        finally:
            _end_orphans()
