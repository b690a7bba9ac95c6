"""Finds settings that are written down twice in YAML, JSON and TOML files, wherever they are nested.

Compared are the last words of keys: ``session: {max_idle_minutes: 30}`` in one file and ``max_idle_minutes = 30`` in another
say the same thing twice. A key of one word (``level``) says a quarter of what one of several does. The share is what two
files have in common, keys with another value half, of all that the smaller one says. Files that are alike on purpose are left
out: lock files and manifests, workflows, translations, variants beside each other (``dev.yaml``, ``prod.yaml``).
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from pucs.code.readiness.likeness import ASIDE, jaccard, words
from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.core import documents
from pucs.core.errors import ConfigurationError
from pucs.core.severities import Severity
from pucs.core.sources import TEST_DIRECTORIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SETTINGS_BYTES_MAX: Final = 200_000
"""Larger files hold data."""
FILES_MAX: Final = 300
"""Most files of settings that are compared, each with each other one."""
LEAVES_MAX: Final = 2000
SHARED_MIN: Final = 4
"""Keys of several words that two files have to share."""
EQUAL_MIN: Final = 3
"""Those that have the same value in both."""
SHARE_MIN: Final = 0.5
VARIANTS_ALIKE: Final = 0.6
"""Files of one directory whose full keys are alike to this degree are variants of each other."""
SERIES_MIN: Final = 9
"""Files of one ending in a directory, or of one name in many, that are a series: data, translations, plug-ins."""
_ENDINGS: Final = (".yaml", ".yml", ".json", ".toml")
_ASIDE_NAMES: Final = re.compile(
    r"(?:.*[.-]lock(?:\.\w+)?|.*lock\.json|package\.json|composer\.json|cargo\.toml|tsconfig.*\.json|jsconfig\.json|manifest\.json|"
    r".*schema.*\.json|(?:docker-)?compose.*\.ya?ml|\.pre-commit-.*|dependabot\.ya?ml|action\.ya?ml|openapi.*|swagger.*|"
    r"poetry\.lock|.*\.(?:min|map)\.json|launch\.json|tasks\.json|\.?renovate\.json5?|mkdocs\.ya?ml|devcontainer\.json)",
    re.IGNORECASE,
)
_ASIDE_PARTS: Final = frozenset({
    *ASIDE, *TEST_DIRECTORIES, ".github", ".gitlab", ".circleci", ".vscode", ".idea", "locale", "locales", "i18n", "translations",
    "lang", "data", "snapshots", "__snapshots__", "logs", "state", "traces", "results", "dashboards", "node_modules", "charts",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a file."""

    path: str
    """Its keys with dots between."""
    value: str
    """As JSON."""


def may_hold_settings(paths: Iterable[str]) -> list[str]:
    """Return the files whose names say that they may hold settings that people write, at most ``FILES_MAX``."""
    chosen = [
        path
        for path in paths
        if path.lower().endswith(_ENDINGS)
        and not _ASIDE_NAMES.fullmatch(path.rpartition("/")[2])
        and not any(part.lower() in _ASIDE_PARTS for part in path.split("/")[:-1])
    ]
    beside = Counter((path.rpartition("/")[0], path.rpartition(".")[2]) for path in chosen)
    called = Counter(path.rpartition("/")[2] for path in chosen)
    kept = [
        path
        for path in chosen
        if beside[path.rpartition("/")[0], path.rpartition(".")[2]] < SERIES_MIN
        and called[path.rpartition("/")[2]] < SERIES_MIN
    ]
    return sorted(kept, key=lambda path: (path.count("/"), path))[:FILES_MAX]


