"""Settles clashes of two insertions at one place that have nothing to do with each other: ours, then theirs.

Definitions of different names are independent; so are statements of which neither reads or writes what the other writes,
as long as they do nothing but bind names. Whatever may depend on its place stays a clash.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from textwrap import dedent
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Lines, Pieces

LINES_MAX = 2_000
"""Lines of one insertion beyond which it is not looked into: parsing them takes 0.1 s."""

_Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_LEAVING = (
    ast.Return, ast.Raise, ast.Break, ast.Continue, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal,
    ast.Match, ast.NamedExpr, ast.Delete,
)  # fmt: skip
"""What decides whether anything after it is reached, or binds names in other ways than by giving them a value."""


@dataclass(slots=True)
class _Part:
    """What one side inserted."""

    indent: int
    head: int
    """Blank lines before it."""
    tail: int
    """Blank lines behind it."""
    core: Lines
    binds: set[str] = field(default_factory=set)
    """Names and dotted names that it gives a value."""
    reads: set[str] = field(default_factory=set)
    calls: set[str] = field(default_factory=set)
    """What it calls for the effect, with the first argument, and what it asserts."""
    callees: set[str] = field(default_factory=set)
    """What it calls for the effect; all ways to assert are one."""
    constants: set[str] = field(default_factory=set)
    """Values of constants that have names in capitals: numbers of an enumeration, codes."""
    defined: bool = True
    """It has definitions only."""
    required: bool = False
    """It has an annotated name without a value."""
    valued: bool = False
    """It has an annotated name with a value."""
    described: bool = False
    """It begins with a text that stands for itself: a docstring, if anything."""
    steps: bool = False
    """It has statements with statements in them that are no definitions: what they do depends on more than names."""

    @property
    def silent(self) -> bool:
        """It is a text that stands for itself, and nothing else."""
        return self.described and not (self.binds or self.reads or self.calls or self.steps)


def inserts(clash: Clash, scene: Scene) -> Pieces | None:
    """Keep both insertions if neither can matter to the other; None: it is no such clash, or they may."""
    if not inserted(clash, scene):
        return None
    ours, theirs = _part(clash.ours), _part(clash.theirs)
    if ours is None or theirs is None:
        return None
    tier = _independent(ours, theirs)
    if tier is None:
        return None
    late = theirs.indent > ours.indent or (theirs.described and theirs.indent == ours.indent)
    first, second = (theirs, ours) if late else (ours, theirs)
    between = max(ours.head, ours.tail, theirs.head, theirs.tail)
    lines = (
        *("\n",) * first.head,
        *first.core,
        *("\n",) * between,
        *second.core,
        *("\n",) * second.tail,
    )
    return (Settled(lines, "inserts", tier, clash),)


def inserted(clash: Clash, scene: Scene) -> bool:
    """Tell whether both sides inserted whole statements, few enough to be looked into."""
    spans = ((clash.at.ours, clash.ours), (clash.at.theirs, clash.theirs))
    return not any(line.strip() for line in clash.base) and all(
        at >= 0
        and len(lines) <= LINES_MAX
        and at + len(lines) < len(layout.starts)
        and layout.whole(at, at + len(lines))
        for layout, (at, lines) in zip(scene.layouts[1:], spans, strict=True)
    )


def without_blank(lines: Lines) -> tuple[int, Lines, int]:
    """Return the blank lines before what a side inserted (their number), itself, and those behind it."""
    head = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    end = next((index for index in range(len(lines), 0, -1) if lines[index - 1].strip()), 0)
    return head, lines[head:end], len(lines) - end


def _independent(ours: _Part, theirs: _Part) -> Tier | None:
    described = ours.described and theirs.described
    if described or ours.binds & theirs.binds or ours.binds & theirs.reads or theirs.binds & ours.reads:
        return None
    if ours.calls & theirs.calls or ours.constants & theirs.constants:
        return None
    if (ours.valued and theirs.required) or (ours.required and theirs.valued):
        return None  # fields of a dataclass without a default stand first
    if ours.indent != theirs.indent:
        defined = (ours.defined or theirs.defined) and not (ours.steps or theirs.steps)
        return Tier.AUTO if defined else None
    called = ours.callees or theirs.callees
    alike = ours.callees == theirs.callees and not (ours.binds or theirs.binds)
    silent = ours.silent or theirs.silent
    if not silent and (ours.steps or theirs.steps or (called and not alike)):
        return Tier.REVIEW  # registrations and assertions are certain where both sides do nothing else
    return Tier.AUTO


def _part(lines: Lines) -> _Part | None:
    """Read one insertion; None: it is not made of whole statements that bind names or call something."""
    head, core, tail = without_blank(lines)
    if not core or not core[-1].endswith("\n"):
        return None
    try:
        body = ast.parse(dedent("".join(core))).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not body:
        return None  # comments alone
    first = next(line for line in core if line.strip() and not line.lstrip().startswith("#"))
    part = _Part(len(first) - len(first.lstrip()), head, tail, core)
    if _text(body[0]):
        part.described = True
        del body[0]
    return part if all(_read(part, statement) for statement in body) else None


def _text(statement: ast.stmt) -> bool:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def _read(part: _Part, statement: ast.stmt) -> bool:
    """Take in what a statement binds, reads and calls; False: it does more than that."""
    if isinstance(statement, _Definition):
        part.binds.add(statement.name)
        for one in (
            *statement.decorator_list,
            *(statement.bases if isinstance(statement, ast.ClassDef) else ()),
        ):
            part.reads |= _names(one)
        return True
    part.defined = False
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        return _assigned(part, statement)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        checks = isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert")
        part.callees.add("assert" if checks else ast.dump(call.func))
        about = call.args[0] if call.args else call
        part.calls.add(ast.dump(call if checks else call.func) + ast.dump(about))
        for argument in (*call.args, *(keyword.value for keyword in call.keywords)):
            part.reads |= _names(argument)
        return not any(isinstance(one, ast.Await | ast.Yield | ast.NamedExpr) for one in ast.walk(call))
    if isinstance(statement, ast.Assert):
        part.callees.add("assert")
        part.calls.add(ast.dump(statement.test))
        part.reads |= _names(statement.test)
        return True
    return _stepped(part, statement)


def _stepped(part: _Part, statement: ast.stmt) -> bool:
    """Take in a block or another statement as a whole; False: it leaves its place, or its names are not all known."""
    part.steps = True
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return False  # imports are merged as sets
    for one in ast.walk(statement):
        if isinstance(one, _LEAVING):
            return False
        if isinstance(one, _Definition):
            part.binds.add(one.name)
        elif isinstance(one, ast.Name | ast.Attribute):
            (part.reads if isinstance(one.ctx, ast.Load) else part.binds).add(ast.unparse(one))
        elif isinstance(one, ast.AugAssign):
            part.reads.add(ast.unparse(one.target))
        elif isinstance(one, ast.alias):
            part.binds.add((one.asname or one.name).split(".")[0])
        elif isinstance(one, ast.ExceptHandler) and one.name:
            part.binds.add(one.name)
    return True


def _assigned(part: _Part, statement: ast.Assign | ast.AnnAssign) -> bool:
    value = statement.value
    targets: Sequence[ast.expr]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    else:
        targets = (statement.target,)
        part.required |= value is None
        part.valued |= value is not None
        part.reads |= _names(statement.annotation)
    for target in targets:
        if not isinstance(target, ast.Name | ast.Attribute):
            return False
        name = ast.unparse(target)
        part.binds.add(name)
        if isinstance(value, ast.Constant) and name.rsplit(".", 1)[-1].isupper():
            part.constants.add(repr(value.value))
    if value is not None:
        part.reads |= _names(value)
        return not any(isinstance(one, ast.Await | ast.Yield | ast.NamedExpr) for one in ast.walk(value))
    return True


def _names(node: ast.AST) -> set[str]:
    """Return the names that an expression reads, and the dotted names that begin with them."""
    return {
        ast.unparse(one)
        for one in ast.walk(node)
        if isinstance(one, ast.Name) or (isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name))
    }
