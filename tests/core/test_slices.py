"""Short turns on the processor: asked for where Linux has them, and nothing else changes."""

import os
import platform
import re
import threading
from pathlib import Path

import pytest

from amplify.core import slices


def asked_in_a_thread() -> tuple[bool, str, int]:
    """Whether it was taken, what the kernel says of that thread, and its niceness; others keep what they have."""
    found: list[tuple[bool, str, int]] = []

    def ask() -> None:
        taken, told = slices.ask_for_short(), Path(f"/proc/self/task/{threading.get_native_id()}/sched")
        nice = os.getpriority(os.PRIO_PROCESS, 0)
        found.append((taken, told.read_text() if told.exists() else "", nice))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return found[0]


def kernel() -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])


def test_the_kernel_is_asked_for_short_turns_and_keeps_the_share() -> None:
    taken, told, nice = asked_in_a_thread()
    assert nice == os.getpriority(os.PRIO_PROCESS, 0)
    # Kernels before 6.12 take the call and do nothing; a sandbox may refuse it, or keep /proc to itself.
    if kernel() < (6, 12) or not taken or "se.slice" not in told:
        pytest.skip("this kernel does not know of them, or does not tell")
    line = next(line for line in told.splitlines() if line.startswith("se.slice"))
    assert int(line.split(":")[1]) == slices.SECONDS * 1e9


def test_elsewhere_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert not slices.ask_for_short()
