"""How alike names and bodies are, as numbers between 0 and 1."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pucs.core.sources import is_test

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Collection

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]+|[a-z]+|[0-9]+")
ASIDE: Final = frozenset({
    "alembic",
    "build",
    "docs",
    "dist",
    "example",
    "examples",
    "fixtures",
    "migrations",
    "node_modules",
    "samples",
    "site-packages",
    "stubs",
    "templates",
    "third_party",
    "typings",
    "vendor",
    "versions",
    "_vendor",
})
"""Directories whose files are alike on purpose, or are somebody else's."""


WORDS_MIN: Final = 12
"""Words of a body below which likeness is chance."""


@lru_cache(maxsize=100_000)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in small letters: ``FinBERTAnalyzer`` has fin, bert, analyzer."""
    return tuple(word.lower() for word in _WORD.findall(name))


def is_own(path: str) -> bool:
    """Tell whether likeness in a Python file is worth a word: tests, migrations, examples and foreign code are alike on purpose."""
    if not path.endswith(".py") or is_test(path):
        return False
    return not any(part.lower() in ASIDE for part in path.split("/")[:-1])


def jaccard(one: Collection[str], other: Collection[str]) -> float:
    """Return what two sets share, of all that is in either (Jaccard 1901); 0 for empty ones."""
    one, other = set(one), set(other)
    return len(one & other) / len(one | other) if one or other else 0.0


def dice(one: Counter[str], other: Counter[str]) -> float:
    """Return twice what two bags share, of the sum of both (Dice 1945); 0 for ones too small to say anything."""
    sizes = one.total(), other.total()
    return 2 * (one & other).total() / sum(sizes) if min(sizes) >= WORDS_MIN else 0.0


def homely(path: str) -> int:
    """Rank places by how fit they are to be imported from: packages before scripts, these before what is hidden."""
    parts = path.split("/")
    return 2 if any(part.startswith(".") for part in parts) else int(parts[0] in {"scripts", "tools", "bin"})
