"""Planted bugs: the real command line in a process in which one function does the wrong thing.

The product holds no hooks for this; a plant replaces functions from outside, before the command runs. Each must be
caught by the checker by at least one of the rules named with it. Where the product defends a rule twice, the plant
takes both defences away, because one alone breaks nothing that could be seen.

``python proof/plants.py NAME ARGUMENTS`` is ``pucs ARGUMENTS`` with that bug. Only this module imports ``pucs``, and only
when it is run that way.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from proof.killer import Event
from proof.world import FOREIGN

if TYPE_CHECKING:
    from collections.abc import Callable

TRIES_MAX = 4
"""Sessions in which a planted bug may stay unseen: some show only when a kill hits the right moment."""
SHORT_S = 70.0
"""Time that the plants of the short form take."""


@dataclass(frozen=True, slots=True)
class Plant:
    """One planted bug."""

    install: Callable[[], None]
    caught_by: tuple[str, ...]
    """Rules, any of which counts as catching it."""
    events: tuple[Event, ...] = ()
    """What the killer does; most bugs show without any kill."""
    seed: str = "plant"
    first: int = 14
    """Number of the session to begin with: one whose world gives the bug an occasion."""
    profile: str = ""
    """How the streams of that world share files, where the occasion depends on it."""


def _room(name: str) -> Any:
    return importlib.import_module(f"pucs.{name}")


def _replace(owner: Any, name: str, by: Any) -> None:
    """Replace something that must be there, so that a plant does not wither unseen when the product changes."""
    assert hasattr(owner, name), f"{owner} has no {name} any more; the plant must follow"
    setattr(owner, name, by)


def _everyone_may() -> None:
    for room in ("locks.front", "locks.rules"):
        _replace(_room(room), "compatible", lambda *_: True)


def _release_first() -> None:
    """Give the leases up when the landing is decided, a while before the stream's branch moves."""
    import time  # noqa: PLC0415 - used by this bug alone

    intentions, context_room, granting = (
        _room(f"coordinator.{name}") for name in ("intentions", "context", "granting")
    )
    records = _room("locks.records")
    carry_out = intentions.carry_out

    def early(context: Any, intention: Any, *others: Any, **named: Any) -> Any:
        if intention.verb == intentions.LAND:
            with context_room.unit(context) as opened:
                leases = opened.tx.leases.by_tokens(intention.payload["tokens"])
                granting.end_and_serve(opened, leases, records.EndReason.RELEASED)
            time.sleep(0.5)
        return carry_out(context, intention, *others, **named)

    _replace(intentions, "carry_out", early)


def _no_sync() -> None:
    syncing = _room("coordinator.syncing")

    def sync(context: Any, *, agent: str) -> Any:
        with context.store.read() as tx:
            place = tx.agents.get(agent).worktree
        return syncing.Synced(commit=context.worktrees.head(place))

    _replace(syncing, "sync", sync)
    _replace(syncing, "required", lambda *_, **__: [])
    _replace(syncing, "missing", lambda *_, **__: [])


def _no_salvage() -> None:
    salvaging = _room("coordinator.salvaging")
    _replace(salvaging, "_new_ref", lambda _, session, agent, __: f"refs/pucs/salvage/{session}/{agent}/1")


def _one_token() -> None:
    protocol = _room("streams.protocol")
    trailers_of = protocol.trailers_of

    def same(agent: str, stream: str, session: str, task: str, tokens: Any) -> Any:
        return trailers_of(agent, stream, session, task, [1 << 32 for _ in tokens])

    _replace(protocol, "trailers_of", same)


def _ours() -> None:
    repository, records = _room("git.repository"), _room("coordinator.records")

    def merge(self: Any, ours: str, _: str) -> Any:
        return records.Merged(self._git("rev-parse", "--verify", f"{ours}^{{tree}}").line, ())

    _replace(repository.GitRepository, "merge", merge)


def _no_trailers() -> None:
    protocol = _room("streams.protocol")
    compose = protocol.compose
    _replace(protocol, "compose", lambda stream, title, _, *, body="": compose(stream, title, (), body=body))


