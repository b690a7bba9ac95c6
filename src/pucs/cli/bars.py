"""How far long work is, for whoever looks on."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BAR_FROM: Final = 100
"""Files to parse from which a bar is shown: fewer are done before one could read it."""


MERGING_FROM: Final = 20
"""The same for merges to replay, of which some take half a second."""


@contextmanager
def reading_bar() -> Iterator[Callable[[int, int], None]]:
    """Show how many files are parsed, on a terminal only."""
    with _bar("Reading the code", BAR_FROM) as told:
        yield told


@contextmanager
def merging_bar() -> Iterator[Callable[[int, int], None]]:
    """Show how many merges are replayed, on a terminal only."""
    with _bar("Replaying merges", MERGING_FROM) as told:
        yield told


@contextmanager
def _bar(label: str, shown_from: int) -> Iterator[Callable[[int, int], None]]:
    bar: list[Any] = []

    def told(done: int, total: int) -> None:
        if total < shown_from or not sys.stderr.isatty():
            return
        if not bar:
            bar.append(click.progressbar(length=total, label=label, file=sys.stderr))
            bar[0].__enter__()
        bar[0].update(done - bar[0].pos)

    try:
        yield told
    finally:
        for shown in bar:
            shown.__exit__(None, None, None)
