"""Brings what is known of a checkout's code up to date: only files that nobody has read yet are parsed."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pucs.code.resolving import Code
from pucs.code.scripts import configurations
from pucs.coordinator.records import FactsKey
from pucs.syntax.packing import unpacked
from pucs.syntax.reading import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pucs.coordinator.ports import Index, Parsers, Sources
    from pucs.syntax.facts import FileFacts

KEPT_TOGETHER: Final = 500
"""Files told before they are kept: what an interrupted run has done is not done again."""


def indexed(
    sources: Sources,
    index: Index,
    parsers: Parsers,
    *,
    listing: Mapping[str, str] | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, FileFacts]:
    """Return the facts of every file of a checkout that is read, by path, sorted.

    A file that cannot be parsed has a problem among its facts; one that vanished meanwhile is left out. ``listing`` is
    what ``sources.listing`` returned just now, for who needs it too. ``told`` hears how many of the files that had to
    be parsed are done; nothing, where none had to.
    """
    tracked = sources.listing() if listing is None else listing
    keys = {path: FactsKey(kind, blob) for path, blob in tracked.items() if (kind := reader(path))}
    with _undisturbed():
        kept = index.kept(set(keys.values()))
        facts = {key: known for key, data in kept.items() if (known := unpacked(data)) is not None}
        own: dict[str, FileFacts] = {}
        missing = {path: key for path, key in keys.items() if key not in facts}
        # Of equal files one is parsed; the others as well should just that one change meanwhile.
        first = {path: key for key, path in {key: path for path, key in reversed(missing.items())}.items()}
        for paths in (first, {path: key for path, key in missing.items() if path not in first}):
            files = {path: key for path, key in paths.items() if key not in facts}
            for path, known, lasting in _parsed(sources.root, files, index, parsers, told):
                own[path] = known
                if lasting:
                    facts[files[path]] = known
    everything = {path: own.get(path) or facts.get(key) for path, key in keys.items()}
    return {path: known for path, known in everything.items() if known is not None}


def resolved(sources: Sources, listing: Iterable[str], facts: Mapping[str, FileFacts]) -> Code:
    """Return the code of a checkout with what its imports mean, settings of packages and compilers read along."""
    texts = {path: sources.read(path) for path in configurations(listing)}
    return Code(facts, texts={path: text for path, text in texts.items() if text is not None})


def _parsed(
    root: str,
    files: Mapping[str, FactsKey],
    index: Index,
    parsers: Parsers,
    told: Callable[[int, int], None],
) -> Iterator[tuple[str, FileFacts, bool]]:
    """Give the facts of files that have to be parsed, and whether they are those of the content asked for."""
    if not files:
        return
    fresh: dict[FactsKey, bytes] = {}
    told(0, len(files))
    parsed = parsers.parsed(root, {path: key.blob for path, key in files.items()})
    try:
        for number, (path, data, lasting) in enumerate(parsed, start=1):
            known = unpacked(data) if data else None
            if known is not None:
                yield path, known, lasting
                if lasting:
                    fresh[files[path]] = data
            told(number, len(files))
            if len(fresh) >= KEPT_TOGETHER:
                index.keep(fresh)
                fresh = {}
    finally:
        if fresh:
            index.keep(fresh)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold the search for circles of garbage off: facts are a million small records without any, and outlive it."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if running:
            gc.enable()
