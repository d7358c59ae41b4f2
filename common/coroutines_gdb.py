# SPDX-License-Identifier: MIT
"""For gdb: where does each suspended coroutine (common/coroutine.h) wait?

    (gdb) source common/coroutines_gdb.py
    (gdb) coroutines                      a backtrace of each that is suspended
    (gdb) coroutines 3                    of number 3 alone

A suspended coroutine has left its stack pointer, its frame pointer and the address at which it goes on in its
`struct coroutine`. Nothing else is in a register: the compiler knows that a switch keeps no other. While a coroutine is
looked at, an unwinder tells gdb that it has called the thread's innermost frame, and gdb walks on from there. No register
of the program is changed, so a core file will do.
"""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

# (program counter, stack pointer, frame pointer)
REGISTERS = {"x86-64": ("rip", "rsp", "rbp"), "aarch64": ("pc", "sp", "x29")}
FRAMES_MAX = 64


class Place:
    """What gdb asks of a frame's identity."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class IntoCoroutine(Unwinder):
    """While `coroutine` is set, the thread's innermost frame has been called by that coroutine."""

    def __init__(self):
        super().__init__("iolab coroutine")
        self.coroutine = None
        self.innermost = None  # program counter and stack pointer of the thread

    def __call__(self, pending):
        if self.coroutine is None:
            return None
        names = registers_of(pending)
        counter, pointer, _ = (pending.read_register(name) for name in names)
        if (int(counter), int(pointer)) != self.innermost:
            return None
        saved = (self.coroutine["goes_on_at"], self.coroutine["stack_pointer"], self.coroutine["frame_pointer"])
        # A frame must not lie above the one that called it: here it lies where the coroutine's stack ends.
        caller = pending.create_unwind_info(Place(self.coroutine["stack_pointer"], counter))
        for name, value in zip(names, saved):
            caller.add_saved_register(name, value.cast(pending.read_register(name).type))
        return caller


UNWINDER = IntoCoroutine()
register_unwinder(None, UNWINDER, replace=True)


def registers_of(frame):
    name = frame.architecture().name()
    for known, registers in REGISTERS.items():
        if known in name:
            return registers
    raise gdb.GdbError(f"{name}: coroutines have stacks on x86-64 and AArch64 only")


def pools_of_thread():
    """Of the selected thread."""
    pool = gdb.parse_and_eval("'coroutine.c'::pools")
    while pool:
        yield pool
        pool = pool["next"]


def coroutines_of_thread():
    """Those that have begun and are not done, each with whether it is suspended."""
    running = set()
    current = gdb.parse_and_eval("coroutine_current")
    while current:
        running.add(int(current))
        current = current["resumer"]
    for pool in pools_of_thread():
        for i in range(int(pool["count"])):
            coroutine = pool["all"][i]
            if coroutine["is_started"]:
                yield coroutine, int(coroutine.address) not in running


def has_begun(coroutine):
    return int(coroutine["goes_on_at"]) != int(gdb.parse_and_eval("(unsigned long) &coroutine_begin"))


def name_of(function):
    """Of a pointer to it, which gdb writes as: 0x401234 <name>"""
    return function.format_string(symbols=True).rpartition("<")[2].rstrip(">")


def frames_of(coroutine):
    """From the innermost on. Valid until the next call."""
    frame = gdb.newest_frame()
    names = registers_of(frame)
    UNWINDER.innermost = tuple(int(frame.read_register(name)) for name in names[:2])
    UNWINDER.coroutine = coroutine
    gdb.invalidate_cached_frames()
    frame = gdb.newest_frame()
    # Frames that are inlined into the thread's innermost one have its registers.
    while frame and tuple(int(frame.read_register(name)) for name in names[:2]) == UNWINDER.innermost:
        frame = frame.older()
    for _ in range(FRAMES_MAX):
        if not frame:
            return
        yield frame
        frame = frame.older()


def frame_at(level):
    frame = gdb.newest_frame()
    for _ in range(level):
        frame = frame.older()
    return frame


def line_of(frame):
    place = frame.find_sal()
    at = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
    return f"{frame.name() or hex(frame.pc())}{arguments_of(frame)}{at}"


def arguments_of(frame):
    """Plain ones; gdb prints a structure on many lines."""
    try:
        block = frame.block()
    except RuntimeError:
        return " ()"
    while block and not block.function:
        block = block.superblock
    return " (" + ", ".join(f"{symbol.name}={text_of(symbol.value(frame))}"
                            for symbol in block or () if symbol.is_argument) + ")"


def text_of(value):
    if value.is_optimized_out:
        return "<optimized out>"
    return value.format_string(max_elements=8, symbols=False) if value.type.strip_typedefs().code not in (
        gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION) else "{...}"


class Coroutines(gdb.Command):
    """Print where each suspended coroutine of each thread waits: coroutines [NUMBER]"""

    def __init__(self):
        super().__init__("coroutines", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        selected = gdb.selected_thread()
        if not selected:
            raise gdb.GdbError("The program is not being run.")
        if argument and not argument.isdigit():
            raise gdb.GdbError("coroutines [NUMBER]")
        level = gdb.selected_frame().level()
        found = 0
        try:
            for thread in sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num):
                thread.switch()
                found += self.print_thread(thread, int(argument) if argument else None)
        except gdb.error as error:
            raise gdb.GdbError(f"Coroutines cannot be found: {error}")
        finally:
            UNWINDER.coroutine = None
            gdb.invalidate_cached_frames()
            selected.switch()
            frame_at(level).select()
        if not found:
            print("No coroutine.")

    @staticmethod
    def print_thread(thread, wanted):
        found = 0
        for coroutine, is_suspended in list(coroutines_of_thread()):
            number = int(coroutine["number"])
            if wanted not in (None, number):
                continue
            found += 1
            what = f"Coroutine {number} of thread {thread.num}, {name_of(coroutine['body'])}()"
            if not is_suspended:
                print(f"{what}: runs")
            elif not has_begun(coroutine):
                print(f"{what}: has not begun")
            else:
                print(f"{what}: suspended in")
                for level, frame in enumerate(frames_of(coroutine)):
                    print(f"  #{level:<2} {line_of(frame)}")
                UNWINDER.coroutine = None
                gdb.invalidate_cached_frames()
        return found


Coroutines()
