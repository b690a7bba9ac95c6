"""Proposed streams: from directory names alone, and readable back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.streams.boundaries import Boundaries, check_overlaps
from pucs.streams.configuration import parse
from pucs.streams.patterns import matches
from pucs.streams.proposal import STREAMS_MAX, propose, render
from pucs.streams.records import Stream


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["shop/a.py", "lib/b.py", "setup.py", "README.md"], {"lib": "lib/", "shop": "shop/"}),
        (
            ["shop/a.py", "tests/test_a.py", "docs/conf.py", "config/x.py", ".ci/x.py", "shop2/x.md"],
            {"shop": "shop/"},
        ),
        (["src/pkg/a.py", "src/pkg/b.py"], {"pkg": "src/pkg/"}),
        (["src/pkg/a/x.py", "src/pkg/b/x.py", "src/pkg/m.py"], {"a": "src/pkg/a/", "b": "src/pkg/b/"}),
        (["src/pkg/a/x.py", "src/pkg/m.py", "src/pkg/n.py"], {"pkg": "src/pkg/"}),
        (["src/one/x.ts", "src/two/x.ts", "src/index.ts"], {"one": "src/one/", "two": "src/two/"}),
        (["src/index.ts", "src/app.ts"], {"src": "src/"}),
        (["apps/web/x.ts", "packages/web/x.ts"], {"apps-web": "apps/web/", "packages-web": "packages/web/"}),
        (["dj/a/x.py", "dj/b/x.py", "dj/c/x.py"], {"a": "dj/a/", "b": "dj/b/", "c": "dj/c/"}),
        (["dj/a/x.py", "dj/b/x.py"], {"dj": "dj/"}),
        (["all/a.py", "[id]/a.ts"], {"all-2": "all/", "id": r"\[id\]/"}),
        (["Ä/a.py", "a b/x.py", "b/x.py"], {"part": "Ä/", "a-b": "a b/", "b": "b/"}),
        (["a-b/x.py", "a b/x.py"], {"a-b": "a b/", "a-b-2": "a-b/"}),
        (["a.py", "b.js", "tests/test_a.py"], {"main": "*.js"}),
        (["README.md"], {"main": "**"}),
        ([], {}),
    ],
)
def test_streams_follow_directories(files: list[str], expected: dict[str, str]) -> None:
    """Directories with source files become streams named after them."""
    assert {stream.name: stream.files_pattern[0] for stream in propose(files)} == expected


def test_small_and_surplus_directories_stay_shared() -> None:
    """A directory with too little stays shared, and there is a largest number of streams."""
    files = (
        [f"big/{n}.py" for n in range(150)]
        + ["tiny/a.py"]
        + [f"d{n:02}/{m}.py" for n in range(15) for m in range(9)]
    )
    names = [stream.name for stream in propose(files)]
    assert len(names) == STREAMS_MAX
    assert "big" in names
    assert "tiny" not in names


@pytest.mark.parametrize(("count", "agents"), [(1, 2), (10, 3), (40, 4)])
def test_agents_follow_size(count: int, agents: int) -> None:
    """A larger part takes more agents."""
    (stream,) = propose([f"a/{n}.py" for n in range(count)])
    assert stream.max_agents == agents


@pytest.mark.parametrize(
    ("test", "pattern"),
    [
        ("tests/test_shop_cart.py", "tests/**/*_shop*.py"),
        ("tests/deep/Shop.test.ts", "tests/**/Shop*.ts"),
        ("tests/test_workshop.py", None),
        ("tests/unit/Shop/test_x.py", "tests/unit/Shop/"),
        ("shop/tests/test_x.py", "shop/tests/"),
        ("shop/deep/test_x.py", "shop/**/test_*.py"),
        ("shop/x_test.go", "shop/**/*_test.go"),
        ("shop/x.test.ts", "shop/**/*.test.ts"),
        ("shop/x-spec.js", "shop/**/*-spec.js"),
        ("tests/test_other.py", None),
        ("elsewhere/test_shop.py", None),
        ("shop/conftest.py", None),
    ],
)
def test_tests_are_guessed_by_name(test: str, pattern: str | None) -> None:
    """Tests belong to a part that they lie in or are named after; the pattern matches them."""
    (stream,) = [stream for stream in propose(["shop/a.py", test]) if stream.name == "shop"]
    assert stream.test_pattern == ((pattern,) if pattern else ())
    if pattern:
        assert matches(pattern, test)


def test_repository_without_directories_is_one_stream() -> None:
    """Sources at the root are one stream with the tests beside them."""
    (stream,) = propose(["a.py", "tests/test_a.py", "test_b.py"])
    assert (stream.files_pattern, stream.test_pattern) == (("*.py",), ("tests/",))


def test_everything_rendered_is_read_back() -> None:
    """Dependencies, odd names and dollar signs survive the file."""
    streams = (
        Stream(name="yes", files_pattern=("a${b}/", "$$"), dependencies=("x-1",), max_agents=1),
        Stream(name="x-1", description='say "hi"', files_pattern=("c, d/",)),
    )
    assert parse(render(streams), "pucs.yaml", {}).streams == streams


PARTS = st.text(alphabet="ab/.$!*[]{},'\"#: \\äТ\n\udce9", min_size=1, max_size=6)
NAMES = st.sampled_from(["src", "tests", "shop", "docs", "all", "Shop", "x y"])
FILES = st.lists(
    st.builds(
        lambda above, name, ending: "/".join(part for part in "/".join([*above, name + ending]).split("/") if part.strip(". ")),
        st.lists(PARTS | NAMES, max_size=3), PARTS | NAMES, st.sampled_from([".py", ".ts", ".md", "_test.go"]),
    ).filter(bool),
    max_size=12,
    unique=True,
)  # fmt: skip


@given(FILES)
def test_any_proposal_is_a_valid_configuration(files: list[str]) -> None:
    """Whatever the files are called, the proposal is read back as it was and no file is in two streams."""
    streams = propose(files)
    configuration = parse(render(streams), "pucs.yaml", {})
    assert configuration.streams == streams
    assert not configuration.warnings
    assert not check_overlaps(configuration, files)
    coverage = Boundaries(streams).coverage(files)
    assert all(coverage.by_stream.values())
