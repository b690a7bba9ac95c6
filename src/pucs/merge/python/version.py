"""Settles clashes of version numbers and of copyright years: the later one counts.

Only lines that say that they are about a version or a copyright, and that differ in nothing else, are looked at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from pucs.merge.records import Settled, Tier

if TYPE_CHECKING:
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Pieces

LINES_MAX = 12
"""Lines of one version of a clash beyond which it is about more than a version."""

Order: TypeAlias = tuple[tuple[int, ...], ...]

_ABOUT = re.compile(r"version|release|__build__", re.IGNORECASE)
_COPYRIGHT = re.compile(r"copyright|\(c\)|©", re.IGNORECASE)
_YEARS = re.compile(r"\b((?:19|20)\d\d)(?:(\s*[-\u2013,]\s*)((?:19|20)\d\d))?\b")
_LITERAL = re.compile(
    r"""(?P<quote>["'])v?\d+(?:\.[\w+!-]+|[-_]?(?:a|b|rc|dev|post)[\w.+-]*)+(?P=quote)"""
    r"|\(\s*\d+\s*,[^()]*\)|\b0x[0-9a-fA-F]+\b"
)
_VERSION = re.compile(
    r"""v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)
    (?:[-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_n>\d*))?
    (?:-(?P<post_bare>\d+)|[-_.]?(?P<post>post|rev|r)[-_.]?(?P<post_n>\d*))?
    (?:[-_.]?(?P<dev>dev)[-_.]?(?P<dev_n>\d*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?""",
    re.VERBOSE | re.IGNORECASE,
)
PART = re.compile(
    r"\s*_*(?:version_?)?(?:major|minor|micro|patch)(?:_?version)?_*\s*=\s*\d+\s*$", re.IGNORECASE
)
"""A statement that sets one part of a version number."""
_BEFORE, _AFTER = (-1,), (9,)
_PRE = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}


def version(clash: Clash, _scene: Scene) -> Pieces | None:
    """Take the later version, or the years of both; None: the clash is about anything else."""
    base, ours, theirs = clash.base, clash.ours, clash.theirs
    if not len(base) == len(ours) == len(theirs) or not 0 < len(base) <= LINES_MAX:
        return None
    found: list[str] = []
    winners: set[str] = set()
    dated = False
    for was, mine, its in zip(base, ours, theirs, strict=True):
        if its in (mine, was):
            found.append(mine)
        elif mine == was:
            found.append(its)
        elif (years := _years(mine, its)) is not None:
            dated = True
            found.append(years)
        else:
            winner = _later(was, mine, its)
            if not winner:
                return None
            winners.add(winner)
            found.append(mine if winner == "ours" else its)
    if len(winners) != 1 and not (dated and not winners):
        return None  # no version at all, or of two numbers one side raised this one, the other that one
    return (Settled(tuple(found), "version", Tier.AUTO, clash),)


def _later(was: str, mine: str, its: str) -> str:
    """Return the side whose line has the later version, empty if they differ in more than one."""
    if not all(_ABOUT.search(line) for line in (was, mine, its)):
        return ""
    parts = [_literal(line) for line in (was, mine, its)]
    if not all(parts) or len({_masked(line) for line in (was, mine, its)}) > 1:
        return ""
    _, ours, theirs = (_order(part) for part in parts)
    if ours is None or theirs is None or ours == theirs:
        return ""
    return "ours" if ours > theirs else "theirs"


def _masked(line: str) -> str:
    """Return a line without its version, and with one kind of quote and of spaces around signs."""
    plain = _LITERAL.sub("0", line, count=1).replace("'", '"').split("#")[0]
    return re.sub(r"\s*([=:,()])\s*", r"\1", plain).strip()


def _literal(line: str) -> str:
    found = _LITERAL.search(line)
    return found[0] if found else ""


def _order(literal: str) -> Order | None:
    """Return what sorts versions; None: it is none."""
    if literal.startswith("0x"):
        return ((int(literal, 16),),)
    text = literal.strip("\"'")
    if literal.startswith("("):
        text = ".".join(part.strip().strip("\"'") for part in literal.strip("()").split(",") if part.strip())
    return order(text)


def order(text: str) -> Order | None:
    """Return a key that sorts versions as PEP 440 does; None: it is none."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        return None
    release = [int(part) for part in match["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    post: tuple[int, ...] = _BEFORE
    if match["post"] or match["post_bare"]:
        post = (int(match["post_n"] or match["post_bare"] or 0),)
    pre: tuple[int, ...] = _AFTER
    if match["pre"]:
        pre = (_PRE[match["pre"].lower()], int(match["pre_n"] or 0))
    elif match["dev"] and post == _BEFORE:
        pre = _BEFORE  # 1.0.dev1 comes before 1.0a1
    dev = (int(match["dev_n"] or 0),) if match["dev"] else (10**9,)
    local = tuple(
        value
        for part in re.split(r"[-_.]", match["local"] or "")
        for value in ((1, int(part)) if part.isdigit() else (0, *map(ord, part)))
    )
    return (int(match["epoch"] or 0),), tuple(release), pre, post, dev, local


def _years(mine: str, its: str) -> str | None:
    """Return a copyright line with the first and the last year of both, None if the lines differ in more."""
    if not _COPYRIGHT.search(mine) or _YEARS.sub("0", mine) != _YEARS.sub("0", its):
        return None
    one, other = list(_YEARS.finditer(mine)), list(_YEARS.finditer(its))
    if len(one) != 1 or len(other) != 1:
        return None
    first = min(one[0][1], other[0][1])
    last = max(one[0][3] or one[0][1], other[0][3] or other[0][1])
    sign = one[0][2] or other[0][2] or "-"
    years = first if first == last else first + sign + last
    return mine[: one[0].start()] + years + mine[one[0].end() :]
