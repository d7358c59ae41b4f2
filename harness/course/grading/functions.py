# SPDX-License-Identifier: MIT
"""The functions that an engine may take from elsewhere without a word.

A list of the suspicious ones could never be complete. So this names the ordinary ones: what computes,
what moves and compares memory, what locks, and the calls of the kernel's I/O interfaces. A person
should look at every other one, unless the reference calls it too.
"""
import re

ORDINARY = frozenset("""
malloc calloc realloc reallocarray free aligned_alloc posix_memalign memalign
memcpy memmove memset memcmp memchr memrchr mempcpy bzero bcopy bcmp
strlen strnlen strcmp strncmp strcpy strncpy stpcpy strcat strncat strchr strrchr strstr strspn strcspn
strdup strndup strtol strtoul strtoll strtoull strerror strerror_r strtok_r
abs labs llabs qsort bsearch rand rand_r random srand
printf puts putchar putc fputc fputs fprintf vfprintf vprintf fflush fwrite perror dprintf
snprintf vsnprintf sprintf vsprintf stdout stderr
abort assert __assert_fail __assert_perror_fail __errno_location __stack_chk_fail _GLOBAL_OFFSET_TABLE_
sysconf getpagesize
read write pread pread64 pwrite pwrite64 readv writev preadv preadv64 pwritev pwritev64 preadv2
preadv64v2 pwritev2 pwritev64v2 recv recvfrom recvmsg recvmmsg send sendto sendmsg sendmmsg
fsync fdatasync sync_file_range lseek lseek64 fcntl fcntl64 close dup pipe pipe2 ioctl shutdown
getsockopt setsockopt fstat fstat64 splice posix_fadvise posix_fadvise64
poll ppoll select pselect epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2
eventfd eventfd_read eventfd_write timerfd_create timerfd_settime timerfd_gettime
signalfd sigemptyset sigfillset sigaddset sigdelset sigismember sigprocmask
clock_gettime clock_nanosleep nanosleep usleep time gettimeofday sched_yield
aio_read aio_read64 aio_write aio_write64 aio_error aio_error64 aio_return aio_return64 aio_suspend
aio_suspend64 aio_cancel aio_cancel64 aio_fsync aio_fsync64 lio_listio lio_listio64 aio_init
io_setup io_destroy io_submit io_getevents io_pgetevents io_cancel io_queue_init io_queue_release
iolab_keeps_none
""".split())
# Families; and the fortified forms that -D_FORTIFY_SOURCE makes: __read_chk for read.
FAMILIES = re.compile(r"(pthread_(mutex|cond|rwlock|spin|barrier|once|create|join|detach|self|equal|attr|sigmask|"
                      r"key|getspecific|setspecific|condattr|mutexattr)\w*|sem_\w+|io_uring_\w+|__atomic_\w+|"
                      r"cnd_\w+|mtx_\w+|thrd_(create|join|detach|current|equal|yield|sleep)|call_once|__isoc\d+_strto\w+|"
                      r"op_\w+|reason_\w+|errno_name)")
# Each lab is about one or two of these. Ordinary as they are, another one than the reference's is not.
INTERFACES = (("io_uring", re.compile(r"io_uring_\w+")), ("POSIX AIO", re.compile(r"(aio|lio)_\w+")),
              ("Linux AIO", re.compile(r"io_(setup|destroy|submit|getevents|pgetevents|cancel|queue_\w+)")),
              ("epoll", re.compile(r"epoll_\w+")), ("poll", re.compile(r"p?poll|p?select")))
FORTIFIED = re.compile(r"__(\w+)_chk")
SHOWN_MOST = 8
NAME_LETTERS_MOST = 24  # of a name that is shown: a remark has a bound, and its end is the count


def is_ordinary(name):
    fortified = FORTIFIED.fullmatch(name)
    if fortified and fortified[1] in ORDINARY:
        return True
    return name in ORDINARY or FAMILIES.fullmatch(name) is not None


def interface_of(name):
    """The kernel's interface that the function belongs to; "" for none of these."""
    return next((interface for interface, names in INTERFACES if names.fullmatch(name)), "")


def unusual(names, of_reference):
    """Those that a person should look at, but for those of the reference."""
    known = set(map(interface_of, of_reference)) - {""}
    return {name for name in names - of_reference if interface_of(name) not in known}


def shown(names):
    """A few of them, in words."""
    ordered = sorted(names)
    more = len(ordered) - SHOWN_MOST
    cut = [name if len(name) <= NAME_LETTERS_MOST else f"{name[:NAME_LETTERS_MOST]}..." for name in ordered]
    return cut[:SHOWN_MOST] + ([f"and {more} more"] if more > 0 else [])