def repeated_settings(files: Mapping[str, bytes], notes: list[str]) -> Iterator[Finding]:
    """Give pairs of files that say the same things; ``notes`` gets what could not be read."""
    told: dict[str, dict[str, Leaf]] = {}
    for path, source in sorted(files.items()):
        try:
            told[path] = leaves(path, source)
        except ValueError as error:
            notes.append(f"{path} was left out: {error}")
    spread = Counter(key for found in told.values() for key in found)
    often = max(3, len(told) // 10)
    for one, other in combinations(told, 2):
        smaller, larger = sorted((one, other), key=lambda path: (len(told[path]), path))
        if _variants(smaller, larger, told):
            continue
        shared = [key for key in told[smaller] if key in told[larger]]
        if len(shared) >= SHARED_MIN:
            yield from _compared(
                smaller, larger, told, [key for key in shared if spread[key] <= often], files
            )


def leaves(path: str, source: bytes) -> dict[str, Leaf]:
    """Return the values of a file by their last key; of a key that is there twice the first.

    Raises:
        ValueError: the file is broken or too large; says why.
    """
    if len(source) > SETTINGS_BYTES_MAX:
        raise ValueError(f"larger than {SETTINGS_BYTES_MAX} bytes, so it holds data")
    text = source.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        if path.lower().endswith(".json"):
            tree = json.loads(text)
        elif path.lower().endswith(".toml"):
            tree = tomllib.loads(text)
        else:
            tree = _bare(documents.load(text, documents.Problems(path)))
    except ConfigurationError as error:
        raise ValueError(str(error).partition("\n")[0].removeprefix(f"{path}:")) from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError as error:
        raise ValueError(f"not {path.rpartition('.')[2].upper()}: {error}") from error
    found: dict[str, Leaf] = {}
    waiting: list[tuple[str, Any]] = [("", tree)]
    while waiting and len(found) < LEAVES_MAX:
        inside, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting += [(f"{inside}.{key}" if inside else str(key), inner) for key, inner in value.items()]
        elif inside:
            leaf = Leaf(inside, json.dumps(value, default=str, sort_keys=True))
            found.setdefault(inside.rpartition(".")[2], leaf)
    return found


def _bare(node: documents.Node) -> Any:
    """Return a node as plain data; its depth is bounded by who read it."""
    if isinstance(node, documents.Mapping):
        return {str(key): _bare(value) for key, value in node.entries.items()}
    if isinstance(node, documents.Listing):
        return [_bare(item) for item in node.items]
    return node.value


def _variants(one: str, other: str, told: Mapping[str, Mapping[str, Leaf]]) -> bool:
    """Tell whether two files are the same settings for different circumstances, side by side."""
    if one.rpartition("/")[0] != other.rpartition("/")[0]:
        return False
    full = [{leaf.path for leaf in told[path].values()} for path in (one, other)]
    return jaccard(*full) >= VARIANTS_ALIKE


def _compared(
    smaller: str,
    larger: str,
    told: Mapping[str, Mapping[str, Leaf]],
    shared: list[str],
    files: Mapping[str, bytes],
) -> Iterator[Finding]:
    speaking = [key for key in shared if len(words(key)) > 1]
    equal = [key for key in speaking if told[smaller][key].value == told[larger][key].value]
    if len(speaking) < SHARED_MIN or len(equal) < EQUAL_MIN:
        return
    said = sum(_weight(key) * (1.0 if key in equal else 0.5) for key in shared)
    share = said / sum(map(_weight, told[smaller]))
    if share < SHARE_MIN:
        return
    other_value = [key for key in speaking if key not in equal]
    yield finding(
        Kind.DUPLICATE_SETTINGS,
        Severity.MEDIUM,
        (smaller, larger),
        f"{smaller} repeats {len(shared)} of its {len(told[smaller])} settings from {larger}: {named(equal)} have the same value"
        + (f", {named(other_value)} another one." if other_value else "."),
        [Location(path, _line(files[path], equal[0])) for path in (smaller, larger)],
        f"Let whoever reads {smaller} read {larger} instead, move there what only the first has, then delete {smaller}.",
        weight=share * len(shared),
    )


def _weight(key: str) -> float:
    return 1.0 if len(words(key)) > 1 else 0.25


def _line(source: bytes, key: str) -> int:
    """Return the line where a key is written; 0 where it is not found."""
    match = re.search(
        rb"(?m)(?:^|[\s{,\[.\"'])" + re.escape(key.encode("utf-8", "surrogateescape")) + rb"[\"']?\s*[:=\].]",
        source,
    )
    return source.count(b"\n", 0, match.start() + 1) + 1 if match else 0
