"""Streams by directories: how files divide, what the parts are called, and which tests are theirs."""

from __future__ import annotations

import pytest

from pucs.code.dividing import PARTS_MAX
from pucs.code.proposing import STREAMS_MAX, proposals
from pucs.code.records import Method, StreamPlan
from pucs.code.resolving import Code


def by_directory(files: list[str]) -> tuple[StreamPlan, ...]:
    """Return the streams that directories alone suggest."""
    found = [plan for plan in proposals(Code({}), [], files, []) if plan.method is Method.DIRECTORIES]
    return found[0].streams if found else ()


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
        (["README.md"], {}),
        ([], {}),
    ],
)
def test_streams_follow_directories(files: list[str], expected: dict[str, str]) -> None:
    """Directories with source files become streams named after them."""
    assert {stream.name: stream.files_pattern[0] for stream in by_directory(files)} == expected


def test_small_and_surplus_directories_stay_shared() -> None:
    """In a large repository a directory with a single file stays shared, and there is a largest number of streams."""
    files = (
        [f"big/{n}.py" for n in range(90)]
        + ["tiny/a.py"]
        + [f"d{n:02}/{m}.py" for n in range(STREAMS_MAX + 5) for m in range(9)]
    )
    names = [stream.name for stream in by_directory(files)]
    assert len(names) == STREAMS_MAX
    assert "big" in names
    assert "tiny" not in names


def test_a_large_directory_is_divided_where_its_files_lie_deeper() -> None:
    """One that holds most of the files becomes its parts; with too many parts it stays whole."""
    rest = [f"rest/{n}.py" for n in range(20)]
    parts = [f"app/{part}/{n}.py" for part in ("one", "two") for n in range(20)]
    assert [stream.name for stream in by_directory([*rest, *parts])] == ["one", "rest", "two"]
    plugins = [f"app/p{part}/{n}.py" for part in range(PARTS_MAX + 1) for n in range(2)]
    assert [stream.name for stream in by_directory([*rest, *plugins])] == ["app", "rest"]


@pytest.mark.parametrize(
    ("test", "pattern"),
    [
        ("tests/test_shop_cart.py", "tests/test_shop_cart.py"),
        ("tests/deep/Shop.test.ts", "tests/"),
        ("tests/test_workshop.py", None),
        ("tests/unit/shop/test_x.py", "tests/"),
        ("shop/tests/test_x.py", "shop/tests/"),
        ("shop/deep/test_x.py", "shop/deep/"),
        ("shop/x_test.go", "shop/x_test.go"),
        ("tests/test_other.py", None),
        ("elsewhere/test_y.py", None),
        ("shop/conftest.py", None),
    ],
)
def test_tests_that_import_nothing_are_guessed_by_place_and_name(test: str, pattern: str | None) -> None:
    """Tests belong to a part that they lie in, whose directories they repeat or after which they are named."""
    (stream,) = [stream for stream in by_directory(["shop/a.py", "lib/b.py", test]) if stream.name == "shop"]
    assert stream.test_pattern in ((), ("tests/",)) if pattern is None else (pattern,)
    assert bool(stream.test_pattern) == (pattern is not None)


def test_tests_whose_names_begin_alike_share_a_pattern() -> None:
    """Where a directory of tests is of several streams, names that only one has there stand for many."""
    files = ["shop/a.py", "lib/b.py", *(f"tests/test_shop_{n}.py" for n in "abc"), "tests/test_lib.py"]
    assert {stream.name: stream.test_pattern for stream in by_directory(files)} == {
        "lib": ("tests/test_lib.py",),
        "shop": ("tests/test_shop_*.py",),
    }


def test_repository_without_directories_is_one_stream() -> None:
    """Sources at the root are one stream with the tests beside them."""
    (stream,) = by_directory(["a.py", "tests/test_a.py", "test_b.py"])
    assert (stream.files_pattern, stream.test_pattern) == (("*.py",), ("test_b.py", "tests/"))
