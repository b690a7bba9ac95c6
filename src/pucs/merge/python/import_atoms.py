"""What import statements import, name by name."""

from __future__ import annotations

import ast
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pucs.merge.python.lexing import Layout
    from pucs.merge.records import Lines


class Atom(NamedTuple):
    """One imported thing, as small as an import can be."""

    module: str
    """With its leading dots; empty for ``import name``."""
    name: str
    alias: str
    """Empty: none."""

    @property
    def bound(self) -> str:
        """The name that a file gets by it; ``import a.b`` and ``import a.c`` do not contend for ``a``.

        All of a module is the same whether the module is named in full or by dots.
        """
        return self.alias or (f"{self.module.lstrip('.')}.*" if self.name == "*" else self.name)


def imported(lines: Lines) -> tuple[Atom, ...]:
    """Return what one import statement imports; empty: it is something else."""
    text = "".join(lines).lstrip()
    if not text.startswith(("import ", "from ", "from\t", "from.", "import\t")):
        return ()
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    if len(body) != 1:
        return ()
    statement = body[0]
    if isinstance(statement, ast.Import):
        return tuple(Atom("", one.name, one.asname or "") for one in statement.names)
    if isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        return tuple(Atom(module, one.name, one.asname or "") for one in statement.names)
    return ()


def everywhere(layout: Layout, *, at_top: bool = False) -> Counter[Atom]:
    """Return what a whole version imports, wherever it does, or by statements that are not indented alone."""
    found: Counter[Atom] = Counter()
    for first, last in layout.statements(0, len(layout.lines)):
        if not (at_top and layout.lines[first][:1].isspace()):
            found.update(imported(layout.lines[first:last]))
    return found
