"""Import communities: what belongs together, whatever the order of things."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.code.communities import adopted, communities
from pucs.code.resolving import Edge
from pucs.syntax.facts import ImportKind

FILES = [f"{directory}/{number}.py" for directory in ("a", "b", "b/c", "d") for number in range(5)]


def edges(*pairs: tuple[str, str]) -> list[Edge]:
    return [Edge(importer, imported, 1, ImportKind.TOP) for importer, imported in pairs]


def mesh(paths: list[str]) -> list[tuple[str, str]]:
    return [(one, other) for one in paths for other in paths if one < other]


def test_files_that_import_each_other_are_one_group() -> None:
    """Across directories, where imports say more than they."""
    one = [f"{directory}/one_{n}.py" for directory in ("a", "b") for n in range(4)]
    two = [f"{directory}/two_{n}.py" for directory in ("a", "b") for n in range(4)]
    tied = [*mesh(one), *mesh(two)]
    both = [*tied, *((other, importer) for importer, other in tied)]
    assert communities([*one, *two], edges(*both)) == [one, two]


def test_without_imports_directories_are_the_groups() -> None:
    """They pull alone."""
    assert communities(FILES, []) == [FILES[at : at + 5] for at in (0, 5, 10, 15)]


def test_files_often_changed_together_are_one_group() -> None:
    """The history ties what no import does."""
    paths = [f"{directory}/{n}.py" for directory in "ab" for n in range(4)]
    odd, even = paths[::2], paths[1::2]
    together = dict.fromkeys([*mesh(odd), *mesh(even)], 5.0)
    assert communities(paths, [], together) == [odd, even]
    assert communities(paths, []) == [paths[:4], paths[4:]]


def test_what_is_not_divided_ties_nothing() -> None:
    """Imports and commits may name tests and files set aside."""
    extra = edges(*[("hub.py", path) for path in FILES], *[(path, "hub.py") for path in FILES])
    assert communities(FILES, extra, {("a/0.py", "hub.py"): 9.0}) == communities(FILES, [])


def test_small_groups_join_what_they_are_tied_to_most() -> None:
    """By imports, else by the nearest directory; what nothing ties is in no group."""
    large = [f"a/{n}.py" for n in range(5)]
    other = [f"x/b/{n}.py" for n in range(5)]
    beside = ["x/beside/p/1.py", "x/beside/q/2.py"]
    found = communities(
        [*large, *other, "y/tied.py", *beside, "alone.py", "z/alone.py"],
        edges(*mesh(large), *mesh(other), ("y/tied.py", "a/0.py"), *mesh(beside), *mesh(beside[::-1])),
    )
    assert found == [[*other, *beside], [*large, "y/tied.py"]]


def test_a_directory_that_one_group_has_nearly_alone_goes_to_it_whole() -> None:
    """An exception that imports its neighbours more is given up; where two share a directory, both keep their files."""
    mine = [f"a/{n}.py" for n in range(9)]
    others = [f"b/{n}.py" for n in range(6)]
    tied = edges(*mesh(mine), *mesh([*others, "a/odd.py"]))
    assert communities([*mine, "a/odd.py", *others], tied) == [[*mine, "a/odd.py"], others]
    half = [f"a/odd_{n}.py" for n in range(4)]
    tied = edges(*mesh(mine), *mesh([*others, *half]))
    assert communities([*mine, *half, *others], tied) == [sorted([*half, *others]), mine]


def test_files_that_are_not_read_go_where_most_of_their_neighbours_are() -> None:
    """In the nearest directory that has any; at the root nobody is near."""
    groups = [["a/1.py", "a/2.py", "b/x/1.py"], ["b/2.py", "b/3.py"]]
    others = ["a/t/u/x.html", "b/x/t.html", "b/t.html", "t.html", "c/t.html"]
    assert adopted(groups, others) == [
        ["a/1.py", "a/2.py", "a/t/u/x.html", "b/x/1.py", "b/x/t.html"],
        ["b/2.py", "b/3.py", "b/t.html"],
    ]
    assert adopted([], others) == []


def test_nothing_is_in_nothing() -> None:
    """A repository without sources, or with one, is no trouble."""
    assert communities([], []) == []
    assert communities(["a.py"], []) == [["a.py"]]


PAIRS = st.lists(st.tuples(st.sampled_from(FILES), st.sampled_from(FILES)), max_size=40)


@settings(max_examples=25)
@given(PAIRS, st.randoms(use_true_random=False))
def test_groups_share_no_file_and_do_not_depend_on_any_order(
    pairs: list[tuple[str, str]], chance: object
) -> None:
    """The same repository is divided in the same way."""
    known = list(dict.fromkeys(pair for pair in pairs if pair[0] != pair[1]))
    found = communities(FILES, edges(*known), dict.fromkeys(known[::2], 0.5))
    placed = [path for group in found for path in group]
    # Small groups that are tied to nobody and lie beside nobody are left out.
    assert len(placed) == len(set(placed))
    assert set(placed) <= set(FILES)
    assert [len(group) for group in found] == sorted(map(len, found), reverse=True)
    mixed, files = list(known), list(FILES)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    chance.shuffle(files)  # type: ignore[attr-defined]
    assert communities(files, edges(*mixed), dict.fromkeys(known[::2][::-1], 0.5)) == found
