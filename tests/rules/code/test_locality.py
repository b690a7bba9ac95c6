"""What a history teaches, and how it judges."""

from __future__ import annotations

import pytest

from pucs.code.locality import SWEEP_FILES, TAUGHT_DAYS_MIN, TAUGHT_MIN, staying, together, work

DAY_S = 24 * 60 * 60


def test_only_commits_over_several_sources_say_something() -> None:
    """One file tells nothing, a sweep over the repository even less."""
    sources = [f"{n}.py" for n in range(SWEEP_FILES + 1)]
    history = [
        (3, ("1.py", "0.py", "README.md")),
        (2, ("0.py", "README.md")),
        (1, sources),
        (0, sources[:-1]),
    ]
    found = work(history, sources)
    assert found.commits == (("0.py", "1.py"), tuple(sorted(sources[:-1])))
    assert (found.judging, found.older, found.teaches) == (found.commits, (), False)


@pytest.mark.parametrize(
    ("commits", "days", "teaches"),
    [
        (TAUGHT_MIN, TAUGHT_DAYS_MIN, True),
        (TAUGHT_MIN - 1, TAUGHT_DAYS_MIN, False),
        (TAUGHT_MIN, TAUGHT_DAYS_MIN - 1, False),
    ],
)
def test_a_long_history_teaches_and_its_newest_commits_judge(
    *, commits: int, days: int, teaches: bool
) -> None:
    """A short one, or one squashed within days, does not teach; then all of it judges."""
    times = [days * DAY_S, *[0] * (commits - 1)]
    paths = [("a", "b"), *[("a", "c")] * (commits - 1)]
    found = work(list(zip(times, paths, strict=True)), ("a", "b", "c"))
    assert found.teaches is teaches
    assert found.judging[0] == ("a", "b")
    assert len(found.judging) == (commits * 3 // 10 if teaches else commits)
    assert (*found.judging, *found.older) == found.commits


def test_each_commit_ties_a_file_as_much_as_any_other() -> None:
    """However many it changed."""
    found = together([("a", "b"), ("a", "b", "c")])
    assert found == {("a", "b"): 1.5, ("a", "c"): 0.5, ("b", "c"): 0.5}


def test_a_commit_stays_if_one_stream_has_all_that_is_not_shared() -> None:
    """A file of no stream is a way out of it; shared files are everybody's, but make no stream by themselves."""
    owner_of = {"a": "one", "b": "one", "c": "two"}
    commits = [("a", "b"), ("a", "c"), ("a", "x"), ("a", "s"), ("s", "t"), ("x", "y")]
    assert staying(commits, owner_of, {"s", "t"}) == 2
    assert staying(commits, owner_of) == 1
