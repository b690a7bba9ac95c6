"""Bugs planted into landing: what could be wrong so that a kill or a stop at some step breaks a promise.

Each replaces functions in the processes of the product from outside, before they begin. Where the product defends a rule
twice, the plant takes both defences away, because one alone breaks nothing that could be seen. The judge has to find each
at one of the points named with it.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proof.faults_landing_points import KILL, STOP, Point, points_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Steps = Mapping[str, Sequence[tuple[str, str]]]
    """Of each scene: name and kind of each step."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted bug."""

    wrong: str
    """What is wrong, in a clause."""
    install: Callable[[], None]
    caught_by: tuple[str, ...]
    """Rules, any of which counts as catching it."""
    scene: str
    step: str
    """Beginning of the name of the step at which it shows."""
    when: str = "before"
    how: str = KILL

    def points(self, steps: Steps) -> list[Point]:
        """Return the points where it shows: each place of the step it is named with."""
        found = [
            point
            for point in points_of(self.scene, steps.get(self.scene, ()))
            if point.name.startswith(self.step) and (point.when, point.how) == (self.when, self.how)
        ]
        assert found, f"no step of {self.scene} is called {self.step} any more; the plant must follow"
        return found


def _room(name: str) -> Any:
    return importlib.import_module(f"pucs.{name}")


def _replace(owner: Any, name: str, by: Any) -> None:
    """Replace something that must be there, so that a plant does not wither unseen when the product changes."""
    assert hasattr(owner, name), f"{owner} has no {name} any more; the plant must follow"
    setattr(owner, name, by)


def _lands_without_looking() -> None:
    """Record the intention of a landing without a look at the leases."""
    landing, intentions = _room("coordinator.landing"), _room("coordinator.intentions")

    def careless(context: Any, opened: Any, work: Any, plan: Any, done: Any) -> Any:
        del done
        payload = {
            "stream": work.bench.stream,
            "task": work.bench.task,
            "paths": plan.paths,
            "tokens": [],
            "held": [],
        }
        return intentions.intend(
            context,
            opened,
            verb=intentions.LAND,
            agent=work.bench.agent,
            ref=work.ref,
            old=work.stream_tip,
            new=plan.commit,
            payload=payload,
        )

    _replace(landing, "intend", careless)


def _gives_up_first() -> None:
    """Give the leases up when the landing is decided, and do not look at them again."""
    _lands_without_looking()
    intentions, context_room, granting = (
        _room(f"coordinator.{name}") for name in ("intentions", "context", "granting")
    )
    records = _room("locks.records")
    carry_out = intentions.carry_out

    def early(context: Any, intention: Any, *others: Any, **named: Any) -> Any:
        if intention.verb == intentions.LAND:
            with context_room.unit(context) as opened:
                leases = opened.tx.leases.of_agent(intention.agent)
                granting.end_and_serve(opened, leases, records.EndReason.RELEASED)
        return carry_out(context, intention, *others, **named)

    _replace(intentions, "carry_out", early)


def _entry_before_the_move() -> None:
    """Close the intention as done, then move the ref."""
    intentions = _room("coordinator.intentions")

    def hasty(context: Any, intention: Any, closing: Any, move: Any = None) -> bool:
        intentions.close(context, intention, closing, moved=True)
        return bool(move() if move is not None else intentions.swap(context, intention))

    _replace(intentions, "carry_out", hasty)


def _never_closed() -> None:
    """Do what closing an intention does, and leave it open."""
    intentions, context_room = _room("coordinator.intentions"), _room("coordinator.context")

    def close(context: Any, intention: Any, closing: Any, *, moved: bool) -> None:
        done, undone = closing
        with context_room.unit(context, durable=True) as opened:
            opened.session = opened.tx.sessions.get(intention.session)
            (done if moved else undone)(opened, intention)

    _replace(intentions, "close", close)


def _takes_back() -> None:
    """Undo the intention of a dead process, wherever its ref is."""
    _replace(_room("coordinator.settling"), "_redo", lambda *_: False)
    _replace(_room("coordinator.arriving"), "_close_before", lambda *_: None)


def _nobody_settles() -> None:
    for room in ("settling", "landing", "syncing", "asking", "finalizing"):
        owner = _room(f"coordinator.{room}")
        if hasattr(owner, "settle"):
            _replace(owner, "settle", lambda *_, **__: 0)


def _no_compare() -> None:
    """Move refs whatever they point at."""
    repository = _room("git.repository").GitRepository

    def forced(self: Any, ref: str, new: str, old: str | None) -> bool:
        del old
        self._git("update-ref", "-m", "pucs", ref, new)
        return True

    _replace(repository, "move_ref", forced)


