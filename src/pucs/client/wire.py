"""Arguments and records as JSON, and back: one reader for all of them, which goes by their type hints.

A record is an object with its fields, a tuple or list an array, a member of an enumeration its value. So the client over
HTTP returns the very records that the one in this process returns.
"""

from __future__ import annotations

import collections.abc
import importlib
import inspect
import os
import sys
import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

HOMES = (
    "core.modes",
    "core.processes",
    "agents.records",
    "locks.records",
    "intents.records",
    "tasks.records",
    "messages.records",
    "messages.handoffs",
    "conflicts.records",
    "conflicts.requests",
    "streams.checks",
    "coordinator.asking",
    "coordinator.context",
    "coordinator.dividing",
    "coordinator.finalizing",
    "coordinator.handoffs",
    "coordinator.inspecting",
    "coordinator.intents",
    "coordinator.landing",
    "coordinator.answering",
    "coordinator.leases",
    "coordinator.negotiating",
    "coordinator.releasing",
    "coordinator.requesting",
    "coordinator.resolving",
    "coordinator.salvaging",
    "coordinator.syncing",
)
"""Modules whose records travel; type hints name them without importing them."""
LONG_VERBS = frozenset({
    "accept_handoff",
    "close",
    "handoff",
    "land",
    "post",
    "release_locks",
    "resolve",
    "run_tests",
    "stop",
    "sync",
})
"""Verbs that run git or tests; all others are one or a few transactions."""
NOT_SENT = frozenset({"cancelled", "noted"})
"""Parameters that a caller's process or the server fills in, beside the first one of each function."""


class Unfit(ValueError):
    """A document is not what the type hints say."""


def encode(value: Any) -> Any:
    """Return a value as JSON has it.

    Raises:
        TypeError: JSON has no such value.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: encode(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, collections.abc.Mapping):
        return {str(encode(key)): encode(each) for key, each in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, collections.abc.Iterable) and not isinstance(value, bytes | bytearray):
        return [encode(each) for each in value]
    raise TypeError(f"JSON has no {type(value).__name__}.")


def answered(value: Any) -> dict[str, Any]:
    """Return the document that answers a call: the result, and the name of the record if it is one."""
    record = {"record": type(value).__name__} if is_dataclass(value) else {}
    return {"result": encode(value), **record}


def returned(function: Callable[..., Any], document: Mapping[str, Any]) -> Any:
    """Return what a function returned, from the document that tells it.

    Raises:
        Unfit: the document tells nothing of the kind.
    """
    if "result" not in document:
        raise Unfit("there is no result")
    name = document.get("record")
    if name is None:
        return decode(hints_of(function)["return"], document["result"])
    record = _names().get(name) if isinstance(name, str) else None
    if not is_dataclass(record):
        raise Unfit(f"there is no record {name!r}")
    return decode(record, document["result"])


def arguments(function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call, each as the function wants it.

    Raises:
        Unfit: one is missing, unknown, or of another kind.
    """
    first, *others = inspect.signature(function).parameters.items()
    parameters = {name: each for name, each in others if name not in NOT_SENT}
    open_ended = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    unknown = set(given) - set(parameters)
    if unknown and (not open_ended or unknown & {first[0], *NOT_SENT}):
        raise Unfit(f"there is no argument {min(unknown)!r}; there are: {', '.join(parameters) or 'none'}")
    hints = hints_of(function)
    read = {}
    for name, each in parameters.items():
        optional = each.default is not inspect.Parameter.empty or each.kind in {
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        }
        if name in given:
            hint = hints.get(name, Any)
            if each.kind is inspect.Parameter.VAR_POSITIONAL:
                hint = types.GenericAlias(tuple, (hint, ...))
            elif each.kind is inspect.Parameter.VAR_KEYWORD:
                hint = types.GenericAlias(dict, (str, hint))
            read[name] = decode(hint, given[name], name)
        elif not optional:
            raise Unfit(f"{name} is missing")
    return read | {name: given[name] for name in unknown}


