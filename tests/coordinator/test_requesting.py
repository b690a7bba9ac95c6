"""Asking for work outside one's boundary: tasks of the owning stream, waivers, and hostile input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from pucs.conflicts.records import Kind
from pucs.conflicts.requests import WaiverState
from pucs.coordinator import requesting, tasks
from pucs.coordinator.agents import register, retire
from pucs.coordinator.conflicts import record
from pucs.coordinator.context import Context, unit
from pucs.coordinator.leases import acquire
from pucs.coordinator.requesting import approve, let_in, refuse, request, requests
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Query
from pucs.messages.records import COORDINATOR, MessageKind
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration, Limits
from pucs.tasks.records import Task, TaskState
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from tests.conftest import Kept


STREAMS = (
    Stream(name="shop", files_pattern=("shop/**",)),
    Stream(name="till", files_pattern=("till/**",)),
    Stream(name="lib", files_pattern=("lib/**",)),
)


class World:
    """A session with three streams, and ann who works for shop."""

    def __init__(self, kept: Kept) -> None:
        self.clock = FakeClock()
        self.context = Context(
            store=kept(self.clock),
            clock=self.clock,
            processes=FakeProcesses(),
            bells=FakeBells(),
            git=cast("Any", None),
            door="test",
        )
        with self.context.store.transaction() as tx:
            tx.sessions.put(
                Session(
                    id="S", state=SessionState.ACTIVE, base="b" * 40, target="", branch="s", started_at=""
                )
            )
            tx.sessions.put_configuration(
                Configuration(
                    streams=STREAMS, generated=("lib/made.py",), limits=Limits(max_duration_s=1000.0)
                )
            )
            for stream in STREAMS:
                tx.sessions.put_stream(StreamRow(session="S", stream=stream, branch=f"b/{stream.name}"))
        register(self.context, agent="ann", stream="shop")

    def ask(self, *files: str, **more: Any) -> requesting.Requested:
        """Ask as ann unless told otherwise."""
        return request(self.context, files=files, **{"agent": "ann", "reason": "it is needed"} | more)

    def inbox(self, name: str) -> list[Any]:
        """Return the open messages of somebody."""
        with self.context.store.read() as tx:
            return tx.messages.open(name, "S")

    def log(self) -> list[str]:
        """Return what the entries say was done."""
        with self.context.store.read() as tx:
            return [entry.action for entry in tx.entries.select(Query())]

    def may(self, agent: str, path: str) -> bool:
        """Tell whether an agent is granted a path."""
        return acquire(self.context, agent=agent, resources=(path,)).granted


@pytest.fixture
def world(kept: Kept) -> World:
    return World(kept)


def test_a_request_becomes_a_task_of_the_owning_stream(world: World) -> None:
    """One for each stream, with the files, who asked and why; the stream's agents are told."""
    register(world.context, agent="tim", stream="till")
    register(world.context, agent="lea", stream="lib")
    made = world.ask("till/a.py", "lib/b.py", "till/c.py", reason="feat: round to cents\nas the law says")
    assert [(task.id, task.stream, task.files) for task in made.tasks] == [
        ("request-1", "till", ("till/a.py", "till/c.py")),
        ("request-2", "lib", ("lib/b.py",)),
    ]
    first = made.tasks[0]
    assert (first.requested_by, first.title, first.state) == (
        "ann",
        "feat: round to cents",
        TaskState.PENDING,
    )
    assert 'ann: "feat: round to cents as the law says"' in first.prompt
    (told,) = [one for one in world.inbox("tim") if one.kind is MessageKind.TASK_ASSIGNED]
    assert "request-1" in told.text
    assert "round to cents" not in told.text  # an agent's words travel as a quotation in the task alone
    assert "work requested" in world.log()
    taken = tasks.take(world.context, agent="tim")
    assert taken is not None
    assert taken.id == "request-1"


def test_asking_twice_is_asking_once(world: World) -> None:
    """A retry makes no second task and no second waiver; other words are another request."""
    assert world.ask("till/a.py").tasks == world.ask("till/a.py").tasks
    assert world.ask("till/a.py", reason="something else").tasks[0].id == "request-2"
    assert world.ask("till/a.py", waive=True).waivers == world.ask("till/a.py", waive=True).waivers


def test_ids_go_on_behind_those_there_are(world: World) -> None:
    """Tasks of a file may be called anything."""
    with world.context.store.transaction() as tx:
        for name in ("request-7", "request-x", "12"):
            tx.tasks.put(Task(id=name, title="t", stream="shop", session="S", position=3))
    task = world.ask("till/a.py").tasks[0]
    assert (task.id, task.position) == ("request-8", 4)


def test_what_nobody_else_covers_needs_no_request(world: World) -> None:
    """Own files, shared files, generated files and named resources are free, and said to be."""
    made = world.ask("shop/a.py", "README.md", "lib/made.py", "res:db", "lib/b.py")
    assert made.free == ("shop/a.py", "README.md", "lib/made.py", "res:db")
    assert [task.stream for task in made.tasks] == ["lib"]


