"""Plain definitions for the judges of the simulations: a small tree of resources, and which modes go together.

Nothing here looks at how resources are spelled or how the rules decide. Each name stands beside the steps that lead to it
from the root; one resource is inside another if its steps begin with the other's. The modes are written out as pairs.
"""

from __future__ import annotations

from pucs.core.modes import Mode

READ, PLAN, WRITE = Mode.SHARED_READ, Mode.INTENT, Mode.EXCLUSIVE
Wanted = tuple[tuple[str, Mode], ...]
"""Resources with the mode they are asked or held in."""

TOGETHER = {(READ, READ), (READ, PLAN), (PLAN, READ)}
"""Modes in which two agents may have one resource at a time."""
ENOUGH = {(READ, READ), (PLAN, READ), (PLAN, PLAN), (WRITE, READ), (WRITE, PLAN), (WRITE, WRITE)}
"""Held and asked: whoever has the first needs no second lease for the other."""

STEPS: dict[str, tuple[str, ...]] = {
    "/": ("/",),
    "core/": ("/", "core"),
    "core/one.py": ("/", "core", "one.py"),
    "core/one.py::run": ("/", "core", "one.py", "run"),
    "core/one.py::runner": ("/", "core", "one.py", "runner"),
    "core/one.py::Cart": ("/", "core", "one.py", "Cart"),
    "core/one.py::Cart.add": ("/", "core", "one.py", "Cart", "add"),
    "core/one.py::Cart.drop": ("/", "core", "one.py", "Cart", "drop"),
    "core/one.pyi": ("/", "core", "one.pyi"),
    "core/two.py": ("/", "core", "two.py"),
    "core/two.py::f": ("/", "core", "two.py", "f"),
    "core/two.py::g": ("/", "core", "two.py", "g"),
    "core/deep/": ("/", "core", "deep"),
    "core/deep/a.py": ("/", "core", "deep", "a.py"),
    "core/deep/b.py": ("/", "core", "deep", "b.py"),
    "core-api/": ("/", "core-api"),
    "core-api/x.py": ("/", "core-api", "x.py"),
    "shop/": ("/", "shop"),
    **{f"shop/{name}.py": ("/", "shop", f"{name}.py") for name in "abcdefghijkl"},
    **{f"lib{at}/": ("/", f"lib{at}") for at in range(24)},
    **{f"lib{at}/{name}.py": ("/", f"lib{at}", f"{name}.py") for at in range(24) for name in "abcdefgh"},
    "README.md": ("/", "README.md"),
    "setup.py": ("/", "setup.py"),
    "res:db": ("res:db",),
    "res:db/2": ("res:db/2",),
    "res:slots": ("res:slots",),
    "res:api": ("res:api",),
}
"""Every resource that the simulations know, with the steps to it; a named one is a root of its own."""


def inside(inner: str, outer: str) -> bool:
    """Tell whether a resource is another or a part of it."""
    long, short = STEPS[inner], STEPS[outer]
    return long[: len(short)] == short


NEAR: dict[str, tuple[str, ...]] = {
    one: tuple(two for two in STEPS if inside(one, two) or inside(two, one)) for one in STEPS
}
"""For each resource those that share something with it, itself included."""


def clash(one: tuple[str, Mode], two: tuple[str, Mode]) -> bool:
    """Tell whether two agents may not have these at one time."""
    return two[0] in NEAR[one[0]] and (one[1], two[1]) not in TOGETHER


def is_named(name: str) -> bool:
    """Tell whether it is a shared resource rather than a part of the repository."""
    return STEPS[name][0] != "/"


def is_symbol(name: str) -> bool:
    """Tell whether it is a definition in a file."""
    return "::" in name


SOURCES: dict[str, bytes] = {
    "core/one.py": b"""
def run():
    return 1


def runner():
    return 2


class Cart:
    def add(self):
        return 3

    def drop(self):
        return 4
""",
    "core/two.py": b"""
def f():
    return 1


def g():
    return 2
""",
}
"""The files whose definitions can be asked for."""
