"""Settles clashes of two insertions of branches at one place: ours, then theirs.

Branches are ``elif`` parts of one chain, ``case`` parts of one ``match``, handlers of one ``try``, and ``if`` statements
in a row. Of branches that compare one thing with different constants at most one is ever taken, so that their order says
nothing; the same goes for exceptions of different families. All others may depend on their order: those are guesses.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass
from itertools import product
from textwrap import dedent, indent
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.python.inserts import inserted, without_blank
from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines, Pieces

NAME = "branches"
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)

Condition: TypeAlias = "ast.expr | ast.pattern | None"
"""When a branch is taken; None: it stands last, for all other cases or for all."""


@dataclass(frozen=True, slots=True)
class _Branch:
    condition: Condition
    body: Sequence[ast.stmt]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one side inserted."""

    kind: str
    """The word that begins each branch."""
    head: int
    """Blank lines before it."""
    tail: int
    """Blank lines behind it."""
    core: Lines
    branches: Sequence[_Branch]

    @property
    def open(self) -> bool:
        """The last branch has to stay the last."""
        return self.branches[-1].condition is None


def branches(clash: Clash, scene: Scene) -> Pieces | None:
    """Keep both sides' branches; None: it is no such clash, or one side's would hide the other's."""
    if not inserted(clash, scene):
        return None
    ours, theirs = _part(clash.ours), _part(clash.theirs)
    if ours is None or theirs is None or ours.kind != theirs.kind or (ours.open and theirs.open):
        return None
    first, second = (theirs, ours) if ours.open or _wider(ours, theirs) else (ours, theirs)
    tier = _tier(ours, theirs)
    if tier is None:
        return None
    between = ("\n",) * max(ours.head, ours.tail, theirs.head, theirs.tail)
    lines = (
        *("\n",) * first.head, *first.core, *between, *second.core, *("\n",) * second.tail,
    )  # fmt: skip
    return (Settled(lines, NAME, tier, clash),)


def _tier(ours: _Part, theirs: _Part) -> Tier | None:
    """Return how sure it is that the order of two sides' branches says nothing; None: one can never be taken."""
    pairs = list(product(ours.branches, theirs.branches))
    if any(_contend(one.condition, other.condition) for one, other in pairs) or (
        _wider(ours, theirs) and _wider(theirs, ours)
    ):
        return None
    if ours.kind == "except" and (ours.open or theirs.open):
        apart = True  # ``finally`` runs whatever is handled before
    elif ours.kind == "except":
        apart = all(_families_apart(one.condition, other.condition) for one, other in pairs)
    else:
        apart = all(_never_both(one.condition, other.condition) for one, other in pairs)
    if ours.kind == "if" and not apart:
        apart = all(_complain_of_others(one, other) for one, other in pairs)
    return Tier.AUTO if apart else Tier.REVIEW


# ---- reading ----

_WORDS = {
    "elif": "if 0:\n    pass\n",
    "else": "if 0:\n    pass\n",
    "except": "try:\n    pass\n",
    "finally": "try:\n    pass\n",
    "case": "match 0:\n",
}
"""What makes a statement of branches that begin with a word."""