def test_whoever_runs_the_session_may_ask_too(world: World) -> None:
    """Without an agent the stream that covers the file is asked, and only files of none are free."""
    made = request(world.context, files=["shop/a.py", "res:db", "x.md"], reason="please\x1b[2J now")
    (task,) = made.tasks
    assert (task.stream, task.requested_by, made.free) == ("shop", "operator", ("res:db", "x.md"))
    assert "\x1b" not in task.prompt + task.title
    assert world.ask("shop/b.py", reason="\x1b\x1b").tasks == ()
    assert (
        request(world.context, files=["shop/b.py"], reason="\x1b \x07").tasks[0].title.startswith("chore: ")
    )


def test_a_long_reason_makes_a_short_title(world: World) -> None:
    """The title becomes the first line of a commit; the whole is in the prompt."""
    (task,) = world.ask("lib/b.py", reason="word " * 100).tasks
    assert len(task.title) == requesting.TITLE_CHARACTERS_MAX
    assert task.reason == ("word " * 100).strip()


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ((), {}, "No file"),
        (("lib/b.py",) * 101, {}, "too many"),
        (("lib/b.py",), {"reason": " \n"}, "needs a reason"),
        (("lib/b.py",), {"reason": "x" * 2001}, "too long"),
        (("lib/b.py",), {"agent": "", "waive": True}, "for an agent"),
        (("lib/b.py",), {"agent": "", "waive": True, "whole_stream": True}, "for an agent"),
    ],
)
def test_wrong_requests_are_named(world: World, files: tuple[str, ...], more: Any, said: str) -> None:
    """Nothing is recorded."""
    with pytest.raises(Usage, match=said):
        world.ask(*files, **more)
    assert requests(world.context) == requesting.Requests(tasks=(), waivers=())


def test_an_agent_that_has_ended_asks_no_more(world: World) -> None:
    """It is told to register again."""
    retire(world.context, agent="ann")
    with pytest.raises(Refused, match="has ended"):
        world.ask("lib/b.py")


