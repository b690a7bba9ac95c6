"""The anchor of one agent: a small program that lives exactly as long as anything the agent started.

It is run by file path (``python -I -S -X utf8 keeper.py``), imports nothing but the standard library and has one
thread. It is the owner of the agent's leases, so its death must mean that nobody is left who could still write:

- As a *child subreaper* (prctl(2)) it inherits every descendant that outlives its parent, also one that forked
  twice and called setsid. On Linux "no children left" therefore proves "nothing left".
- A command is reported as ended only when its whole tree is gone; whatever the command leaves running is stopped.
- When the supervisor goes away, in whatever way, standard input ends; the tree is killed, and only then does the
  keeper exit.

Where there is no subreaper (macOS), only the command's process group is found; a daemon that leaves it escapes.
Everywhere, work that is handed to a server outside the tree (systemd-run, docker, at) escapes too.

Protocol: one JSON object per line. In: ``{"op": "run", ...}``, ``{"op": "pause"}``, ``{"op": "resume"}``,
``{"op": "stop", "grace_s": s}``, ``{"op": "exit"}``. A command whose order names ``channels`` reads the first and writes
the second; only its standard error goes to its output then, and nothing of the talk passes through the keeper.
Out: ``{"event": "ready" | "started" | "failed" | "stuck" | "exited" | "crashed", ...}``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import sys
import time

TYPE_CHECKING = False  # importing typing would cost a third of the start-up time
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Longest accepted command line: a full environment is at most a few megabytes (execve(2) limits)."""
CHUNK_BYTES = 64 * 1024
"""One read of output: the default capacity of a pipe."""
DRAIN_READS_MAX = 64
"""Reads after the tree is gone: four times what the largest pipe (1 MiB) can hold."""
TAIL_BYTES = 4096
"""End of the output that is reported: about forty lines, enough to see why a command failed."""
LINGER_S = 0.2
"""Time for what outlives its command to end by itself, such as the ``tee`` of a shell's ``>(tee log)``."""
LEFTOVER_GRACE_S = 2.0
"""Time between SIGTERM and SIGKILL for what outlives its command."""
KILL_ROUND_S = 0.05
"""First pause before SIGKILL goes again to whatever was forked meanwhile; doubles up to ``KILL_ROUND_S_MAX``."""
KILL_ROUND_S_MAX = 1.0
"""Longest such pause: processes that survive this long hang in the kernel, and looking more often is no help."""
STUCK_S = 10.0
"""Time after the first SIGKILL at which the survivors are reported by pid; they stay waited for."""
PAUSE_ROUNDS_MAX = 10
"""Looks for processes that were started while their tree was being paused: each takes a round of its own to show."""
GRACE_S = 5.0
"""Pause between the steps of the stop sequence, unless the command says otherwise."""
_SHELL = "/bin/sh"
_DEFAULT_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGCHLD,
    signal.SIGPIPE,
    signal.SIGXFSZ,
)
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36


class Run:
    """One command and what is known about it."""

    def __init__(self, order: dict[str, Any]) -> None:
        """Take the order apart; nothing is started yet."""
        self.argv: list[str] = order.get("argv") or [_SHELL, "-c", order["command"]]
        self.cwd: str = order["cwd"]
        self.env: dict[str, str] = order["env"]
        self.output_path: str = order["output"]
        self.output_bytes_max: int = order["output_bytes_max"]
        self.channels: list[str] = order.get("channels", [])
        """Named pipes for standard input and output, if somebody talks with the command."""
        self.grace_s: float = order.get("stop_grace_s", GRACE_S)
        timeout_s: float = order.get("timeout_s", 0.0)
        self.began = time.monotonic()
        self.ends_at = self.began + timeout_s if timeout_s > 0 else math.inf
        self.pid = 0
        self.status: int | None = None
        self.timed_out = False
        self.stopped = False
        self.paused_at: float | None = None
        self.pending: list[int] = []
        """Signals of the stop sequence still to send; the last one is repeated."""
        self.next_at = math.inf
        self.killed_at = math.inf
        self.kill_round_s = KILL_ROUND_S
        self.stuck = False
        self.output = Output(self.output_path, self.output_bytes_max)

    def stop(self, now: float, signals: list[int], after_s: float = 0.0) -> None:
        """Begin the stop sequence, or skip ahead in the one under way; it never goes back or gets slower."""
        if not self.pending or len(signals) < len(self.pending):
            self.pending = signals
            self.next_at = now + after_s
        elif len(signals) == len(self.pending):
            self.next_at = min(self.next_at, now + after_s)


