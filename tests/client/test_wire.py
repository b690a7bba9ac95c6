"""Records as JSON and back, by their type hints alone."""

from __future__ import annotations

import importlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.client import wire
from pucs.client.embedded import PUCSClient
from pucs.coordinator.verbs import VERBS

METHODS = sorted({verb.method for verb in VERBS if verb.method})
EXAMPLES = 15
"""Of each; what can be wrong is the type of a field, and each example has them all."""
SCALARS = {
    str: st.text(max_size=5) | st.just("\udcff"),
    int: st.integers(),
    float: st.floats(allow_nan=False),
    bool: st.booleans(),
    type(None): st.none(),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=3,
)


def made(hint: Any) -> st.SearchStrategy[Any]:
    """Make values of a type hint, without what the code under test knows about hints."""
    hint = getattr(hint, "__supertype__", hint)
    if hint is Any:
        return ANYTHING
    if hint is None or hint in SCALARS:
        return SCALARS[hint or type(None)]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    return st.deferred(lambda: record(hint)) if is_dataclass(hint) else several(hint)


def several(hint: Any) -> st.SearchStrategy[Any]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin is tuple and inner[-1] is not Ellipsis:
        return st.tuples(*map(made, inner))
    if origin in {tuple, list}:
        return st.lists(made(inner[0]), max_size=2).map(origin)
    if origin is dict:
        return st.dictionaries(made(inner[0]), made(inner[1]), max_size=2)
    return st.one_of(*map(made, inner))


def record(kind: Any) -> st.SearchStrategy[Any]:
    hints = wire.hints_of(kind)
    return st.builds(kind, **{each.name: made(hints[each.name]) for each in fields(kind)})


@pytest.mark.parametrize("method", METHODS)
def test_what_a_method_returns_comes_back_as_it_was(method: str) -> None:
    """Whatever the record: through JSON it is equal to what it was, and of the same class."""
    function = getattr(PUCSClient, method)

    @settings(max_examples=EXAMPLES)
    @given(made(wire.hints_of(function)["return"]))
    def hold(result: Any) -> None:
        document = json.loads(json.dumps(wire.answered(result)))
        back = wire.returned(function, document)
        assert back == result
        assert type(back) is type(result)

    hold()


def test_the_names_of_records_are_clear() -> None:
    """They are found by their bare names, so no two that travel may share one."""
    homes = [vars(importlib.import_module(f"pucs.{home}")) for home in wire.HOMES]
    found = [
        name
        for home in homes
        for name, each in home.items()
        if isinstance(each, type) and each.__module__ == home["__name__"] and not name.startswith("_")
    ]
    travelling = {name for name in found if found.count(name) > 1}
    assert travelling == set()


def test_a_field_that_a_newer_server_adds_is_left_out() -> None:
    """Clients of yesterday can read answers of tomorrow; what is missing is said."""
    function = PUCSClient.sync
    told = {
        "record": "Synced",
        "result": {"commit": "c", "merged": [], "committed": "", "paths": [], "mood": 1},
    }
    assert wire.returned(function, told).commit == "c"
    with pytest.raises(wire.Unfit, match="message is missing"):
        wire.returned(function, {"record": "NotSynced", "result": {}})


NONSENSE: list[Any] = [
    {},
    {"result": 3},
    {"result": None, "record": "Synced"},
    {"result": {}, "record": "dict"},
    {"result": {}, "record": "Mode"},
    {"result": {}, "record": ["Synced"]},
    {"result": {"commit": 3, "merged": [], "committed": "", "paths": []}, "record": "Synced"},
    {"result": {"commit": "", "merged": "abc", "committed": "", "paths": []}, "record": "Synced"},
]


@pytest.mark.parametrize("told", NONSENSE)
def test_an_answer_that_is_no_record_is_found_out(told: Any) -> None:
    """Nothing is guessed."""
    with pytest.raises(wire.Unfit):
        wire.returned(PUCSClient.sync, told)


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("acquire_locks", {}, "files is missing"),
        ("acquire_locks", {"files": ["a"], "cancelled": 1}, "no argument 'cancelled'"),
        ("acquire_locks", {"files": ["a"], "self": 1}, "no argument 'self'"),
        ("acquire_locks", {"files": ["a", 3]}, "files.1. is a whole number instead of a text"),
        ("acquire_locks", {"files": {"a": 1}}, "files is an object instead of an array"),
        ("acquire_locks", {"files": ["a"], "wait_s": "long"}, "wait_s is a text instead of a number"),
        ("acquire_locks", {"files": ["a"], "wait_s": True}, "wait_s is true or false instead of a number"),
        ("accept_handoff", {"number": True}, "number is true or false instead of a whole number"),
        ("negotiate_partition", {"file": "a", "agents": "bob"}, "agents is a text instead of an array"),
    ],
)
def test_arguments_that_do_not_fit_are_named(method: str, arguments: dict[str, Any], words: str) -> None:
    """Nothing of a request reaches a verb unread."""
    with pytest.raises(wire.Unfit, match=words):
        wire.arguments(getattr(PUCSClient, method), arguments)


def test_what_json_cannot_say_is_refused() -> None:
    """Instead of being sent as something else."""
    with pytest.raises(TypeError, match="JSON has no bytes"):
        wire.encode({"a": b"x"})