def decode(hint: Any, value: Any, place: str = "it") -> Any:
    """Return the value that ``encode`` wrote, of the type that a hint names.

    Raises:
        Unfit: it is of another type; the message names the ``place`` in it.
    """
    hint = getattr(hint, "__supertype__", hint)  # a name of its own for text
    if hint is Any:
        return value
    if hint is None:
        return _exactly(type(None), value, place)
    if isinstance(hint, type) and not get_args(hint):
        return _plain(hint, value, place)
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _one_of(inner, value, place)
    if origin in {dict, collections.abc.Mapping}:
        return _mapping(inner, value, place)
    return _sequence(origin, inner, value, place)


def _sequence(origin: Any, inner: tuple[Any, ...], value: Any, place: str) -> Any:
    if origin is collections.abc.Sequence and str in inner and isinstance(value, str):
        return value  # a string is a sequence of strings; whoever wants a list says so
    found = _exactly(list, value, place)
    if origin is tuple and inner[-1] is not Ellipsis:
        if len(found) != len(inner):
            raise Unfit(f"{place} has {len(found)} parts instead of {len(inner)}")
        return tuple(decode(one, each, place) for one, each in zip(inner, found, strict=True))
    if origin not in _SEQUENCES:
        raise Unfit(f"{place} cannot be read: nothing is known of {origin}")
    read = [decode(inner[0], each, f"{place}[{at}]") for at, each in enumerate(found)]
    return tuple(read) if origin is tuple else read


_SEQUENCES = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)


def _mapping(inner: tuple[Any, ...], value: Any, place: str) -> dict[Any, Any]:
    return {
        decode(inner[0], key, place): decode(inner[1], each, f"{place}.{key}")
        for key, each in _exactly(dict, value, place).items()
    }


def _plain(hint: type, value: Any, place: str) -> Any:
    """Read what has no parameters: scalars, members of enumerations, records."""
    if hint is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise Unfit(f"{place} is {_kind(value)} instead of a number")
    if issubclass(hint, Enum):
        try:
            return hint(value)
        except ValueError:
            raise Unfit(
                f"{place} is {value!r} instead of one of: {', '.join(str(each.value) for each in hint)}"
            ) from None
    if is_dataclass(hint):
        return _record(hint, _exactly(dict, value, place), place)
    return _exactly(hint, value, place)


def _record(hint: type, value: Mapping[str, Any], place: str) -> Any:
    """Read a record; fields that a newer version added are left out."""
    known = hints_of(hint)
    read = {}
    for each in fields(hint):
        if each.name in value:
            read[each.name] = decode(known[each.name], value[each.name], f"{place}.{each.name}")
        elif each.default is MISSING and each.default_factory is MISSING:
            raise Unfit(f"{place}.{each.name} is missing")
    return hint(**read)


def _one_of(hints: Sequence[Any], value: Any, place: str) -> Any:
    wrong = ""
    for hint in hints:
        try:
            return decode(hint, value, place)
        except Unfit as error:
            wrong = wrong or str(error)
    raise Unfit(wrong)


def _exactly(hint: type, value: Any, place: str) -> Any:
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool and hint is not object):
        raise Unfit(f"{place} is {_kind(value)} instead of {_KINDS.get(hint, hint.__name__)}")
    return value


_KINDS = {
    dict: "an object",
    list: "an array",
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), type(value).__name__)


@cache
def hints_of(thing: Any) -> dict[str, Any]:
    """Return the type hints of a record or function, also of those that are imported for type checkers only."""
    thing = thing.func if isinstance(thing, partial) else thing
    return get_type_hints(thing, {**_names(), **vars(sys.modules[thing.__module__])})


@cache
def _names() -> dict[str, Any]:
    """Return what type hints of verbs and records may name, by name."""
    found: dict[str, Any] = {"Any": Any}
    found |= {name: getattr(collections.abc, name) for name in collections.abc.__all__}
    for home in HOMES:
        module = importlib.import_module(f"pucs.{home}")
        found |= {
            name: each
            for name, each in vars(module).items()
            if isinstance(each, type) and each.__module__ == module.__name__ and not name.startswith("_")
        }
    return found