def _part(lines: Lines) -> _Part | None:
    """Read one insertion; None: it is not made of branches alone."""
    head, core, tail = without_blank(lines)
    first = next((line for line in core if line.strip() and not line.lstrip().startswith("#")), "")
    word = first.split(maxsplit=1)[0].rstrip(":*") if first else ""
    if not first or not core[-1].endswith("\n") or word not in {*_WORDS, "if"}:
        return None
    text = dedent("".join(core))
    try:
        body = ast.parse(_WORDS.get(word, "") + (indent(text, " ") if word == "case" else text)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = list(_row(body) if word == "if" else _chain(body))
    kind = {"else": "elif", "finally": "except"}.get(word, word)
    return _Part(kind, head, tail, core, found) if found else None


def _row(body: Sequence[ast.stmt]) -> Iterator[_Branch]:
    """Yield ``if`` statements that leave what they are in, and have no other branches; nothing: there are others, too."""
    if all(isinstance(one, ast.If) and not one.orelse and isinstance(one.body[-1], _ENDS) for one in body):
        yield from (_Branch(one.test, one.body) for one in body if isinstance(one, ast.If))


def _chain(body: Sequence[ast.stmt]) -> Iterator[_Branch]:
    """Yield the branches behind the one that was put before them; nothing: something else is among them."""
    statement = body[0]
    if len(body) != 1:
        return
    if isinstance(statement, ast.Match):
        # A case that takes everything hides whatever comes behind it.
        if not any(_takes_all(one) for one in statement.cases):
            yield from (_Branch(one.pattern, one.body) for one in statement.cases)
    elif isinstance(statement, ast.Try | ast.TryStar):
        handlers, last = statement.handlers, statement.finalbody
        if not statement.orelse and not (handlers and last) and all(one.type for one in handlers):
            yield from (_Branch(one.type, one.body) for one in handlers)
            yield from (_Branch(None, last) for _ in last[:1])
    elif isinstance(statement, ast.If):
        rest = statement.orelse
        while len(rest) == 1 and isinstance(rest[0], ast.If):
            yield _Branch(rest[0].test, rest[0].body)
            rest = rest[0].orelse
        if rest:
            yield _Branch(None, rest)


def _takes_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None and case.guard is None


# ---- comparing ----


def _contend(one: Condition, other: Condition) -> bool:
    """Tell whether two conditions are the same, or both lay claim to one constant."""
    if one is None or other is None:
        return False
    if ast.dump(one) == ast.dump(other):
        return True
    mine, its = (({} if isinstance(each, ast.BoolOp) else _asked(each)) for each in (one, other))
    return any(mine[what] & its[what] for what in mine.keys() & its.keys()) and not (
        isinstance(one, ast.MatchSequence) or isinstance(other, ast.MatchSequence)
    )


def _never_both(one: Condition, other: Condition) -> bool:
    """Tell whether two conditions ask for different constants in one place."""
    if one is None or other is None:
        return False
    mine, its = _asked(one), _asked(other)
    return any(not mine[what] & its[what] for what in mine.keys() & its.keys())


def _asked(condition: ast.expr | ast.pattern) -> dict[str, frozenset[str]]:
    """Return what has to be one of which constants, if a condition is to hold; nothing: it asks for other things."""
    if isinstance(condition, ast.pattern):
        return _patterned(condition, "")
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        return {what: values for part in condition.values for what, values in _asked(part).items()}
    if not isinstance(condition, ast.Compare) or len(condition.ops) != 1:
        return {}
    what, values = condition.left, condition.comparators[0]
    if isinstance(condition.ops[0], ast.In) and isinstance(values, ast.Tuple | ast.List | ast.Set):
        constants = [_constant(one) for one in values.elts]
    elif isinstance(condition.ops[0], ast.Eq | ast.Is):
        if _constant(what):
            what, values = values, what
        constants = [_constant(values)]
    else:
        return {}
    plain = not any(isinstance(one, ast.Call | ast.Await | ast.NamedExpr) for one in ast.walk(what))
    return {ast.dump(what): frozenset(constants)} if plain and all(constants) else {}


def _patterned(pattern: ast.pattern, at: str) -> dict[str, frozenset[str]]:
    """Return the same of a pattern; ``at`` is the place inside the pattern around it."""
    if isinstance(pattern, ast.MatchValue):
        constant = _constant(pattern.value)
        return {at: frozenset({constant})} if constant else {}
    if isinstance(pattern, ast.MatchSingleton):
        return {at: frozenset({_constant(ast.Constant(pattern.value))})}
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is not None:
        return _patterned(pattern.pattern, at)
    if isinstance(pattern, ast.MatchOr):
        each = [_patterned(one, at).get(at) for one in pattern.patterns]
        return {at: frozenset().union(*(one for one in each if one))} if all(each) else {}
    if isinstance(pattern, ast.MatchSequence):
        found: dict[str, frozenset[str]] = {}
        for index, one in enumerate(pattern.patterns):
            if isinstance(one, ast.MatchStar):
                break
            found |= _patterned(one, f"{at}[{index}]")
        return found
    return {}


def _constant(node: ast.expr) -> str:
    """Return a constant by what it is, a name of an enumeration by its name; empty: it is neither."""
    if isinstance(node, ast.Constant):
        # Numbers are equal across their types, and then have one hash.
        number = isinstance(node.value, int | float | complex)
        return f"{hash(node.value)}" if number else repr(node.value)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id[:1].isupper():
        return ast.unparse(node)
    return ""


def _families_apart(one: Condition, other: Condition) -> bool:
    """Tell whether no exception is of both kinds, as far as Python's own tell."""
    mine, its = _exceptions(one), _exceptions(other)
    return bool(mine and its) and not any(issubclass(a, b) or issubclass(b, a) for a in mine for b in its)


def _wider(one: _Part, other: _Part) -> bool:
    """Tell whether a handler of one side takes what one of the other is for, and more."""
    if one.kind != "except":
        return False
    return any(
        a is not b and issubclass(b, a)
        for mine, its in product(one.branches, other.branches)
        for a, b in product(_exceptions(mine.condition), _exceptions(its.condition))
    )


def _exceptions(condition: Condition) -> list[type]:
    """Return the exceptions of a handler; empty: there are others than Python's own."""
    names = condition.elts if isinstance(condition, ast.Tuple) else [condition]
    found = [getattr(builtins, one.id, None) if isinstance(one, ast.Name) else None for one in names]
    kinds = [one for one in found if isinstance(one, type)]
    return kinds if len(kinds) == len(names) else []


def _complain_of_others(one: _Branch, other: _Branch) -> bool:
    """Tell whether two branches raise something about different names, and do nothing else."""
    raising = all(len(each.body) == 1 and isinstance(each.body[0], ast.Raise) for each in (one, other))
    return raising and not _subjects(one.condition) & _subjects(other.condition)


def _subjects(condition: Condition) -> set[str]:
    """Return the names and dotted names that a condition is about, without what it calls."""
    found = list(ast.walk(condition)) if condition is not None else []
    inner = {id(one.func) for one in found if isinstance(one, ast.Call)}
    inner |= {id(one.value) for one in found if isinstance(one, ast.Attribute)}
    return {
        ast.unparse(one)
        for one in found
        if isinstance(one, ast.Name | ast.Attribute) and id(one) not in inner
    }
