"""Finds modules that say they are deprecated, with who still imports them, and modules that only pass on others' names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pucs.code.readiness.records import Finding, Kind, Location, finding, named
from pucs.code.readiness.view import apart
from pucs.core.severities import Severity
from pucs.syntax.facts import DefinitionKind, ImportKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pucs.code.readiness.view import View
    from pucs.syntax.facts import FileFacts

_SAYS_SO: Final = re.compile(
    r"^\W*deprecated\b|[-(:] *deprecated\W*$|\b(is|was|been|now) deprecated\b|\bdeprecated (in fav|since|in version|as of|and|[:;.(-])|"
    r"\bdeprecated:|warns with DeprecationWarning|moved to|\buse\b.*\binstead\b",
    re.IGNORECASE,
)
"""Words about the module itself; a module about deprecated things has the word elsewhere."""
_INSTEAD: Final = re.compile(
    r"(?:\buse|moved to|replaced by|favou?r of|superseded by|instead:|import(?:ed)? from|see|→)\s+[`'\"]*"
    r"((?:from\s+)?[A-Za-z_]\w*(?:\.\w+)+|[A-Za-z_]\w*)",
    re.IGNORECASE,
)
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


def deprecations(view: View) -> Iterator[Finding]:
    """Give modules that are deprecated or only re-export, each with its importers."""
    for path in sorted(view.own):
        facts = view.code.facts[path]
        if facts.deprecated and _SAYS_SO.search(facts.deprecated):
            yield _deprecated(view, path, facts)
        elif _passes_on(view, path, facts):
            yield _re_export(view, path)


def _deprecated(view: View, path: str, facts: FileFacts) -> Finding:
    edges = view.importers(path)
    program, tests = apart(edge.importer for edge in edges)
    instead = _replacement(view, path, facts)
    name = view.code.modules.name_of(path)
    places = [
        Location(path, 1),
        *(Location(edge.importer, edge.line) for edge in edges if edge.importer in program),
        *(Location(edge.importer, edge.line) for edge in edges if edge.importer in tests),
    ]
    if not edges:
        return finding(
            Kind.DEPRECATED_MODULE,
            Severity.LOW,
            (path,),
            f"{path} is deprecated and no file imports it.",
            places,
            f"Delete {path}, once nothing outside of the repository needs it.",
        )
    own = _own_code(view, path)
    missing = _missing(view, path, instead)
    towards = f" Its place is taken by {instead}." if instead else ""
    also = (
        f" It still has code of its own ({named(own)}), so old and new are in use side by side."
        if own
        else ""
    )
    users = named(program) if program else "tests only"
    remedy = f"Let {named([*program, *tests])} import from {instead} instead of {name}"
    if missing:
        remedy += (
            f" (it has no {named(missing)}: move or replace {'it' if len(missing) == 1 else 'them'} first)"
        )
    elif instead:
        remedy += f" (pucs readiness --fix-imports {name} {instead} shows how)"
    return finding(
        Kind.DEPRECATED_MODULE,
        Severity.HIGH if own and program else Severity.MEDIUM if program else Severity.LOW,
        (path,),
        f"{path} is deprecated and still imported by {users}"
        + (f", and by {len(tests)} of the tests" if program and tests else "")
        + f".{towards}{also}",
        places,
        (remedy if instead else f"Find out what replaces {name}, and use it") + f", then delete {path}.",
        weight=len(edges) + 10 * bool(own),
    )


def _own_code(view: View, path: str) -> list[str]:
    """Return the public classes and functions that a module defines itself."""
    kinds = (DefinitionKind.CLASS, DefinitionKind.FUNCTION)
    return sorted(
        name for name, kind in view.code.defines(path).items() if kind in kinds and not name.startswith("_")
    )


def _missing(view: View, path: str, instead: str) -> list[str]:
    """Return names that importers take from a module and its replacement does not have."""
    other = view.code.modules.absolute(path, instead) if instead else None
    if other is None or other.endswith("/"):
        return []
    taken = {
        name
        for edge in view.importers(path)
        for fact in view.code.facts[edge.importer].imports
        if path in view.code.imported(edge.importer, fact)
        for name, _ in fact.names
    }
    here = {name for name in taken if name != "*" and view.code.place(path, name) is not None}
    return sorted(name for name in here if view.code.place(other, name) is None)


def _replacement(view: View, path: str, facts: FileFacts) -> str:
    """Return the module to use instead, as the module itself says or shows; empty: it does not."""
    said = [match[1].removeprefix("from ") for match in _INSTEAD.finditer(facts.deprecated)]
    own = view.code.modules.name_of(path)
    for word in (*said, *_DOTTED.findall(facts.deprecated)):
        parts = word.strip(".").split(".")
        while parts:
            dotted = ".".join(parts)
            found = None
            if not f"{own}.".startswith(f"{dotted}."):  # its own package does not replace it
                found = view.code.modules.absolute(path, dotted)
            if found is not None and found != path and ("." in dotted or found.endswith(".py")):
                return dotted
            parts.pop()
            if len(parts) < 2:  # noqa: PLR2004 - a single word is often just a word
                break
    origins = {origin for origin in _origins(view, path, facts) if origin != path}
    return view.code.modules.name_of(next(iter(origins))) if len(origins) == 1 else ""


def _origins(view: View, path: str, facts: FileFacts) -> set[str]:
    return {
        imported
        for fact in facts.imports
        if fact.kind in (ImportKind.TOP, ImportKind.OPTIONAL) and fact.names
        for imported in view.code.imported(path, fact)
    }


def _passes_on(view: View, path: str, facts: FileFacts) -> bool:
    """Tell whether all that a module does is to take names from one other module: its old place, most likely."""
    if path.endswith(("/__init__.py", "/__main__.py")) or path == "__init__.py" or facts.problem:
        return False
    if any(one.name != "__all__" for one in facts.definitions):
        return False
    script = "." not in view.code.modules.name_of(path)
    if script or any(fact.kind is not ImportKind.TOP for fact in facts.imports):
        return False
    taken = [fact for fact in facts.imports if fact.module != "__future__"]
    inside = [fact for fact in taken if not view.code.external(path, fact)]
    # A module that uses what it imports does something when it is loaded.
    used = {use.name for use in facts.uses} - {"__all__"}
    return bool(inside) and len(inside) == len(taken) and not used and len(_origins(view, path, facts)) == 1


def _re_export(view: View, path: str) -> Finding:
    edges = view.importers(path)
    origin = next(iter(_origins(view, path, view.code.facts[path])))
    name, real = (view.code.modules.name_of(one) for one in (path, origin))
    users = [edge.importer for edge in edges]
    return finding(
        Kind.RE_EXPORT,
        Severity.LOW,
        (path,),
        f"{path} defines nothing and only passes on names of {real}; {named(users)} {'imports' if len(users) < 2 else 'import'} it.",  # noqa: PLR2004 - plural
        [Location(path, 1), *(Location(edge.importer, edge.line) for edge in edges)],
        (
            f"Let {named(users)} import from {real} instead of {name}, then delete {path}"
            if users
            else f"Delete {path}"
        )
        + ", unless users outside of the repository rely on it.",
        weight=len(edges),
    )
