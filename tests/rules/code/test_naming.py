"""What parts of the code are called."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.code.naming import called, directory_names
from pucs.code.resolving import Edge
from pucs.streams.configuration import parse
from pucs.syntax.facts import ImportKind


def names(groups: list[list[str]], *pairs: tuple[str, str]) -> list[str]:
    edges = [Edge(importer, imported, 1, ImportKind.TOP) for importer, imported in pairs]
    return [each.name for each in called(groups, edges)]


def test_a_group_is_called_after_the_directory_that_is_most_like_it() -> None:
    """Not after the deepest that it lies in, nor after one that others have most of."""
    shop = ["src/pkg/shop/a.py", "src/pkg/shop/b.py", "src/pkg/shop/deep/c.py", "src/pkg/x.py"]
    rest = [f"src/pkg/rest/{n}.py" for n in range(9)]
    assert names([rest, shop]) == ["rest", "shop"]
    (one, other) = called([rest, shop], [])
    assert (one.directory, one.alike) == ("src/pkg/rest", True)
    assert (other.directory, other.alike) == ("src/pkg/shop", True)


def test_a_group_from_all_over_is_called_after_its_most_imported_file() -> None:
    """By those of the group alone; a package's own file has the name of its directory."""
    places = [[f"{part}/{n}.py" for n in range(3)] for part in "abcdefgh"]
    first = [files[0] for files in places]
    rest = [path for files in places for path in files[1:]]
    tied = [("a/0.py", "c/0.py"), ("b/0.py", "c/0.py"), *((path, "d/0.py") for path in rest)]
    assert called([rest, [*first, "c/core.py"]], [])[1].alike is False
    assert names([rest, [*first, "c/core.py"]], ("a/0.py", "c/core.py")) == ["1", "core"]
    assert names([rest, first], *tied)[1] == "0"
    assert names([rest, [*first, "e/kernel/__init__.py"]], ("a/0.py", "e/kernel/__init__.py"))[1] == "kernel"


def test_groups_that_would_have_one_name_are_told_apart() -> None:
    """By the directory above, then by their file, then by a number; the largest chooses first."""
    groups = [[f"{top}/core/x{n}.py" for n in range(3)] for top in ("a", "b", "c")]
    assert names(groups) == ["core", "b-core", "c-core"]
    assert names([["a/x/1.py", "a/x/2.py"], ["a/x/3.py", "a/x/4.py"]]) == ["x", "a-x"]
    assert directory_names(["a/core", "b/core", "shop"]) == ["a-core", "b-core", "shop"]
    assert directory_names(["all", "ä", "é", "v1.2"]) == ["all-2", "part", "part-2", "v1-2"]


@settings(max_examples=30)
@given(st.lists(st.text("aAb./é[ -_", min_size=1, max_size=6), unique=True, max_size=6))
def test_any_names_are_valid_for_streams_and_differ(paths: list[str]) -> None:
    """Without regard to case, and whatever directories are called."""
    found = directory_names(paths)
    assert len({name.lower() for name in found}) == len(paths)
    text = "streams:\n" + "".join(f"  '{name}': {{files_pattern: '{n}/'}}\n" for n, name in enumerate(found))
    assert [
        stream.name for stream in parse(text if found else "streams: {}", "pucs.yaml", {}).streams
    ] == found
    assert names([[path] for path in paths]) == names([[path] for path in paths])
