"""Running git so that nothing outside the call decides what it does.

The environment of a hook, a pager, a passphrase prompt, a background gc or a name that looks like an option have each
broken tools that call git; every command of the room goes through ``Git``, which rules them out in one place.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pucs.core.errors import EnvironmentFailure, GitError, Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COMMAND_TIMEOUT_S = 120.0
"""Longest time of a command that only touches objects, refs or an index: they take milliseconds; a disk that needs
minutes is reported rather than waited for."""
CHECKOUT_TIMEOUT_S = 900.0
"""Longest time of a command that writes or hashes a whole checkout, with filters such as LFS in the way."""
HOOKS_TIMEOUT_S = 600.0
"""Longest time of a commit with the user's hooks, which may run linters over the change."""
TERMINATE_GRACE_S = 2.0
"""Time git has to take its lock files down after SIGTERM, before SIGKILL."""
ERROR_CHARS_MAX = 4000
"""How much of git's complaint an error carries: its tail, where the reason is."""
ARGUMENTS_MAX = 200
"""Paths handed to one command: with 4 KiB each they stay under the 2 MiB that Linux gives arguments."""
OLDEST_GIT = (2, 38)
"""First version with ``git merge-tree --write-tree``."""
OWN = "PUCS_OWN_COMMIT"
"""Tells the hooks of ``pucs install git`` that the commit is made by PUCS, which has judged it already."""

