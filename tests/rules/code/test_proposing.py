"""Proposals: two ways to divide a repository, with figures to choose by."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.code.locality import TAUGHT_MIN
from pucs.code.proposing import proposals, team_size
from pucs.code.records import Method, Proposal
from pucs.core.sources import is_code, is_source, is_test
from pucs.streams.patterns import matches
from tests.rules.code.trees import tree

DAY_S = 24 * 60 * 60


def proposed(
    files: dict[str, str], history: Sequence[tuple[int, tuple[str, ...]]] = ()
) -> dict[Method, Proposal]:
    code = tree(files)
    return {plan.method: plan for plan in proposals(code, code.edges(), list(files), history)}


def layered() -> dict[str, str]:
    """Return a repository whose directories are layers, each of which has a part of two features."""
    files: dict[str, str] = {}
    for feature in ("cart", "user"):
        known: list[str] = []
        for layer in ("models", "views", "web"):
            new = [f"{layer}.{feature}_{part}" for part in "abcd"]
            text = "".join(f"import {name}\n" for name in known)
            files |= {f"{name.replace('.', '/')}.py": text for name in new}
            known += new
    return files


def test_directories_and_imports_divide_differently_where_directories_are_layers() -> None:
    """Imports find the features, and cut less."""
    found = proposed(layered())
    names = {method: [stream.name for stream in plan.streams] for method, plan in found.items()}
    assert names[Method.DIRECTORIES] == ["models", "views", "web"]
    assert found[Method.DIRECTORIES].phases == (("models",), ("views",), ("web",))
    (web,) = [stream for stream in found[Method.DIRECTORIES].streams if stream.name == "web"]
    assert web.dependencies == ("models", "views")
    assert web.independence_pct == 0
    (one, other) = [{path.split("/")[1][:4] for path in each.files} for each in found[Method.IMPORTS].streams]
    assert {*one, *other} == {"cart", "user"}
    assert found[Method.IMPORTS].cut_pct == 0


def test_commits_are_judged_by_whether_they_stay() -> None:
    """With too few, nothing is claimed."""
    feature = tuple(f"{layer}/cart_a.py" for layer in ("models", "views", "web"))
    across = [(1000 - n, feature) for n in range(20)]
    inside = [(900 - n, ("web/cart_a.py", "web/cart_b.py")) for n in range(20)]
    found = proposed(layered(), [*across, *inside])[Method.DIRECTORIES]
    assert (found.locality_pct, found.commits) == (50.0, 40)
    found = proposed(layered(), across[:19])[Method.DIRECTORIES]
    assert (found.locality_pct, found.commits) == (None, 19)


def test_a_long_history_brings_together_what_changes_together() -> None:
    """And is not asked how well it knows itself: what judges is newer than what was learnt."""
    files = {
        f"{layer}/{name}.py": "" for layer in ("models", "views") for name in ("ant", "bee", "cow", "dog")
    }
    pairs = [(f"models/{one}.py", f"views/{one}.py", f"models/{two}.py") for one, two in (("ant", "bee"), ("bee", "ant"), ("cow", "dog"), ("dog", "cow"))]  # fmt: skip
    history = [(DAY_S * (1000 - n), pairs[n % 4]) for n in range(TAUGHT_MIN)]
    found = proposed(files, history)[Method.IMPORTS]
    owner_of = {path: stream.name for stream in found.streams for path in stream.files}
    assert owner_of["models/ant.py"] == owner_of["views/bee.py"] != owner_of["models/cow.py"]
    assert (found.locality_pct, found.commits) == (100.0, 30)
    turned = [(DAY_S * 2000 - n, ("models/ant.py", "models/cow.py")) for n in range(60)]
    found = proposed(files, [*turned, *history])[Method.IMPORTS]
    assert found.locality_pct == 0.0


def test_what_modules_all_over_use_is_shared() -> None:
    """At most one file in twenty, those that the most use."""
    files = {f"m{n}/{part}.py": "from base.hub import x\nprint(x)\n" for n in range(7) for part in "abcd"}
    found = proposed({**files, "base/hub.py": "x = 1\n", "base/other.py": "from base import hub\n"})
    assert found[Method.IMPORTS].shared == ("base/hub.py",)
    assert found[Method.DIRECTORIES].shared == ()


def test_dependencies_that_go_in_a_circle_are_named_once() -> None:
    """The lighter direction is no dependency, and merging follows the other."""
    files = {
        "one/a.py": "import two.a\nimport two.b\n",
        "one/b.py": "import two.b\n",
        "two/a.py": "import one.b\n",
        "two/b.py": "",
    }
    found = proposed(files)[Method.DIRECTORIES]
    assert found.circles == (("two", "one"),)
    assert found.phases == (("two",), ("one",))
    assert {stream.name: stream.dependencies for stream in found.streams} == {"one": ("two",), "two": ()}


def test_tests_go_where_they_import_most() -> None:
    """Where their directories say nothing."""
    files = {
        "one/a.py": "",
        "two/b.py": "",
        "tests/test_x.py": "import one.a\n",
        "tests/test_y.py": "import two.b\n",
        "tests/conftest.py": "import two.b\n",
    }
    streams = {stream.name: stream for stream in proposed(files)[Method.DIRECTORIES].streams}
    assert streams["one"].test_pattern == ("tests/test_x.py",)
    assert streams["two"].test_pattern == ("tests/test_y.py",)


def test_descriptions_say_what_packages_say_or_where_files_lie() -> None:
    """A package speaks only for a stream that is much like it."""
    files = {
        "said/__init__.py": '"""What it says."""\n',
        "said/a.py": "",
        "mute/b.py": "",
        **{f"far{n}/{m}.py": "import far0.hub\n" for n in range(6) for m in range(2)},
        "far0/hub.py": "",
        "far0/__init__.py": '"""Far."""\n',
    }
    found = proposed(files)
    told = {stream.name: stream.description for stream in found[Method.DIRECTORIES].streams}
    assert told["said"] == "What it says."
    assert told["mute"] == "Everything below mute/."
    told = {stream.name: stream.description for stream in found[Method.IMPORTS].streams}
    assert told["hub"] == "In far0/, far1/, far2/ and elsewhere, around far0/hub.py."
    (alone,) = proposed({"a.py": "", "b.py": "import a\n"})[Method.DIRECTORIES].streams
    assert alone.description == "The whole repository."


def test_nothing_to_divide_gives_no_proposal() -> None:
    """Texts and tests are no source."""
    assert proposed({}) == {}
    assert proposed({"README.md": "", "tests/test_a.py": "", "docs/conf.py": ""}) == {}


def test_teams_grow_with_the_files_of_a_stream_to_a_limit() -> None:
    """One for every dozen."""
    assert [team_size(files) for files in (1, 12, 24, 60, 1000)] == [1, 1, 2, 5, 6]


PARTS = st.lists(st.sampled_from(["a", "b", "[c]", "src", "tests", "docs"]), max_size=3)
PATHS = st.builds(
    lambda parts, stem, ending: "/".join([*parts, f"{stem}{ending}"]),
    PARTS,
    st.sampled_from(["x", "y_one", "y_two", "test_x", "__init__", ""]),
    st.sampled_from([".py", ".go", ".md"]),
)
TEXTS = st.sampled_from([
    "",
    "import a.x\n",
    "from src.a import x, y_one\nx\n",
    "from . import x\n",
    "import b\n",
])
FILES = st.dictionaries(PATHS, TEXTS, max_size=25)
CHANGES = st.lists(st.lists(st.integers(0, 24), min_size=2, max_size=4), max_size=6)


@settings(max_examples=25)
@given(FILES, CHANGES, st.sampled_from([1, 40]))
def test_each_source_has_one_place_and_the_order_of_files_none(
    files: dict[str, str], changes: list[list[int]], times: int
) -> None:
    """In a stream, shared or uncovered; its stream's patterns match it and no other's do; phases follow dependencies."""
    paths = list(files) or ["gone.py"]
    history = [(-DAY_S * n, tuple({paths[at % len(paths)] for at in each})) for n, each in enumerate(changes)]
    history = [(when - DAY_S * 40 * n, each) for n in range(times) for when, each in history]
    found = proposed(files, history)
    assert found == proposed(dict(reversed(files.items())), history)
    for plan in found.values():
        owner_of = {path: stream.name for stream in plan.streams for path in stream.files}
        placed = [*(path for stream in plan.streams for path in stream.files), *plan.shared, *plan.uncovered]
        assert sorted(placed) == sorted(path for path in files if is_code(path) and not is_test(path))
        for path in filter(is_source, files):
            owners = [
                stream.name
                for stream in plan.streams
                if any(matches(pattern, path) for pattern in stream.files_pattern)
            ]
            assert owners == ([owner_of[path]] if path in owner_of else []), (path, plan)
        row_of = {name: at for at, row in enumerate(plan.phases) for name in row}
        assert sorted(row_of) == [stream.name for stream in plan.streams]
        for stream in plan.streams:
            assert all(row_of[other] < row_of[stream.name] for other in stream.dependencies)
            assert not any((stream.name, other) in plan.circles for other in stream.dependencies)
