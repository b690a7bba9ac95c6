"""Modules, layers and phases."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.code.resolving import Edge
from pucs.code.structure import (
    PARTS_MAX,
    acyclic,
    independence_pct,
    module_names,
    modules,
    phases,
    weights_between,
)
from pucs.syntax.facts import ImportKind

NAMES = "abcdef"
GRAPHS = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), st.integers(1, 5))


def edge(importer: str, imported: str, kind: ImportKind = ImportKind.TOP, line: int = 1) -> Edge:
    return Edge(importer, imported, line, kind)


@pytest.mark.parametrize(
    ("directories", "expected"),
    [
        ({"a": 2, "a/b": 1, "c": 3, "d": 3, "e": 3}, ["a", "c", "d", "e"]),
        ({"src/a": 3, "src/b": 2, "src/b/c": 1}, ["src/a", "src/b"]),
        ({"src/pkg/a": 2, "src/pkg/b": 2, "src/pkg": 1}, ["src/pkg/0.py", "src/pkg/a", "src/pkg/b"]),
        ({"a": 5, "a/b": 3}, ["a"]),
        ({"a": 2, "tests": 3}, ["a"]),
        ({}, []),
    ],
)
def test_a_module_that_is_large_and_deep_is_divided(directories: dict[str, int], expected: list[str]) -> None:
    """What only holds other directories is looked into; tests are no modules."""
    paths = [
        f"{directory}/{number}.py" for directory, count in directories.items() for number in range(count)
    ]
    assert sorted(set(module_names([*paths, "a/README.md"]).values())) == expected


def test_a_directory_of_very_many_plugins_is_one_module() -> None:
    """Nobody oversees a module for each."""
    paths = [f"plugins/p{number}/x.py" for number in range(PARTS_MAX + 1)]
    assert set(module_names(paths).values()) == {"plugins"}
    assert len(set(module_names(paths[:-1]).values())) == PARTS_MAX


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=5).map(lambda parts: "/".join(parts) + ".py")
    )
)
def test_every_file_of_code_has_one_module_that_holds_it(paths: list[str]) -> None:
    """Whatever the directories, and in whatever order they come."""
    found = module_names(paths)
    assert found.keys() == set(paths)
    assert all(path == module or path.startswith(f"{module}/") for path, module in found.items())
    assert found == module_names(reversed(paths))


def test_independence_is_the_share_of_imports_that_stay_inside() -> None:
    """What tests import does not count, and lines, layers and imports belong to the module."""
    module_of = {"a/1.py": "a", "a/2.py": "a", "b/1.py": "b"}
    edges = [
        edge("a/1.py", "a/2.py"),
        edge("a/1.py", "b/1.py"),
        edge("a/2.py", "b/1.py", ImportKind.LAZY),
        edge("b/1.py", "a/1.py", ImportKind.TYPING),
        edge("tests/t.py", "a/1.py"),
        edge("a/1.py", "tests/t.py"),
    ]
    (a, b), cuts = modules(edges, module_of, {"a/1.py": 10, "b/1.py": 5})
    assert (a.path, a.files, a.lines, a.independence_pct, a.layer, a.imports) == ("a", 2, 10, 33, 1, ("b",))
    assert (b.path, b.files, b.lines, b.independence_pct, b.layer, b.imports) == ("b", 1, 5, 0, 0, ())
    assert not cuts
    assert independence_pct(0, 0) == 100


def test_a_cycle_is_cut_at_its_lightest_edge_and_named() -> None:
    """With where the imports stand that are against the layers."""
    edges = [edge(f"a/{n}.py", "b/x.py", line=n) for n in range(5)] + [edge("b/x.py", "a/1.py", line=7)]
    module_of = {each.importer: each.importer[0] for each in edges}
    (a, b), (cut,) = modules(edges, module_of, {})
    assert (a.layer, b.layer) == (1, 0)
    assert (cut.importer, cut.imported, cut.weight, cut.examples) == ("b", "a", 1, (("b/x.py", 7, "a/1.py"),))
    _, (cut,) = modules([*edges, *[edge("b/x.py", f"a/{n}.py", line=n) for n in range(5)] * 2], module_of, {})
    assert (cut.importer, cut.weight, len(cut.examples)) == ("a", 5, 3)


@settings(max_examples=25)
@given(GRAPHS)
def test_what_is_kept_has_no_cycle_and_what_is_cut_would_close_one(
    weights: dict[tuple[str, str], int],
) -> None:
    """No import is set aside for nothing."""
    kept, cut = acyclic(weights)
    assert kept | set(cut) == {pair for pair in weights if pair[0] != pair[1]}
    order, none = phases(NAMES, dict.fromkeys(kept, 1))
    assert not none
    row_of = {name: at for at, row in enumerate(order) for name in row}
    assert sorted(row_of) == list(NAMES)
    assert all(row_of[importer] > row_of[imported] for importer, imported in kept)
    for pair in cut:
        assert acyclic(dict.fromkeys([*kept, pair], 1))[1], pair
    assert (kept, cut) == acyclic(dict(reversed(weights.items())))


def test_what_was_cut_for_a_circle_that_another_cut_opens_is_put_back() -> None:
    """Two circles have an edge in common; once that is out, the lighter one cut first closes nothing."""
    weights = {("a", "b"): 1, ("b", "a"): 2, ("a", "c"): 3, ("c", "b"): 3}
    kept, cut = acyclic(weights)
    assert cut == [("b", "a")]
    assert kept == weights.keys() - set(cut)


def test_of_a_circle_the_heavier_imports_are_kept() -> None:
    """Phases follow what is imported more; the rest is named."""
    order, circles = phases("abc", {("a", "b"): 5, ("b", "a"): 2, ("c", "a"): 1})
    assert order == (("b",), ("a",), ("c",))
    assert circles == [("b", "a")]


def test_parts_that_nothing_ties_are_merged_first_and_at_once() -> None:
    """They wait for nobody, and only once does each part come."""
    assert phases("cba", {}) == ((("a", "b", "c"),), [])


def test_imports_between_parts_are_counted_without_those_for_type_checkers() -> None:
    """Files of no part have none."""
    edges = [
        edge("a/1", "b/1"),
        edge("a/2", "b/1", ImportKind.LAZY),
        edge("a/1", "a/2"),
        edge("a/1", "x"),
        edge("b/1", "a/1", ImportKind.TYPING),
    ]
    assert weights_between(edges, lambda path: path[0] if "/" in path else None) == {("a", "b"): 2}
