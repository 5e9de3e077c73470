"""Who answers people asks the system for short turns on a processor, so that it is let in sooner.

Where more wants to run than there are processors, whoever wakes up may have to wait until another's turn is over; Linux
(6.12 and later) lets in at once who asked for shorter turns than the one that runs. It gets no more of the processor by
that: turns are short, and its share is what `nice` says.
"""

import ctypes
import os
import platform

SECONDS = 0.0001  # the least that the system grants

# sched_setattr(2), which the C library learnt only lately.
CALLS = {"x86_64": 314, "aarch64": 274}
SIZE = 48


class _Attributes(ctypes.Structure):
    """struct sched_attr; `runtime` is a turn, in nanoseconds."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


def ask_for_short() -> bool:
    """For this thread and those that it starts from now on; whether the system took it. Elsewhere, and before 6.12,
    nothing changes."""
    number = CALLS.get(platform.machine()) if platform.system() == "Linux" else None
    if number is None:
        return False
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    wanted = _Attributes(size=SIZE, policy=os.SCHED_OTHER, nice=nice, runtime=int(SECONDS * 1e9))
    refused: int = ctypes.CDLL(None).syscall(number, 0, ctypes.byref(wanted), 0)
    return not refused
