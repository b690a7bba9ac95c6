"""What one file says of itself: imports, definitions and names it uses, as the index keeps them for each blob.

Facts follow from the bytes alone, never from where the file lies, so that equal files share them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

FORMAT = 4
"""Raised when the same bytes would give other facts: kept facts of another format are told anew."""


WHOLE = "export="
"""Among the exports of a script: it is one thing as a whole (``module.exports = f``), which goes by this name."""


class Language(StrEnum):
    """What a file was read as."""

    PYTHON = "python"
    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"


class ImportKind(StrEnum):
    """When an import is carried out."""

    TOP = "top"
    """When the module is loaded."""
    OPTIONAL = "optional"
    """When it is loaded, inside ``try``: the module copes without."""
    LAZY = "lazy"
    """When a function is called."""
    TYPING = "typing"
    """Never: for type checkers only."""


class DefinitionKind(StrEnum):
    """What a definition is."""

    FUNCTION = "function"
    CLASS = "class"
    METHOD = "method"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class ImportFact:
    """One import statement, or one module of it where a statement names several."""

    module: str
    """Dotted name as written, without leading dots; in JavaScript the text of the specifier."""
    level: int
    """Leading dots of a relative import; 0: absolute."""
    names: tuple[tuple[str, str], ...]
    """Imported names, each with the name it is bound to; ``("*", "*")`` for all; empty: the module itself."""
    bound: str
    """Name that the module itself is bound to; empty where names are imported from it."""
    line: int
    kind: ImportKind


@dataclass(frozen=True, slots=True)
class DefinitionFact:
    """One definition at module or class level."""

    name: str
    """Qualified: ``Class.method``."""
    kind: DefinitionKind
    line: int
    last_line: int
    signature: str = ""
    """Header of a function as written, white space apart; empty for others."""
    bases: tuple[str, ...] = ()
    """Base classes as dotted names; what is no dotted name is left out."""
    decorators: tuple[str, ...] = ()
    """Decorators as dotted names, without their arguments."""


@dataclass(frozen=True, slots=True)
class UseFact:
    """One dotted name that is read somewhere in the file and begins with a name of the module, such as an import."""

    name: str
    """As written, up to five parts: ``config.settings.load``."""
    lines: tuple[int, ...]
    """Where, each line once, at most ``USE_LINES_MAX``."""


USE_LINES_MAX = 20
"""Lines kept of one use; the first ones answer where to look."""


@dataclass(frozen=True, slots=True)
class FileFacts:
    """All facts of one blob."""

    language: Language
    lines: int
    imports: tuple[ImportFact, ...] = ()
    definitions: tuple[DefinitionFact, ...] = ()
    uses: tuple[UseFact, ...] = ()
    strings: tuple[UseFact, ...] = ()
    """Dotted names inside string literals, such as the target of a patch."""
    exports: tuple[str, ...] = ()
    """``__all__`` as far as it is written out; of a script, the names that it exports."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Names under which a script exports what it calls otherwise itself: outside, inside."""
    description: str = ""
    """First line of the module's own documentation."""
    deprecated: str = ""
    """Words in which the module says that it is deprecated; empty: it does not."""
    changes_path: bool = False
    """The module puts directories on ``sys.path``: it may import its neighbours by their bare names."""
    problem: str = ""
    """Why the file could not be read in full; what is told besides was found line by line. Empty: it was."""
