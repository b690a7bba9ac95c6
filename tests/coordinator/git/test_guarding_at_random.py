"""Whatever two agents try in whatever order, every edit that was allowed was under a lease of its agent at that moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pucs.agents.calls import Call, Edit, Moment
from pucs.coordinator import credentials, landing, leases, pausing, turns
from pucs.coordinator.guarding import guard
from pucs.core.modes import Mode
from pucs.core.resources import file_resource, is_symbol, symbol_name
from pucs.locks.records import Lease, LeaseState
from pucs.locks.rules import conflicting, covering, expired
from pucs.syntax.changes import changed_symbols, outside

pytestmark = pytest.mark.git

NAMES = ("a1", "a2", "person")
PATHS = ("core/a.py", "core/b.py", "core/link.py")
SOURCE = "import os\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n"
CHANGES = (
    lambda text: text.replace("return 1", "return 1 + 1"),
    lambda text: text.replace("return 2", "return 2 + 2"),
    lambda text: text + "\n\ndef three():\n    return 3\n",
    lambda _text: "def broken(:\n",
    lambda _text: SOURCE,
)
EDITS = st.tuples(
    st.just("edit"), st.sampled_from(NAMES), st.sampled_from(PATHS), st.integers(0, len(CHANGES) - 1)
)
LOCKS = st.tuples(
    st.just("lock"),
    st.sampled_from(NAMES),
    st.sampled_from(["core/a.py::one", "core/a.py::two", "core/b.py", "core/"]),
    st.sampled_from([Mode.EXCLUSIVE, Mode.EXCLUSIVE, Mode.SHARED_READ]),
)
OTHERS = st.one_of(
    st.tuples(st.just("release"), st.sampled_from(NAMES)),
    st.tuples(st.just("land"), st.sampled_from(NAMES)),
    st.tuples(st.just("pass"), st.sampled_from([5.0, 2000.0, 7300.0])),
    st.tuples(st.just("pause"), st.sampled_from(NAMES)),
    st.tuples(st.just("shell"), st.sampled_from(NAMES), st.sampled_from(PATHS)),
)
PARTS = st.tuples(
    st.just("part"),
    st.sampled_from(NAMES),
    st.sampled_from(["core/a.py::one", "core/a.py::two"]),
    st.integers(0, len(CHANGES) - 1),
)
STEPS = st.one_of(EDITS, EDITS, PARTS, LOCKS, OTHERS)


class Agents:
    """Two launched agents and a person's, each in its own checkout."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.context = world.context
        for at, name in enumerate(NAMES[:2]):
            world.agent(name, pid=50 + at)
            credentials.remember(world.context, agent=name, secret=name)
        self.places = {**world.places, "person": world.root}
        for place in self.places.values():
            (place / "core/link.py").symlink_to("a.py")
        self.call(Moment.START, "person")
        with self.context.store.read() as tx:
            self.ids = {name: name for name in NAMES} | {
                "person": tx.conversations.get("claude", "of-person", "S1").agent
            }

    def begin_anew(self) -> None:
        """Let nobody hold or wait for anything, and everybody have the files as they were."""
        for name, agent in self.ids.items():
            turns.leave(self.context, agent=agent)
            leases.release(self.context, agent=agent)
            (self.places[name] / "core/a.py").write_text(SOURCE)
            with self.context.store.transaction() as tx:
                tx.sights.forget(agent)

    def call(self, moment: Moment, name: str, *edits: Edit, command: str = "") -> bool:
        """Report something and tell whether it is allowed."""
        named = name if name != "person" else ""
        return guard(
            self.context,
            Call(
                moment=moment,
                program="claude",
                conversation=f"of-{name}",
                cwd=str(self.places[name]),
                agent=named,
                secret=named,
                edits=edits,
                command=command,
            ),
        ).allowed

    def edit(self, name: str, path: str, change: int) -> None:
        """Edit as a program does; an allowed edit must be under a lease."""
        target: Path = self.places[name] / path
        before = target.read_text() if target.exists() else ""
        after = CHANGES[change](before)
        edit = Edit(path=path, content=after.encode())
        if not self.call(Moment.BEFORE, name, edit) or after == before:
            return  # what changes nothing needs no lease
        # What was parked out of a worktree is gone there, the link too: then its name is that of a new file.
        for resource in {path, "core/a.py" if target.is_symlink() else path}:
            self.check(name, resource, before.encode(), after.encode())
        target.write_text(after)
        self.call(Moment.AFTER, name, edit)

    def check(self, name: str, path: str, before: bytes, after: bytes) -> None:
        """See that the agent's live leases cover an edit, and that nobody else holds any of it."""
        live = self.live()
        own = [lease for lease in live if lease.agent == self.ids[name]]
        if covering(path, own) is None:
            parts = [
                symbol_name(lease.resource)
                for lease in own
                if lease.mode is Mode.EXCLUSIVE
                and is_symbol(lease.resource)
                and file_resource(lease.resource) == path
            ]
            assert parts, (name, path, own)
            assert not outside(changed_symbols(before, after), parts), (name, path, parts)
        for lease in own:
            for other in live:
                mine = lease.agent == other.agent
                assert mine or not conflicting(lease.resource, lease.mode, other.resource, other.mode)

    def live(self) -> list[Lease]:
        """Return the leases that hold something now."""
        now = self.world.clock.now()
        with self.context.store.read() as tx:
            found = tx.leases.live()
        return [
            one for one in found if one.state is LeaseState.HELD and not expired(one, now.boot_id, now.boot_s)
        ]

    def do(self, step: tuple[Any, ...]) -> None:
        """Take one step."""
        match step:
            case ("edit", name, path, change):
                self.edit(name, path, change)
            case ("part", name, resource, change):
                self.do(("lock", name, resource, Mode.EXCLUSIVE))
                self.edit(name, "core/a.py", change)
            case ("lock", name, resource, mode):
                text = self.places[name] / "core/a.py"
                if is_symbol(resource) and f"def {symbol_name(resource)}" not in text.read_text():
                    return
                leases.acquire(self.context, agent=self.ids[name], resources=[resource], mode=mode)
            case ("release", name):
                leases.release(self.context, agent=self.ids[name])
            case ("land", name):
                landing.land(self.context, agent=self.ids[name])
            case ("pass", seconds):
                self.world.clock.pass_s(seconds)
            case ("pause", name):
                pausing.pause(self.context, agent=self.ids[name], by="ann")
                assert not self.call(Moment.BEFORE, name, Edit(path="core/a.py", content=b"x"))
                pausing.resume(self.context, agent=self.ids[name], by="ann")
            case ("shell", name, path):
                self.call(Moment.BEFORE, name, command=f"sed -i s/1/2/ {path}")


def hold(world: Any, count: int) -> None:
    """Try so many sequences, one after the other in one world."""
    found = Agents(world)

    @settings(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(st.lists(STEPS, min_size=4, max_size=12))
    def run(steps: list[tuple[Any, ...]]) -> None:
        found.begin_anew()
        for step in steps:
            found.do(step)

    run()


def test_every_allowed_edit_is_under_a_lease(make_world: Any) -> None:
    """Some sequences with each run of the tests."""
    hold(make_world({"core/a.py": SOURCE, "core/b.py": "b = 1\n"}), 8)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("kept", ["memory"], indirect=True)
def test_every_allowed_edit_is_under_a_lease_in_many_orders(make_world: Any) -> None:
    """Many more of them."""
    hold(make_world({"core/a.py": SOURCE, "core/b.py": "b = 1\n"}), 150)