class Output:
    """Where a command's output goes: a file up to a cap, the end of it in memory, the rest only counted."""

    def __init__(self, path: str, bytes_max: int) -> None:
        """Open the file; a full disk costs the output, not the command."""
        self.kept = 0
        self.dropped = 0
        self.error = ""
        self.tail = b""
        self.pipe = -1
        self._left = bytes_max
        self._file = -1
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            self.error = str(error)

    def read(self) -> bool:
        """Take one chunk from the pipe; False if nothing was there or the pipe has ended."""
        try:
            chunk = os.read(self.pipe, CHUNK_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self.close_pipe()
            return False
        self.tail = (self.tail + chunk)[-TAIL_BYTES:] if len(chunk) < TAIL_BYTES else chunk[-TAIL_BYTES:]
        written = self._write(memoryview(chunk)[: self._left]) if self._file >= 0 else 0
        self._left -= written
        self.kept += written
        self.dropped += len(chunk) - written
        return True

    def close_pipe(self) -> None:
        """Close the reading end."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def close(self) -> None:
        """Read what is left in the pipe and close both ends."""
        for _ in range(DRAIN_READS_MAX):
            if self.pipe < 0 or not self.read():
                break
        self.close_pipe()
        if self._file >= 0:
            try:
                os.close(self._file)
            except OSError as error:
                self.error = self.error or str(error)
            self._file = -1

    def _write(self, data: memoryview) -> int:
        done = 0
        try:
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError as error:  # ENOSPC, EDQUOT, EFBIG, EIO: survived and reported
            self.error = str(error)
            os.close(self._file)
            self._file = -1
        return done


class Keeper:
    """The program: one loop over commands, output, deaths and deadlines."""

    def __init__(self, commands: int, answers: int) -> None:
        """Read commands from one descriptor and write answers to another."""
        self._commands = commands
        self._answers = answers
        self._buffer = b""
        self._run: Run | None = None
        self._closing = False
        self._poll = select.poll()
        self._libc = _libc()
        self.subreaper = self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._prctl(_PR_SET_NAME, b"pucs-keeper")
        self._signals = self._catch_signals()
        os.set_blocking(commands, False)
        self._poll.register(commands, select.POLLIN)
        self._poll.register(self._signals, select.POLLIN)

    def serve(self) -> None:
        """Work until told to exit or until the commands end, and then until nothing is left alive."""
        self._answer("ready", pid=os.getpid(), subreaper=self.subreaper)
        while True:
            childless = self._reap()
            self._advance(time.monotonic(), childless=childless)
            if self._closing and self._run is None:
                return
            for descriptor, _ in self._poll.poll(self._pause_ms()):
                if descriptor == self._commands:
                    self._read_commands()
                elif descriptor == self._signals:
                    os.read(self._signals, CHUNK_BYTES)
                elif self._run and not self._run.output.read() and self._run.output.pipe < 0:
                    self._poll.unregister(descriptor)

    def clear(self) -> None:
        """Kill whatever is still alive and wait until it is gone; the last duty, also after a defect in ``serve``."""
        pause_s = KILL_ROUND_S
        while not self._reap():
            for pid, facts in _descendants().items():
                _send(pid, facts[2], signal.SIGKILL)
            if select.select([self._signals], [], [], pause_s)[0]:
                os.read(self._signals, CHUNK_BYTES)
            pause_s = min(pause_s * 2, KILL_ROUND_S_MAX)

    def _prctl(self, option: int, argument: int | bytes) -> bool:
        return self._libc is not None and self._libc(option, argument, 0, 0, 0) == 0

    def _catch_signals(self) -> int:
        """Turn SIGCHLD and SIGTERM into bytes on a pipe; Ctrl-C and a closed terminal are the supervisor's."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._close())
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return reading

    def _answer(self, event: str, **fields: Any) -> None:
        data = json.dumps({"event": event, **fields}).encode() + b"\n"
        try:
            while data:
                data = data[os.write(self._answers, data) :]
        except OSError:
            self._close()  # nobody listens any more: the supervisor is gone

    def _close(self) -> None:
        self._closing = True
        if self._run:
            self._run.stop(time.monotonic(), [signal.SIGKILL])

    def _read_commands(self) -> None:
        try:
            data = os.read(self._commands, CHUNK_BYTES)
        except BlockingIOError:
            return
        self._buffer += data
        if not data or len(self._buffer) > LINE_BYTES_MAX:
            self._poll.unregister(self._commands)
            self._close()
            return
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["op"] == "run":
                self._start(order)
            elif order["op"] == "stop":
                self._stop(order)
            elif order["op"] == "pause":
                self._pause()
            elif order["op"] == "resume":
                self._resume()
            else:
                self._close()

    def _stop(self, order: dict[str, Any]) -> None:
        run = self._run
        if run is None or self._closing:
            return
        run.stopped = run.stopped or run.status is None
        run.grace_s = min(run.grace_s, order.get("grace_s", run.grace_s))
        now = time.monotonic()
        if run.grace_s <= 0:
            run.stop(now, [signal.SIGKILL])
        else:
            run.stop(now, [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
            run.next_at = min(run.next_at, now + run.grace_s)

    def _pause(self) -> None:
        """Stop the tree where it stands; its time stands still as well. One that is being ended goes on ending."""
        run = self._run
        if run is None or self._closing or run.pending or run.status is not None or run.paused_at is not None:
            return
        run.paused_at = time.monotonic()
        seen: set[int] = set()
        for _ in range(PAUSE_ROUNDS_MAX):
            _signal_tree(run.pid, signal.SIGSTOP, group=True)
            found = set(_descendants())
            if found <= seen:
                return  # what is stopped starts nothing new
            seen |= found

    def _resume(self) -> None:
        run = self._run
        if run is None or run.paused_at is None:
            return
        run.ends_at += time.monotonic() - run.paused_at
        run.paused_at = None
        _signal_tree(run.pid, signal.SIGCONT, group=True)

    def _start(self, order: dict[str, Any]) -> None:
        assert self._run is None, "one command at a time"
        if self._closing:
            return
        run = Run(order)
        try:
            with contextlib.ExitStack() as opened:
                directory = os.open(run.cwd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                opened.callback(os.close, directory)
                channels = []
                for path, flag in zip(run.channels, (os.O_RDONLY, os.O_WRONLY), strict=False):
                    channels.append(_open_channel(path, flag))
                    opened.callback(os.close, channels[-1])
                run.pid = self._fork(run, directory, channels)
        except OSError as error:
            run.output.close()
            self._answer("failed", error=str(error))
            return
        self._run = run
        self._poll.register(run.output.pipe, select.POLLIN)
        self._answer("started", pid=run.pid)

    def _fork(self, run: Run, directory: int, channels: list[int]) -> int:
        reading, writing = os.pipe()
        try:
            # A megabyte, so that a talkative command is not switched out every 64 KiB; refused beyond a user's quota.
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 1024 * 1024)
            keeper = os.getpid()
            pid = os.fork()
            if pid == 0:
                self._become(run, directory, writing, keeper, channels)
        except BaseException:
            os.close(reading)
            os.close(writing)
            raise
        os.close(writing)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)  # also by the child; whoever comes first
        os.set_blocking(reading, False)
        run.output.pipe = reading
        return pid

    def _become(self, run: Run, directory: int, output: int, keeper: int, channels: list[int]) -> None:
        """Turn the forked child into the command; never returns."""
        try:
            os.setpgid(0, 0)
            self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != keeper:
                os._exit(1)  # the keeper died before the line above took effect
            os.fchdir(directory)
            stdin, stdout = channels or (os.open(os.devnull, os.O_RDONLY), output)
            os.dup2(stdin, 0)
            os.dup2(stdout, 1)
            os.dup2(output, 2)
            signal.set_wakeup_fd(-1)
            for number in _DEFAULT_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(run.argv[0], run.argv, run.env)  # noqa: S606 - the shell, if any, is in argv
        except BaseException as error:  # noqa: BLE001 - a forked child must never unwind into the keeper's code
            with contextlib.suppress(OSError):
                reason = (isinstance(error, OSError) and error.strerror) or error
                os.write(2, f"{run.argv[0]}: {reason}\n".encode("utf-8", "replace"))
            os._exit(127 if isinstance(error, FileNotFoundError) else 126)

    def _reap(self) -> bool:
        """Collect the dead; True if no child is left at all."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return self.subreaper or not self._run or not _group_lives(self._run.pid)
            if pid == 0:
                return False
            if self._run and pid == self._run.pid:
                self._run.status = status

    def _advance(self, now: float, *, childless: bool) -> None:
        run = self._run
        if run is None:
            return
        if childless:
            self._report(run, now)
            return
        if run.status is not None:
            run.stop(now, [signal.SIGTERM, signal.SIGKILL], LINGER_S)
            run.grace_s = min(run.grace_s, LEFTOVER_GRACE_S)
        elif now >= run.ends_at and not run.pending and run.paused_at is None:
            run.timed_out = True
            run.stop(now, [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
        if now >= run.next_at:
            self._signal_next(run, now)
        if now - run.killed_at >= STUCK_S and not run.stuck:
            run.stuck = True
            self._answer("stuck", pids=sorted(_descendants()))

    def _signal_next(self, run: Run, now: float) -> None:
        number = run.pending[0]
        _signal_tree(run.pid, number, group=run.status is None or not self.subreaper)
        self._resume()  # what is stopped could not answer; the signal above is the first thing it meets
        if number != signal.SIGKILL:
            run.pending = run.pending[1:]
            run.next_at = now + run.grace_s
            return
        run.killed_at = min(run.killed_at, now)
        run.next_at = now + run.kill_round_s
        run.kill_round_s = min(run.kill_round_s * 2, KILL_ROUND_S_MAX)

    def _report(self, run: Run, now: float) -> None:
        assert run.status is not None, "the command itself was our child"
        if run.output.pipe >= 0:
            self._poll.unregister(run.output.pipe)
        run.output.close()
        self._run = None
        code = os.waitstatus_to_exitcode(run.status)
        self._answer(
            "exited",
            code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            timed_out=run.timed_out,
            stopped=run.stopped,
            output_bytes=run.output.kept,
            output_dropped=run.output.dropped,
            output_error=run.output.error,
            duration_s=now - run.began,
            tail=run.output.tail.decode("utf-8", "replace"),
        )

    def _pause_ms(self) -> int | None:
        run = self._run
        if run is None:
            return None
        until = [run.next_at]
        if not run.pending and run.paused_at is None:
            until.append(run.ends_at)
        if not run.stuck:
            until.append(run.killed_at + STUCK_S)
        soonest = min(until)
        return None if soonest == math.inf else max(0, math.ceil((soonest - time.monotonic()) * 1000))


def _libc() -> Callable[..., int] | None:
    """Return prctl(2), None where there is none."""
    if sys.platform != "linux":
        return None
    try:
        import ctypes  # noqa: PLC0415 - costs a few milliseconds and may be missing from a minimal Python

        call: Callable[..., int] = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None
    else:
        return call


def _open_channel(path: str, flag: int) -> int:
    """Open one end of a named pipe whose other end is open already, without ever waiting for anybody."""
    channel = os.open(path, flag | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    os.set_blocking(channel, True)
    return channel


def _stat(pid: int) -> tuple[int, int, int] | None:
    """Return parent, process group and start time of a process that is not a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double the start-up time
            fields = file.read().rpartition(b") ")[2].split()
    except OSError:
        return None
    return None if fields[0] in {b"Z", b"X"} else (int(fields[1]), int(fields[2]), int(fields[19]))


def _descendants() -> dict[int, tuple[int, int, int]]:
    """Return every live process whose chain of parents leads here, with its ``_stat``; empty without ``/proc``."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - as above
    except OSError:
        return {}
    known = {pid: facts for pid in pids if (facts := _stat(pid))}
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in known.items():
        children.setdefault(parent, []).append(pid)
    found: dict[int, tuple[int, int, int]] = {}
    waiting = [os.getpid()]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = known[child]
                waiting.append(child)
    return found


def _signal_tree(leader: int, number: int, *, group: bool) -> None:
    """Signal the command's process group at once, then every descendant outside it."""
    if group:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(leader, number)
    for pid, facts in _descendants().items():
        if group and facts[1] == leader:
            _send(pid, facts[2], signal.SIGCONT if number == signal.SIGTERM else 0)
        else:
            _send(pid, facts[2], number)
            if number == signal.SIGTERM:
                _send(pid, facts[2], signal.SIGCONT)  # one that is stopped could not answer


def _send(pid: int, started: int, number: int) -> None:
    """Signal exactly the process that was seen, not a later one with the same pid."""
    if not number:
        return
    with contextlib.suppress(OSError):
        if not hasattr(os, "pidfd_open"):
            os.kill(pid, number)
            return
        exact = os.pidfd_open(pid)
        try:
            facts = _stat(pid)
            if facts and facts[2] == started:
                signal.pidfd_send_signal(exact, number)
        finally:
            os.close(exact)


def _group_lives(leader: int) -> bool:
    try:
        os.killpg(leader, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Serve standard input and output."""
    if os.getsid(0) != os.getpid():
        with contextlib.suppress(OSError):
            os.setsid()
    os.chdir("/")  # pin no worktree
    keeper = Keeper(0, 1)
    try:
        keeper.serve()
    except BaseException as error:
        keeper._answer("crashed", error=f"{type(error).__name__}: {error}")  # noqa: SLF001 - our own
        raise
    finally:
        keeper.clear()


if __name__ == "__main__":
    main()
