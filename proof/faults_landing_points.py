"""Where processes are killed and stopped: every step of a verb, each before, after or in the middle of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

KILL, STOP = "kill", "stop"
FINALIZE = "finalize"
SCENES = ("land", "checkout", "sync", FINALIZE)
"""Landing out of an agent's worktree and out of a person's checkout, syncing, and merging streams to a result."""
SHORT_SCENES = ("land",)
SHORT_KILLS, SHORT_STOPS = 4, 1
"""Cases of the short form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a process is killed or stopped."""

    scene: str
    """``land``, ``checkout``, ``sync`` or ``finalize``."""
    name: str = ""
    """Of the step: whose it is and what it does; empty: nothing goes wrong."""
    time: int = 1
    """Which of the steps of that name."""
    of: str = ""
    """``reads``, ``opens`` or ``commits`` of a transaction, or ``git``."""
    when: str = "before"
    """``before`` or ``after`` the step, or ``inside`` it."""
    how: str = KILL
    shipped: bool = False
    """Waits for a stopped holder of the gate are as long as shipped, not shortened."""

    @property
    def in_gate(self) -> bool:
        """Tell whether the process is inside its transaction then, so that nobody else can write."""
        return (self.of, self.when) in {("opens", "after"), ("commits", "before")}

    def __str__(self) -> str:
        """Name it in one line."""
        if self.shipped:
            return f"{self.how} {self.scene} {self.when} {self.name}, bounds as shipped"
        return (
            f"{self.how} {self.scene} {self.when} {self.name} ({self.time})"
            if self.name
            else f"clean {self.scene}"
        )


def points_of(scene: str, steps: Sequence[tuple[str, str]]) -> Iterator[Point]:
    """Return every point of a scene whose steps are these (name and kind), in their order.

    Killed before, after and, where git is at work, inside each step; stopped before it, and in every open transaction.
    """
    times = Counter[str]()
    for name, of in steps:
        times[name] += 1

        def at(when: str, how: str, name: str = name, of: str = of) -> Point:
            return Point(scene=scene, name=name, time=times[name], of=of, when=when, how=how)

        yield at("before", KILL)
        if of != "reads":  # which changes nothing: the same as before the next
            yield at("after", KILL)
        if of == "git":
            yield at("inside", KILL)
        yield at("before", STOP)
        if of == "opens":
            yield at("after", STOP)


def sample(points: Sequence[Point], rng: random.Random) -> list[Point]:
    """Return a few points of each kind."""
    kills = [point for point in points if point.how == KILL]
    stops = [point for point in points if point.how == STOP and not point.in_gate]
    gates = [point for point in points if point.how == STOP and point.in_gate and not point.shipped]
    return [*rng.sample(kills, SHORT_KILLS), *rng.sample(stops, SHORT_STOPS), rng.choice(gates)]
