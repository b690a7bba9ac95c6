"""How a test run ended, which files it is about, and what a landing without one comes to."""

from __future__ import annotations

import pytest

from pucs.core.errors import Refused
from pucs.streams.checks import (
    COMMAND_CHARACTERS_MAX,
    Demand,
    TestResult,
    command_of,
    demand,
    matching,
    result_of,
    tail,
)
from pucs.streams.records import CriticalFile, Stream

PLAIN = Stream(name="shop", files_pattern=("shop/**",))
TESTED = Stream(name="shop", files_pattern=("shop/**",), test_pattern=("tests/*",))
STRICT = Stream(name="shop", files_pattern=("shop/**",), test_required=True)
CRITICAL = CriticalFile(path="setup.cfg", max_lock_duration_s=1.0)
GUARDED = CriticalFile(path="models/*.py", max_lock_duration_s=1.0, test_required=True)


@pytest.mark.parametrize(
    ("status", "timed_out", "command", "output", "result"),
    [
        (0, False, "make test", "", TestResult.PASSED),
        (0, False, "pytest", "No module named pytest", TestResult.PASSED),
        (1, False, "make test", "No module named pytest", TestResult.FAILED),
        (1, False, "python -m pytest x", "No module named pytest", TestResult.COULD_NOT_RUN),
        (5, False, "pytest x", "", TestResult.COULD_NOT_RUN),
        (5, False, "make test", "", TestResult.FAILED),
        (126, False, "x", "", TestResult.COULD_NOT_RUN),
        (127, False, "x", "", TestResult.COULD_NOT_RUN),
        (-9, True, "x", "", TestResult.TIMED_OUT),
        (-11, False, "x", "", TestResult.FAILED),
    ],
)
def test_a_run_ends_in_one_of_four_ways(
    *, status: int, timed_out: bool, command: str, output: str, result: TestResult
) -> None:
    """Tests that never ran have neither passed nor failed."""
    assert result_of(status, timed_out=timed_out, command=command, output=output) is result


def test_the_end_of_the_output_is_kept() -> None:
    """What is short stays whole."""
    assert tail("short") == "short"
    assert tail("x" * 5000 + "end").endswith("end")
    assert len(tail("x" * 5000)) == 4096


def test_files_are_those_that_any_pattern_matches() -> None:
    """Each once, sorted; ** matches any depth."""
    paths = ["tests/test_a.py", "tests/deep/test_b.py", "tests/deep/data.json", "src/a.py"]
    assert matching(("tests/**/test_*.py", "tests/*.py"), paths) == [
        "tests/deep/test_b.py",
        "tests/test_a.py",
    ]
    assert matching((), paths) == []


def test_files_are_quoted_for_the_shell() -> None:
    """A name with a blank, a quote or a dollar stays one word; a command without the place for them is as it is."""
    assert command_of("pytest {files} -x", ["a b.py", "it's.py", "$(x).py"]) == (
        "pytest 'a b.py' 'it'\"'\"'s.py' '$(x).py' -x"
    )
    assert command_of("make test", ["a.py"]) == "make test"
    with pytest.raises(Refused, match="more than one command takes"):
        command_of("pytest {files}", ["x" * 100] * (COMMAND_CHARACTERS_MAX // 100))


@pytest.mark.parametrize(
    ("stream", "required", "critical", "wanted", "because"),
    [
        (None, "refuse", [], Demand.OFF, ""),
        (PLAIN, "refuse", [], Demand.OFF, ""),
        (TESTED, "off", [], Demand.OFF, "tests.required"),
        (TESTED, "warn", [], Demand.WARN, "tests.required"),
        (TESTED, "refuse", [CRITICAL], Demand.REFUSE, "tests.required"),
        (STRICT, "off", [], Demand.REFUSE, "stream shop"),
        (PLAIN, "off", [CRITICAL, GUARDED], Demand.REFUSE, "critical file models/*.py"),
        (None, "off", [GUARDED], Demand.REFUSE, "critical file models/*.py"),
    ],
)
def test_the_strictest_wish_counts(
    stream: Stream | None, required: str, critical: list[CriticalFile], wanted: Demand, because: str
) -> None:
    """A critical file before the stream, the stream before the general setting; without tests nothing is wanted."""
    assert demand(stream, required, critical) == (wanted, because)