def _no_salvage() -> None:
    salvaging = _room("coordinator.salvaging")
    _replace(salvaging, "_new_ref", lambda _, session, agent, __: f"refs/pucs/salvage/{session}/{agent}/1")


def _half_a_change() -> None:
    worktrees = _room("git.worktrees").GitWorktrees
    commit = worktrees.commit

    def part(self: Any, path: str, message: str, *, author: str, only: Any = None) -> Any:
        return commit(self, path, message, author=author, only=only[:1] if only else only)

    _replace(worktrees, "commit", part)


def _touches_the_checkout() -> None:
    import subprocess  # noqa: PLC0415 - used by this bug alone

    landing = _room("coordinator.landing")
    land = landing.land

    def careless(context: Any, **named: Any) -> Any:
        subprocess.run(["git", "-C", context.repository.root, "add", "--all"], check=False)
        return land(context, **named)

    _replace(landing, "land", careless)


def _one_token() -> None:
    protocol = _room("streams.protocol")
    trailers_of = protocol.trailers_of

    def same(agent: str, stream: str, session: str, task: str, tokens: Any) -> Any:
        return trailers_of(agent, stream, session, task, [1 << 32 for _ in tokens])

    _replace(protocol, "trailers_of", same)


def _falls_over() -> None:
    """Let the news that a lease was lost end the process."""
    _replace(_room("coordinator.landing"), "LostLease", KeyError)


def _waits_too_long() -> None:
    """Wait for a stopped holder of the gate longer than anybody said."""
    store = _room("store.sqlite").SQLiteStore.__init__.__kwdefaults__
    store["gate_wait_s_max"] = 11.0
    postgres = _room("store.postgres").PostgresStore.__init__.__kwdefaults__
    postgres["lock_wait_s_max"] = 11.0
    _replace(_room("store.postgres_connection"), "IDLE_S_MAX", 60)


_SWAP = "intentions.swap: git update-ref"
_INTENDS = "landing._bring: opens"

PLANTS: dict[str, Plant] = {
    "lands without looking": Plant(
        "the leases are not looked at again before the branch moves",
        _lands_without_looking,
        ("fencing",),
        "land",
        _INTENDS,
        how=STOP,
    ),
    "gives up first": Plant(
        "leases end before the branch moves, and are not looked at again",
        _gives_up_first,
        ("fencing",),
        "land",
        _SWAP,
        how=STOP,
    ),
    "no compare": Plant(
        "a branch is moved wherever it is",
        _no_compare,
        ("straight line", "acknowledged"),
        "land",
        _SWAP,
        how=STOP,
    ),
    "falls over a lost lease": Plant(
        "a landing whose lease is gone ends the process",
        _falls_over,
        ("told",),
        "land",
        _INTENDS,
        how=STOP,
    ),
    "waits at the gate": Plant(
        "a stopped holder of the gate is waited for longer than the bound",
        _waits_too_long,
        ("gate",),
        "land",
        "intentions.close: commits",
        how=STOP,
    ),
    "entry before the move": Plant(
        "a landing is recorded as done before the branch moves",
        _entry_before_the_move,
        ("records",),
        "land",
        _SWAP,
    ),
    "never closed": Plant(
        "an intention stays open after it was closed, so that it is rolled forward again",
        _never_closed,
        ("records",),
        "land",
        "following.follow",
    ),
    "takes back": Plant(
        "the intention of a dead process is undone, though its branch has moved",
        _takes_back,
        ("records",),
        "land",
        _SWAP,
        "after",
    ),
    "nobody settles": Plant(
        "what a dead process left open stays open",
        _nobody_settles,
        ("served", "clean end"),
        "land",
        _SWAP,
    ),
    "no salvage ref": Plant(
        "the ref that should keep what may not land is not written",
        _no_salvage,
        ("nothing lost",),
        "land",
        _SWAP,
    ),
    "half a change": Plant(
        "only the first file of a change is committed and lands",
        _half_a_change,
        ("whole changes",),
        "land",
        "following.follow",
    ),
    "touches the checkout": Plant(
        "landing out of a person's checkout stages its files",
        _touches_the_checkout,
        ("checkout",),
        "checkout",
        _SWAP,
    ),
    "one token for all": Plant(
        "every commit carries the same token", _one_token, ("tokens",), "land", "following.follow"
    ),
}
NAMES = tuple(PLANTS)
SHORT = ("lands without looking", "entry before the move", "no salvage ref")
"""Plants of the short form: one that shows after a stop, one after a kill, one at any time."""


def install(name: str) -> None:
    """Put a bug into this process; the empty name: none."""
    if name:
        PLANTS[name].install()