_SETTINGS: tuple[str, ...] = (
    "core.quotePath=false",
    "core.fsmonitor=false",  # starts a daemon for each worktree
    "core.fsync=committed,reference",  # objects a ref points at must survive power loss as the store does
    "core.fsyncMethod=batch",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "advice.addEmbeddedRepo=false",
    "color.ui=false",
    "commit.status=false",
    "log.showSignature=false",
    "merge.autoStash=false",
    "reftable.lockTimeout=1000",  # one lock for all refs; by itself git waits for a tenth of that
    "merge.verifySignatures=false",
    "submodule.recurse=false",
)
_NO_HOOKS = (
    "core.hooksPath=/dev/null",
    # Since 2.54 the configuration may name hooks as well; 2.55 can be told to leave these out, event by event.
    "hook.post-checkout.enabled=false",
    "hook.post-index-change.enabled=false",
    "hook.post-merge.enabled=false",
    "hook.reference-transaction.enabled=false",
)
_UNSIGNED = "commit.gpgsign=false"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Output:
    """What a finished command said."""

    status: int
    """Its exit status."""
    text: str
    """Standard output; bytes outside UTF-8 as surrogate escapes."""
    error: str
    """The tail of standard error."""

    @property
    def line(self) -> str:
        """The output without the newline at its end."""
        return self.text.removesuffix("\n")

    @property
    def items(self) -> list[str]:
        """The fields of ``-z`` output, without the empty one behind the last terminator."""
        fields = self.text.split("\0")
        return fields[:-1] if not fields[-1] else fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """Where git runs and with what environment; calling it runs one command."""

    directory: str
    """Working directory of every command."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables of these commands, such as ``GIT_INDEX_FILE``; every inherited ``GIT_*`` is dropped."""

    def __call__(
        self,
        *arguments: str,
        ok: Sequence[int] = (0,),
        stdin: str = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
        environment: Mapping[str, str] | None = None,
    ) -> Output:
        """Run one command without the user's hooks and return what it said.

        Raises:
            GitError: its exit status is not among ``ok``, or it took longer than ``timeout_s``.
            EnvironmentFailure: git or the directory is missing.
        """
        command = ["git", *_options(*_NO_HOOKS, _UNSIGNED), *arguments]
        variables = _environment(
            {"GIT_OPTIONAL_LOCKS": "0"} | dict(self.environment) | dict(environment or {})
        )
        process = self._start(command, variables, subprocess.PIPE)
        try:
            out, err = process.communicate(_encode(stdin), timeout=timeout_s)
        except BaseException as interruption:
            stop(process)
            if isinstance(interruption, subprocess.TimeoutExpired):
                raise _too_long(arguments, timeout_s) from None
            raise
        return _checked(arguments, ok, Output(process.returncode, _decode(out), _tail(err)))

    def with_hooks(
        self,
        *arguments: str,
        stdin: str = "",
        signed: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Output:
        """Run one command with the user's hooks and return what it said, whatever its exit status.

        Output goes to files: a hook may leave a process behind that keeps a pipe open for ever, or print gigabytes.

        Raises:
            GitError: it took longer than ``HOOKS_TIMEOUT_S``; the whole process group was stopped.
            EnvironmentFailure: git or the directory is missing.
        """
        command = ["git", *_options(*(() if signed else (_UNSIGNED,))), *arguments]
        variables = _environment({OWN: "1"} | dict(self.environment) | dict(environment or {}))
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as given:
            given.write(_encode(stdin))
            given.seek(0)
            process = self._start(command, variables, said, given)
            try:
                status = process.wait(HOOKS_TIMEOUT_S)
            except BaseException as interruption:
                stop(process)
                if isinstance(interruption, subprocess.TimeoutExpired):
                    raise _too_long(arguments, HOOKS_TIMEOUT_S, _read_tail(said)) from None
                raise
            return Output(status, "", _read_tail(said))

    def _start(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        out: int | IO[bytes],
        given: IO[bytes] | None = None,
    ) -> subprocess.Popen[bytes]:
        # A group of its own: what git started dies with it, and ^C at the terminal lets it finish a ref update.
        try:
            return subprocess.Popen(
                command,
                cwd=self.directory,
                env=environment,
                stdin=given if given is not None else subprocess.PIPE,
                stdout=out,
                stderr=subprocess.PIPE if out == subprocess.PIPE else subprocess.STDOUT,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if not Path(self.directory).is_dir():
                raise GitError(
                    f"The directory {self.directory} is gone.",
                    remedy="A worktree deleted by hand is made again when its agent starts.",
                    path=self.directory,
                ) from error
            raise _missing() from error
        except OSError as error:
            raise EnvironmentFailure(f"git cannot be run in {self.directory}: {error.strerror}.") from error


def stop(process: subprocess.Popen[bytes], *, close: bool = True) -> None:
    """End a process and its group: SIGTERM first, so that git removes its lock files, then SIGKILL."""
    for number, patience_s in ((signal.SIGTERM, TERMINATE_GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except (ProcessLookupError, PermissionError):
            break
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    if not close:
        return
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def nowhere(error: GitError, told: GitError) -> GitError:
    """Return ``told`` where git found no repository or checkout, else what git said: it may be there and broken, say."""
    said = str(error.fields.get("stderr", ""))
    return told if "not a git repository" in said or "must be run in a work tree" in said else error


def checked_branch(name: str) -> str:
    """Return a branch name that git accepts and cannot take for anything else.

    Raises:
        Usage: the name is empty, starts with ``-``, or breaks the rules of git-check-ref-format(1).
    """
    bad = (
        not name
        or name.startswith(("-", "/", "."))
        or name.endswith(("/", ".", ".lock"))
        or any(
            part in name
            for part in ("..", "//", "/.", "@{", ".lock/", "\\", " ", "~", "^", ":", "?", "*", "[")
        )
        or name in {"@", "HEAD"}
        or _CONTROL.search(name) is not None
    )
    if bad:
        raise Usage(f"{name!r} is not a branch name.", remedy="See: git help check-ref-format")
    return name


def checked_revision(name: str) -> str:
    """Return a revision that cannot be taken for an option.

    Raises:
        Usage: it is empty, starts with ``-`` or contains control characters.
    """
    if not name or name.startswith("-") or _CONTROL.search(name):
        raise Usage(f"{name!r} names no revision.", remedy="Name a commit, a branch or a tag.")
    return name


@cache
def require_git() -> tuple[int, int]:
    """Return the version of git, once it is known to be new enough.

    Raises:
        EnvironmentFailure: git is missing or older than ``OLDEST_GIT``.
    """
    text = Git(directory="/")("version").line
    found = _VERSION.search(text)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST_GIT:
        raise EnvironmentFailure(
            f"This is {text}; PUCS merges with git {OLDEST_GIT[0]}.{OLDEST_GIT[1]} or newer.",
            remedy="Install a newer git.",
        )
    return version


def _options(*more: str) -> list[str]:
    return ["--no-pager", *(part for setting in (*_SETTINGS, *more) for part in ("-c", setting))]


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    fixed = {
        "LC_ALL": "C",
        "LANGUAGE": "",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        "GIT_PAGER": "cat",
        "GIT_MERGE_AUTOEDIT": "no",
    }
    return inherited | fixed | dict(variables)


def _checked(arguments: Sequence[str], ok: Sequence[int], output: Output) -> Output:
    if output.status not in ok:
        raise GitError(
            f"git {arguments[0]} failed: {output.error or f'exit status {output.status}'}",
            command=["git", *arguments],
            status=output.status,
            stderr=output.error,
        )
    return output


def _too_long(arguments: Sequence[str], timeout_s: float, said: str = "") -> GitError:
    return GitError(
        f"git {arguments[0]} took longer than {timeout_s:.0f} s and was stopped."
        + (f" It said: {said}" if said else ""),
        remedy="A hook or a filter may be waiting for something; run the command by hand to see.",
        command=["git", *arguments],
        stderr=said,
    )


def _missing() -> EnvironmentFailure:
    return EnvironmentFailure("git is not installed, or not on PATH.", remedy="Install git 2.38 or newer.")


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _tail(data: bytes) -> str:
    return data.decode("utf-8", "replace").strip()[-ERROR_CHARS_MAX:]


def _read_tail(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 4 * ERROR_CHARS_MAX))
    return _tail(file.read())