def _touches_checkout() -> None:
    import subprocess  # noqa: PLC0415 - used by this bug alone

    finalizing = _room("coordinator.finalizing")
    finalize = finalizing.finalize

    def careless(context: Any, **options: Any) -> Any:
        subprocess.run(["git", "-C", context.repository.root, "reset", "--quiet"], check=False)
        return finalize(context, **options)

    _replace(finalizing, "finalize", careless)


def _lets_go() -> None:
    """Start keepers that adopt nobody."""
    agents = _room("launch.agents")
    real = Path(agents.__file__).with_name("keeper.py").read_text(encoding="utf-8")
    adopts = "self._prctl(_PR_SET_CHILD_SUBREAPER, 1)"
    assert adopts in real, "the keeper has changed; this plant must follow"
    place = Path(tempfile.mkdtemp(prefix="planted-"))
    (place / "keeper.py").write_text(real.replace(adopts, "False"), encoding="utf-8")
    agents.__file__ = str(place / "agents.py")


def _any_order() -> None:
    finalizing = _room("coordinator.finalizing")
    _replace(
        finalizing, "merge_phases", lambda streams, *_: [[(stream.name,)] for stream in reversed(streams)]
    )
    _replace(finalizing, "_held_back", lambda *_: None)


def _no_boundary() -> None:
    boundaries = _room("streams.boundaries")
    _replace(boundaries.Boundaries, "crossed", lambda *_: None)
    finalizing = _room("coordinator.finalizing")
    _replace(finalizing, "gate", lambda *_: [])


def _lands_twice() -> None:
    """Forget at recovery what a dead agent had landed; die once between a landing and the word that its task is done."""
    import os  # noqa: PLC0415 - used by this bug alone
    import signal  # noqa: PLC0415 - the same

    tasks, recovery = _room("coordinator.tasks"), _room("launch.recovery")
    finish = tasks.finish

    def dies(context: Any, **arguments: Any) -> Any:
        try:
            Path(os.environ["PROOF_SCRATCH"], "died").touch(exist_ok=False)
        except FileExistsError:
            return finish(context, **arguments)
        return os.kill(os.getpid(), signal.SIGKILL)

    _replace(tasks, "finish", dies)
    _replace(recovery, "_landed", lambda *_: {})


def _fast_and_loose() -> None:
    """Leave uncommitted work of agents that ended where it is, and clear the worktree."""
    salvaging = _room("coordinator.salvaging")
    _replace(salvaging, "keep_work", lambda *_, **__: "")


_KILLS = tuple(Event("agent", 0.3) for _ in range(6))

PLANTS: dict[str, Plant] = {
    "everyone may": Plant(_everyone_may, ("exclusion",)),
    "release before landing": Plant(_release_first, ("fresh base",)),
    "no sync": Plant(_no_sync, ("fresh base",)),
    "no salvage ref": Plant(_no_salvage, ("nothing lost",), _KILLS),
    "clears without keeping": Plant(_fast_and_loose, ("nothing lost",), _KILLS),
    "one token for all": Plant(_one_token, ("tokens",)),
    "merges with ours": Plant(_ours, ("nothing lost",)),
    "no trailers": Plant(_no_trailers, ("protocol",)),
    "resets the checkout": Plant(_touches_checkout, ("checkout",)),
    "keeper lets go": Plant(_lets_go, ("exclusion", "clean end"), seed="foreign", first=11),
    "merges in any order": Plant(_any_order, ("merge order",), profile="apart"),
    "no boundaries": Plant(_no_boundary, ("boundaries",), profile=FOREIGN),
    "lands twice": Plant(_lands_twice, ("nothing doubled",)),
}
NAMES = tuple(PLANTS)
SHORT = ("everyone may", "no sync", "no salvage ref", "resets the checkout")
"""Plants of the short form, one for each of the oldest rules."""


def main() -> None:
    """Run the command line with a bug."""
    name = sys.argv[1]
    PLANTS[name].install()
    sys.argv = ["pucs", *sys.argv[2:]]
    _room("cli").main()


if __name__ == "__main__":
    main()
