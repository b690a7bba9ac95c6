"""Who a process is and whether it still lives (DESIGN §4), and what the clocks of this host say.

A pid alone is not an identity: it is reused. Here a process is host, boot, pid namespace, pid and start time
together, and the answer to "does it live?" is *unknown* wherever this process cannot see the other one. A lease is
only ever reclaimed on a certain *no*.
"""

from __future__ import annotations

import calendar
import os
import time
import zlib
from functools import cache
from pathlib import Path

from pucs.core.errors import EnvironmentFailure
from pucs.core.instants import Instant
from pucs.core.processes import Process

PS_TIMEOUT_S = 5.0
"""Longest time ``ps`` may take where there is no ``/proc``; it answers within milliseconds or not at all."""
_GONE = -1
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class SystemClock:
    """The clocks of this host (``coordinator.ports.Clock``)."""

    def now(self) -> Instant:
        """Return one reading; boot seconds are those of the initial time namespace, so that all readers agree."""
        return Instant(boot_id=boot_id(), boot_s=_boot_s(), wall_s=time.time())


class SystemProcesses:
    """The processes of this host (``coordinator.ports.Processes``)."""

    def current(self) -> Process:
        """Return the identity of this process."""
        return _current(os.getpid())

    def alive(self, process: Process) -> bool | None:
        """Tell whether a process lives; None where it cannot be known from here.

        A zombie is dead: it will never act again. A process of an earlier boot of this host is dead. One of another
        host, or of another pid namespace, or one hidden from us by how ``/proc`` is mounted, is unknown.
        """
        if process.boot_id != boot_id():
            return False if process.host == host() else None
        if process.pid_namespace != pid_namespace():
            return None
        return started_is(process.pid, process.started)


def identity(pid: int) -> Process | None:
    """Return the identity of a live process of this pid namespace, None if there is none or it cannot be read."""
    started = _started(pid)
    if started is None or started == _GONE:
        return None
    return Process(host(), boot_id(), pid_namespace(), pid, started)


def watchable(process: Process) -> bool:
    """Tell whether the process belongs to this boot and pid namespace, so that its death can be waited for."""
    return process.boot_id == boot_id() and process.pid_namespace == pid_namespace()


def started_is(pid: int, started: int) -> bool | None:
    """Tell whether the live process ``pid`` is the one that started at ``started``; None if it cannot be read."""
    found = _started(pid)
    return None if found is None else found == started


@cache
def host() -> str:
    """Return the name of this machine, told apart from a namesake by a digest of its machine id."""
    name = os.uname().nodename
    for source in ("/etc/machine-id", "/var/lib/dbus/machine-id"):
        try:
            machine = Path(source).read_bytes().strip()
        except OSError:
            continue
        if machine:
            # machine-id(5) asks not to show the id itself; a checksum tells namesakes apart and loads in no time.
            return f"{name}#{zlib.crc32(b'pucs' + machine):08x}"
    return name


@cache
def boot_id() -> str:
    """Return the id of this boot.

    Raises:
        EnvironmentFailure: the system names none, so nothing could expire safely.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        found = _run("sysctl", "-n", "kern.bootsessionuuid")  # macOS
    if not found:
        raise EnvironmentFailure(
            "This system does not say which boot it is in.",
            remedy="PUCS needs /proc/sys/kernel/random/boot_id (Linux) or kern.bootsessionuuid (macOS).",
        )
    return found


@cache
def pid_namespace() -> int:
    """Return the inode of our pid namespace, 0 where there are none."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


@cache
def _current(pid: int) -> Process:
    process = identity(pid)
    if process is None:
        raise EnvironmentFailure(
            "This process cannot read its own start time.",
            remedy="PUCS needs /proc of this pid namespace, or ps.",
        )
    return process


@cache
def _proc_is_ours() -> bool:
    """Tell whether ``/proc`` shows our own pid namespace (it need not, after ``unshare --pid``), or none exists."""
    try:
        return str(Path("/proc/self").readlink()) == str(os.getpid())
    except OSError:
        return True


@cache
def _boot_offset_ns() -> int:
    """Return what our time namespace adds to boot time; clocks and ``/proc`` start times both include it."""
    try:
        lines = Path("/proc/self/timens_offsets").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    for line in lines:
        clock, seconds, nanoseconds = line.split()
        if clock == "boottime":
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return 0


def _boot_s() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return (time.clock_gettime_ns(time.CLOCK_BOOTTIME) - _boot_offset_ns()) / 1e9
    return time.clock_gettime(time.CLOCK_MONOTONIC)  # macOS: counts sleep, as CLOCK_BOOTTIME does on Linux


def _started(pid: int) -> int | None:
    """Return a process's start time, ``_GONE`` if it is no more or a zombie, None if it cannot be read.

    Clock ticks since boot from ``/proc``; seconds since 1970 from ``ps`` where there is no ``/proc``. Only what
    the kernel denies counts as gone: no descriptors left or a hidden process is *unknown*.
    """
    if not _proc_is_ours():
        return None
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return _absent(pid) if Path("/proc/self/stat").exists() else _started_by_ps(pid)
    except OSError:
        return None
    if fields[0] in {b"Z", b"X"}:
        return _GONE
    return int(fields[19]) - _boot_offset_ns() * _TICKS_PER_S // 1_000_000_000


def _started_by_ps(pid: int) -> int | None:
    state, _, started = _run("ps", "-o", "stat=,lstart=", "-p", str(pid)).partition(" ")
    if state.startswith("Z"):
        return _GONE
    return calendar.timegm(time.strptime(" ".join(started.split()))) if started else _absent(pid)


def _absent(pid: int) -> int | None:
    """Return ``_GONE`` if the kernel knows no such process, else None: it is hidden (hidepid) or just being made."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return _GONE
    except PermissionError:
        return None
    return None


def _run(*command: str) -> str:
    import subprocess  # noqa: PLC0415 - only where /proc is missing, and slow to load

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PS_TIMEOUT_S,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("ascii", "replace").strip()
