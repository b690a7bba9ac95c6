"""Resources: one spelling for each real path, and predicates that agree with each other."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.core.errors import Usage
from pucs.core.resources import (
    RESOURCE_BYTES_MAX,
    ROOT,
    ancestors,
    contains,
    descendants_range,
    file_path,
    file_resource,
    is_directory,
    is_named,
    is_symbol,
    overlaps,
    parse,
    path_resource,
    symbol_name,
)

# File names as the kernel allows them, with the characters that resources treat specially more often than by chance.
_TRICKY = [
    b":",
    b"::",
    b":::",
    b"\\",
    b"\\\\",
    b"\\072",
    b"res:",
    b"\n",
    b"\x7f",
    b"\xff",
    b"\xc3",
    b"\xc3\xa9",
    b"a",
    b".",
]
_bytes = st.lists(st.sampled_from(_TRICKY) | st.binary(min_size=1, max_size=3), min_size=1, max_size=5)
part = (
    _bytes
    .map(b"".join)
    .filter(lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."})
    .map(os.fsdecode)
)
path = st.lists(part, min_size=1, max_size=4).map("/".join)

# Resources over so small an alphabet that they overlap often.
_name = st.sampled_from(["a", "b", "a:", "b::a", "res:", "-", ".a", "a0"])
_file = st.lists(_name, min_size=1, max_size=3).map(lambda names: path_resource("/".join(names)))
_directory = st.lists(_name, min_size=1, max_size=3).map(
    lambda names: path_resource("/".join(names), directory=True)
)
_symbol = st.tuples(_file, st.sampled_from(["A", "A.b", "A.bc", "Ab", "A.b.c"])).map("::".join)
_named = st.sampled_from(["res:a", "res:a/", "res:a/b", "res:a::b", "res:a::b.c"])
resource = st.just("/") | _file | _directory | _symbol | _named


@given(path)
def test_any_real_path_comes_back_from_its_resource(name: str) -> None:
    """Whatever bytes a path holds, its resource is printable text that stands for it alone."""
    made = path_resource(name)
    assert file_path(made) == name
    assert os.fsencode(file_path(made)) == os.fsencode(name)
    assert made.encode()
    assert not any(ord(character) < 0x20 or character == "\x7f" for character in made)
    assert not is_named(made)
    assert not is_symbol(made)
    assert not is_directory(made)


@given(path)
def test_a_directory_keeps_its_name_and_its_slash(name: str) -> None:
    """A directory's resource ends in a slash, and the slash is no part of its path."""
    made = path_resource(name, directory=True)
    assert is_directory(made)
    assert file_path(made) == name
    assert path_resource(name + "/") == made


@given(resource)
def test_a_canonical_resource_is_its_own_canonical_form(made: str) -> None:
    """Parsing what was canonical already changes nothing."""
    assert parse(made) == made


@given(path, path)
def test_different_paths_have_different_resources(one: str, two: str) -> None:
    """No two paths share a spelling."""
    assert (path_resource(one) == path_resource(two)) == (one == two)


@given(path, st.lists(part, min_size=1, max_size=2).map("/".join))
def test_a_directory_contains_what_is_below_it(name: str, below: str) -> None:
    """A directory is an ancestor of every file whose path begins with it, whatever the names hold."""
    outer, inner = path_resource(name, directory=True), path_resource(f"{name}/{below}")
    assert contains(outer, inner)
    assert outer in list(ancestors(inner))
    assert not contains(inner, outer)


@given(resource, resource)
def test_overlap_is_symmetrical_and_means_ancestry(one: str, two: str) -> None:
    """Two resources overlap if and only if they are equal or one is among the other's ancestors."""
    related = one == two or one in list(ancestors(two)) or two in list(ancestors(one))
    assert overlaps(one, two) == overlaps(two, one) == related
    assert contains(one, two) == (one == two or one in list(ancestors(two)))


@given(resource, resource)
def test_the_range_of_descendants_holds_just_them(one: str, two: str) -> None:
    """Comparing with the range finds the resources below, as an index does."""
    below = descendants_range(one)
    if below is None:
        assert not contains(one, two) or one == two
    elif one != two and not (one == ROOT and is_named(two)):
        assert (below[0] <= two < below[1]) == contains(one, two)
        assert (below[0].encode() <= two.encode() < below[1].encode()) == contains(one, two)


@given(resource)
def test_ancestors_go_from_the_root_downwards(made: str) -> None:
    """Every ancestor contains the next one and the resource itself."""
    chain = [*ancestors(made), made]
    assert all(contains(outer, inner) for at, outer in enumerate(chain) for inner in chain[at:])
    assert made == ROOT or is_named(made) or chain[0] == ROOT


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("a/b.py", "a/b.py"),
        ("./a//b.py", "a/b.py"),
        ("a/../b.py", "b.py"),
        ("a/", "a/"),
        ("a/.", "a/"),
        ("a/b/..", "a/"),
        (".", "/"),
        ("a/..", "/"),
        ("a::B.c", "a::B.c"),
        ("./a.py::B", "a.py::B"),
        ("a\\:\\:b", "a:\\:b"),
        ("a:", "a\\072"),
        ("a\\072::B", "a\\072::B"),
        ("./res:x", "res\\:x"),
        ("caf\\303\\251.py", "café.py"),
        ("\\101\\000"[:4], "A"),
        ("res:port/8080", "res:port/8080"),
    ],
)
def test_what_people_write_has_one_canonical_form(written: str, canonical: str) -> None:
    """Dots, doubled slashes and git's quoting are only other ways to write a name."""
    assert parse(written) == canonical


@pytest.mark.parametrize(
    "written",
    [
        "",
        "/etc/passwd",
        "..",
        "a/../../b",
        "a\\057..\\057..\\057b",
        "a\0b",
        "a\\000b",
        "\ud800",
        "é" * RESOURCE_BYTES_MAX,
        "a" * (RESOURCE_BYTES_MAX + 1),
        "res:",
        "res:a b",
        "res:a\x1b[31m",
        "res:\udcff",
        f"res:{'x' * (RESOURCE_BYTES_MAX + 1)}",
        "a.py::",
        "a.py::1",
        "a.py::A..b",
        "::A",
        "dir/::A",
        ".::A",
        "a:::A",
    ],
)
def test_what_names_nothing_is_refused(written: str) -> None:
    """Paths outside, names with control characters, empty symbols and overlong names are wrong use, never a crash."""
    with pytest.raises(Usage):
        parse(written)


def test_a_named_resource_has_no_inside() -> None:
    """Named resources are flat: a slash in their name means nothing."""
    assert not overlaps("res:a/", "res:a/b")
    assert not overlaps(ROOT, "res:a")
    assert not overlaps("res:a", "res:a::b")


def test_a_file_that_ends_in_a_colon_is_not_taken_for_another_ones_symbol() -> None:
    """``a:`` and ``a`` are two files, also once a symbol is added."""
    symbol = f"{path_resource('a:')}::B"
    assert contains(path_resource("a:"), symbol)
    assert not overlaps(path_resource("a"), symbol)
    assert file_path(symbol) == "a:"


@given(resource)
def test_a_symbol_is_its_file_and_its_name(made: str) -> None:
    """A symbol is inside its file and named behind it; what is no symbol is its own file and has no name."""
    file, name = file_resource(made), symbol_name(made)
    assert contains(file, made)
    assert not is_symbol(file)
    assert made == (f"{file}::{name}" if is_symbol(made) else file)
    assert bool(name) == is_symbol(made)
