# SPDX-License-Identifier: MIT
"""Other programs as children. docs/architecture.md, "Signals", says what reaches whom.

On Ctrl-C or TERM a child is told once and ends in order, for it may have something to keep; only
then does KeyboardInterrupt go on. No child outlives this program, however that ends.
"""
import contextlib
import ctypes
import os
import signal
import subprocess
import sys

INTERRUPTED = 130  # as the commands of iolab exit
PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGINT, signal.SIGTERM)


def _on_signal(_number, _frame):
    # Once: timeout(1) signals its child twice, and cleaning up must not be interrupted. A second
    # Ctrl-C reaches the children from the terminal, and they know what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt


def catch_signals():
    """SIGINT and SIGTERM raise KeyboardInterrupt once, and are ignored from then on."""
    signal.signal(signal.SIGINT, _on_signal)
    signal.signal(signal.SIGTERM, _on_signal)


def dies_with_us():
    """In the child, before it is the program."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _become_the_program(mask):
    """As dies_with_us(). Python's handler only takes a note, and execve(2) forgets that."""
    dies_with_us()
    for number in ENDING:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def _end(child):
    """Tells the child, and what it runs: strace(1) keeps signals to itself. Waits for its end."""
    for pid in (*_children_of(child.pid), child.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    child.communicate()


@contextlib.contextmanager
def child(command, **options):
    """A subprocess.Popen; it has ended when the block is left by an exception."""
    process = None
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        try:
            process = subprocess.Popen(command, preexec_fn=lambda: _become_the_program(mask), **options)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)  # what came meanwhile is raised here
        yield process
    except BaseException:
        if process and process.poll() is None:
            _end(process)
        raise


def run(command, limit_s=None, **options):
    """As subprocess.run() with the output as text. A child that takes longer is killed."""
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options) as process:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            for pid in (*_children_of(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.communicate()
            raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def main(name, work):
    """Runs `work` as the whole of the program `name`, with an exit status for each way to end."""
    catch_signals()
    try:
        work()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        sys.exit(f"{name}: {error.filename}: {error.strerror}")
