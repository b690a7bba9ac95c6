"""Boundaries: who covers a file, when one is crossed, and which files are in two streams or none."""

from __future__ import annotations

from time import process_time

import pytest

from pucs.streams.boundaries import Boundaries, check_overlaps
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration


def stream(name: str, *patterns: str, lines: tuple[int, ...] = ()) -> Stream:
    return Stream(name=name, files_pattern=patterns, pattern_lines=lines)


BOUNDARIES = Boundaries(
    [
        stream("EXEC", "execution/**/*.py"),
        stream("RISK", "models/risk*.py", "models/circuit*.py", "compliance/**/*.py"),
        stream("docs", "**/*.md"),
        stream("empty"),
    ],
    ["**/*.lock", "execution/generated/**"],
)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("execution/a.py", "EXEC"),
        ("execution/deep/a.py", "EXEC"),
        ("models/risk_manager.py", "RISK"),
        ("models/other.py", None),
        ("execution/README.md", "docs"),
        ("README.md", "docs"),
        ("new/place.md", "docs"),
        ("config/__init__.py", None),
    ],
)
def test_owner_covers_path(path: str, owner: str | None) -> None:
    """A file belongs to the stream whose pattern matches it, else it is shared."""
    assert BOUNDARIES.owner(path) == owner


@pytest.mark.parametrize(
    ("resource", "by", "other"),
    [
        ("execution/a.py", "EXEC", None),
        ("execution/a.py", "exec", None),
        ("execution/a.py", "RISK", "EXEC"),
        ("execution/a.py::Class.method", "RISK", "EXEC"),
        ("execution/a.py", "", None),
        ("config/__init__.py", "RISK", None),
        ("res:port/8080", "RISK", None),
        ("execution/generated/a.py", "RISK", None),
        ("execution/", "RISK", "EXEC"),
        ("execution/deep/", "EXEC", "docs"),
        ("/", "docs", "EXEC"),
    ],
)
def test_boundary_is_crossed_by_covered_paths_only(resource: str, by: str, other: str | None) -> None:
    """Only a path, or something below a directory, that another stream covers is out of bounds."""
    assert BOUNDARIES.crossed(resource, by) == other


def test_directory_of_one_stream_is_its_own() -> None:
    """A directory that no other stream can reach into may be leased whole."""
    assert Boundaries([stream("a", "a/"), stream("b", "b/")]).crossed("a/deep/", "A") is None


def test_file_in_two_streams_is_open_to_both() -> None:
    """An overlap is a mistake of the configuration, not of the agent that meets it."""
    boundaries = Boundaries([stream("a", "x/*"), stream("b", "x/y"), stream("c", "z")])
    assert boundaries.owners("x/y") == ("a", "b")
    assert boundaries.crossed("x/y", "b") is None
    assert boundaries.crossed("x/y", "c") == "a"


def test_coverage_divides_files() -> None:
    """Every file is in one stream, in several, or in none; generated ones disturb nobody."""
    boundaries = Boundaries([stream("a", "x/**"), stream("b", "x/y*"), stream("c")], ["gen/**", "x/yg"])
    coverage = boundaries.coverage(["x/1", "x/y1", "x/yg", "gen/1", "free"])
    assert coverage.by_stream == {"a": ("x/1",), "b": (), "c": ()}
    assert coverage.overlaps == (("x/y1", ("a", "b")),)
    assert coverage.uncovered == ("free",)


def test_overlap_names_both_streams_and_lines() -> None:
    """The message names a file, both streams, both patterns and where they stand."""
    streams = (stream("a", "q/*", "x/**", lines=(3, 4)), stream("b", "x/y*", lines=(9,)))
    (found,) = check_overlaps(Configuration(source="pucs.yaml", streams=streams), ["x/y1", "x/y2", "x/1"])
    assert str(found) == (
        "pucs.yaml:9: 'x/y1' and 1 more files would be in two streams: 'b' by 'x/y*' and 'a' by 'x/**' in line 4; "
        "a file belongs to one stream, so narrow one of the patterns"
    )


def test_overlap_without_lines_still_reads_well() -> None:
    """Streams that were not read from a file have no lines to name."""
    streams = (stream("a", "x"), stream("b", "x"))
    (found,) = check_overlaps(Configuration(streams=streams), ["x"])
    assert str(found).startswith("configuration: 'x' would be in two streams: 'b' by 'x' and 'a' by 'x'; ")


def test_partition_without_overlaps_has_no_problems() -> None:
    """Disjoint streams are fine."""
    assert not check_overlaps(Configuration(streams=(stream("a", "a"), stream("b", "b"))), ["a", "b", "c"])


@pytest.mark.slow
def test_hundred_thousand_files_take_seconds() -> None:
    """A large repository is divided in about a second, also when half of the patterns begin with a wildcard."""
    streams = [stream(f"s{n}", f"dir{n}/**/*.py", f"lib/{n}*/") for n in range(10)]
    streams += [stream(f"w{n}", f"**/special{n}/*.txt") for n in range(10)]
    files = [f"dir{n % 30}/package{n % 100}/module{n}.py" for n in range(100_000)]
    begun = process_time()
    assert len(Boundaries(streams).coverage(files).uncovered) > 0
    assert process_time() - begun < 5
