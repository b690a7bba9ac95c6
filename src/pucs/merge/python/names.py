"""Which names a Python text uses without having them, or has twice: pyflakes, as far as it speaks of faults."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from pyflakes import messages
from pyflakes.checker import Checker

from pucs.merge.records import Objection

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAID: Final[dict[type[messages.Message], str]] = {
    messages.UndefinedName: "`{}` is used but not defined",
    messages.UndefinedLocal: "`{}` is used before it has a value",
    messages.UndefinedExport: "`{}` is in `__all__` but not defined",
    messages.ImportStarUsage: "`{}` is used, and only an import of everything may define it",
    messages.RedefinedWhileUnused: "`{}` is defined again before its first definition is used",
    messages.DuplicateArgument: "`{}` is a parameter twice",
    messages.MultiValueRepeatedKeyLiteral: "{} is a key twice, with different values",
    messages.MultiValueRepeatedKeyVariable: "{} is a key twice, with different values",
    messages.PercentFormatPositionalCountMismatch: "a format has {} places for {} values",
    messages.PercentFormatMissingArgument: "a format has no value for {}",
    messages.PercentFormatExtraNamedArguments: "a format has no place for {}",
    messages.StringDotFormatMissingArgument: "a format has no value for {}",
    messages.StringDotFormatExtraPositionalArguments: "a format has no place for argument {}",
    messages.StringDotFormatExtraNamedArguments: "a format has no place for {}",
    messages.ContinueOutsideLoop: "`continue` stands outside a loop",
    messages.BreakOutsideLoop: "`break` stands outside a loop",
    messages.ReturnOutsideFunction: "`return` stands outside a function",
}
"""What counts as a fault. An import or a variable that nobody uses is none: merging leaves some, and they break nothing."""
_UNCHECKABLE: Final = (RecursionError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""What a checker may raise on code that nobody wrote by hand; then names are not proved, the rest is."""


def misnamed(tree: ast.Module) -> Iterator[Objection]:
    """Yield each fault once. Warnings should be silenced around it: literals are parsed."""
    try:
        found = Checker(tree, filename="merged").messages
    except _UNCHECKABLE:
        return
    seen: set[str] = set()
    for message in sorted(found, key=lambda one: one.lineno):
        said = _SAID.get(type(message))
        if said is None:
            continue
        about = message.message_args[0] if message.message_args else ""
        about = about if isinstance(about, str) else ""
        try:
            words = said.format(*message.message_args)
        except ValueError:  # a number too long to write out
            words = said.partition(" ")[2]
        if words not in seen:
            seen.add(words)
            yield Objection(words, message.lineno, about, untidy=_imported_again(tree, message))


def _imported_again(tree: ast.Module, message: messages.Message) -> bool:
    """Tell whether a name is defined again by the very same import: untidy, and no fault."""
    if not isinstance(message, messages.RedefinedWhileUnused):
        return False
    name, before = message.message_args
    lines = {message.lineno, before}
    found = [
        (node.module if isinstance(node, ast.ImportFrom) else "", getattr(node, "level", 0), alias.name)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom)) and node.lineno in lines
        for alias in node.names
        if (alias.asname or alias.name.partition(".")[0]) == name
    ]
    return len(found) > 1 and len(set(found)) == 1
