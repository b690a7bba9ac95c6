"""Test runs of a stream as records, and what decides whether a landing needs one (000 §10 ``test_required``, §11)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from pucs.core.errors import Refused
from pucs.streams.patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.streams.records import CriticalFile, Stream

OUTPUT_CHARACTERS_MAX: Final = 4096
"""Tail of a run's output that is kept: a test summary is at the end, and every status reads past these rows."""
COMMAND_CHARACTERS_MAX: Final = 100_000
"""Longest command with its files: Linux takes no longer argument than 128 KiB, and a shell command is one."""
FILES: Final = "{files}"
"""Stands in ``tests.command`` for the files that the stream's ``test_pattern`` matches."""
_CANNOT_RUN: Final = frozenset({126, 127})
"""What a shell returns for a command that it cannot start or find."""
_PYTEST_FOUND_NONE: Final = 5
"""What pytest returns when it collected no test."""
_PYTEST_MISSING: Final = "No module named pytest"


class TestResult(StrEnum):
    """How a test run ended."""

    __test__: ClassVar[bool] = False

    PASSED = "passed"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    COULD_NOT_RUN = "could not run"
    """Nothing was tested: no such command, no files, or the worktree could not be set up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRun:
    """One run of a stream's tests on one content."""

    __test__: ClassVar[bool] = False

    id: int = 0
    """0 while not recorded."""
    session: str
    stream: str
    """Empty for the merged result of several streams."""
    agent: str = ""
    """Agent in whose worktree it ran; empty: on the stream's branch."""
    task: str = ""
    commit: str
    """Commit with the tested content; for uncommitted work the snapshot that was made of it."""
    tree: str
    """Tree of the tested content; empty if it changed while the tests ran."""
    command: str
    result: TestResult
    status: int | None
    """Exit status, negative for a signal; None if nothing was run."""
    duration_s: float
    output: str = ""
    """Tail of what it printed."""
    at: str
    """Wall time of the end."""


def result_of(status: int, *, timed_out: bool, command: str, output: str) -> TestResult:
    """Tell from its exit status how a test command ended; tests that never ran have neither passed nor failed."""
    if timed_out:
        return TestResult.TIMED_OUT
    none_ran = "pytest" in command and (status == _PYTEST_FOUND_NONE or _PYTEST_MISSING in output)
    if status in _CANNOT_RUN or (status != 0 and none_ran):
        return TestResult.COULD_NOT_RUN
    return TestResult.PASSED if status == 0 else TestResult.FAILED


def tail(output: str) -> str:
    """Return the end of a run's output, as much as is kept."""
    return output[-OUTPUT_CHARACTERS_MAX:]


def matching(patterns: Iterable[str], paths: Iterable[str]) -> list[str]:
    """Return the paths that any of the patterns matches, sorted."""
    wanted = tuple(patterns)
    return sorted({path for path in paths if any(matches(pattern, path) for pattern in wanted)})


def command_of(template: str, files: Sequence[str]) -> str:
    """Return the shell command that tests these files; one without ``{files}`` is run as it stands.

    Raises:
        Refused: there are so many files that no shell takes them.
    """
    command = template.replace(FILES, shlex.join(files))
    if len(command) > COMMAND_CHARACTERS_MAX:
        raise Refused(
            f"{len(files)} test files are more than one command takes.",
            remedy="Name directories in tests.command instead of {files}.",
        )
    return command


class Demand(StrEnum):
    """What a landing without a passing run comes to (``tests.required``)."""

    OFF = "off"
    WARN = "warn"
    REFUSE = "refuse"


def demand(stream: Stream | None, required: str, critical: Iterable[CriticalFile]) -> tuple[Demand, str]:
    """Return what is demanded of a landing on a stream that touches these critical files, and because of what."""
    strict = next((file.path for file in critical if file.test_required), "")
    if strict:
        return Demand.REFUSE, f"critical file {strict}"
    if stream is not None and stream.test_required:
        return Demand.REFUSE, f"stream {stream.name}"
    if stream is None or not stream.test_pattern:
        return Demand.OFF, ""
    return Demand(required), "tests.required"