def test_requests_are_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond what anybody reads a request is refused, for tasks and for waivers."""
    monkeypatch.setattr(requesting, "OPEN_MAX", 2)
    for number in range(2):
        world.ask(f"lib/{number}.py")
        world.ask(f"lib/{number}.py", waive=True)
    for waive in (False, True):
        with pytest.raises(Refused, match="open already"):
            world.ask("lib/3.py", waive=waive)


def test_an_approved_waiver_opens_the_boundary_for_a_while(world: World) -> None:
    """For the agent and the file it names, from the approval until it is over; every step has its entry."""
    (waiver,) = world.ask("lib/b.py", waive=True).waivers
    assert (waiver.state, waiver.covered_by, waiver.asked_by) == (WaiverState.ASKED, "lib", "ann")
    (asked,) = [one for one in world.inbox(COORDINATOR) if one.kind is MessageKind.REQUEST_HELP]
    assert (asked.sender, asked.details["waiver"]) == ("ann", waiver.id)
    assert not world.may("ann", "lib/b.py")
    approved = approve(world.context, waiver=waiver.id, by="lead", duration_s=60)
    assert (approved.decided_by, approved.expires_at) == ("lead", world.clock.now().wall(60))
    assert any("You may change lib/b.py" in one.text for one in world.inbox("ann"))
    assert world.may("ann", "lib/b.py")
    assert not world.may("ann", "lib/c.py")
    register(world.context, agent="bob", stream="shop")
    assert not world.may("bob", "lib/d.py")
    world.clock.pass_s(60)
    assert not world.may("ann", "lib/b.py")
    assert [one for one in world.log() if "waiver" in one] == ["waiver asked", "waiver approved"]


def test_a_waiver_for_a_stream_is_for_all_its_agents(world: World) -> None:
    """Also for those that come later; it lasts as long as the longest lease unless said otherwise."""
    (waiver,) = world.ask("lib/", waive=True, whole_stream=True).waivers
    assert (waiver.agent, waiver.stream) == ("", "shop")
    approved = approve(world.context, waiver=waiver.id)
    assert (approved.decided_by, approved.expires_at) == ("operator", world.clock.now().wall(1000))
    register(world.context, agent="bob", stream="shop")
    register(world.context, agent="tim", stream="till")
    assert world.may("bob", "lib/b.py")
    assert not world.may("tim", "lib/c.py")
    with world.context.store.read() as tx:
        assert let_in(tx, "S", "SHOP", "lib/b.py")
        assert let_in(tx, "S", "till", "lib/b.py") is None


def test_a_waiver_is_for_whole_files(world: World) -> None:
    """Boundaries are drawn around files, so one for a function is one for its file, and lets functions be leased."""
    (waiver,) = world.ask("lib/b.py::f", "lib/b.py::g", waive=True).waivers
    assert waiver.resource == "lib/b.py"
    approve(world.context, waiver=waiver.id)
    with world.context.store.read() as tx:
        assert requesting.waived(tx, "S", "ann", "lib/b.py::f", world.clock.now())
        assert not requesting.waived(tx, "S", "bob", "lib/b.py::f", world.clock.now())
    assert world.ask("lib/b.py::f").tasks[0].files == ("lib/b.py::f",)


def test_a_refused_waiver_stays_refused(world: World) -> None:
    """The agent is told why as a quotation; approving it afterwards is refused with who refused it."""
    (waiver,) = world.ask("lib/b.py", waive=True).waivers
    refused = refuse(world.context, waiver=waiver.id, by="lead", reason="ask\nlea")
    assert refuse(world.context, waiver=waiver.id) == refused
    assert any('lead: "ask lea"' in one.text for one in world.inbox("ann"))
    with pytest.raises(Refused, match="refused by lead"):
        approve(world.context, waiver=waiver.id)
    assert not world.may("ann", "lib/b.py")


def test_an_approved_waiver_can_be_ended_and_renewed(world: World) -> None:
    """Ending lets nothing new pass; approving twice changes nothing while it lasts."""
    (waiver,) = world.ask("lib/", waive=True).waivers
    approved = approve(world.context, waiver=waiver.id)
    assert approve(world.context, waiver=waiver.id, by="other") == approved
    ended = refuse(world.context, waiver=waiver.id)
    assert refuse(world.context, waiver=waiver.id) == ended
    assert not world.may("ann", "lib/b.py")
    world.clock.pass_s(5)
    again = approve(world.context, waiver=waiver.id)
    assert again.decided_at == approved.decided_at
    assert world.may("ann", "lib/b.py")


def test_an_unknown_waiver_is_not_found(world: World) -> None:
    """So is one of another session; and a length that cannot be meant is wrong use."""
    for verb in (approve, refuse):
        with pytest.raises(NotFound):
            verb(world.context, waiver=99)
    (waiver,) = world.ask("lib/b.py", waive=True).waivers
    for wrong in (0.0, -1.0, requesting.WAIVER_S_MAX + 1):
        with pytest.raises(Usage, match="waiver lasts"):
            approve(world.context, waiver=waiver.id, duration_s=wrong)


def test_names_and_reasons_are_bounded(world: World) -> None:
    """They reach the log and other agents: a name is one short line, a reason no book."""
    (waiver,) = world.ask("lib/b.py", waive=True).waivers
    for wrong in ("x" * 65, "a\nb"):
        for verb in (approve, refuse):
            with pytest.raises(Usage, match="name of whoever"):
                verb(world.context, waiver=waiver.id, by=wrong)
    with pytest.raises(Usage, match="too long"):
        refuse(world.context, waiver=waiver.id, reason="x" * 2001)


def test_many_long_names_still_fit_a_message(world: World) -> None:
    """The stream's agents are told of some; the task has all."""
    register(world.context, agent="lea", stream="lib")
    files = [f"lib/{'x' * 4000}{number}.py" for number in range(100)]
    (task,) = world.ask(*files).tasks
    assert task.files == tuple(files)
    assert any("and 95 more" in one.text for one in world.inbox("lea"))


def test_doing_what_was_asked_for_closes_the_conflict(world: World) -> None:
    """The boundary conflict that led to the request is resolved by the task that was made of it."""
    with unit(world.context) as opened:
        number = record(opened, Kind.BOUNDARY, ("ann", "shop", "lib"), ("lib/b.py",))
    world.ask("lib/b.py")
    register(world.context, agent="lea", stream="lib")
    assert tasks.take(world.context, agent="lea") is not None
    tasks.finish(world.context, agent="lea", task="request-1")
    with world.context.store.read() as tx:
        found = tx.conflicts.get(number)
    assert found is not None
    assert (found.decision, found.decided_by) == ("stream lib did it as task request-1", "lea")


def test_a_request_is_linked_with_the_conflict_that_led_to_it(world: World) -> None:
    """The newest open boundary conflict of this agent about these files; another's is none."""
    with unit(world.context) as opened:
        record(opened, Kind.BOUNDARY, ("bob", "shop", "lib"), ("lib/b.py",))
        number = record(opened, Kind.BOUNDARY, ("ann", "shop", "lib"), ("lib/b.py",))
        record(opened, Kind.FILE_LOCK, ("ann",), ("lib/b.py",))
    assert world.ask("lib/b.py").tasks[0].conflict == number
    assert world.ask("lib/b.py", waive=True).waivers[0].conflict == number
    assert world.ask("lib/c.py").tasks[0].conflict == 0


def test_requests_are_listed(world: World) -> None:
    """Tasks that somebody asked for and waivers, not what was planned; nothing without a session."""
    with world.context.store.transaction() as tx:
        tx.tasks.put(Task(id="planned", title="t", stream="shop", session="S"))
    world.ask("lib/b.py")
    world.ask("lib/b.py", waive=True)
    found = requests(world.context)
    assert ([task.id for task in found.tasks], len(found.waivers)) == (["request-1"], 1)
