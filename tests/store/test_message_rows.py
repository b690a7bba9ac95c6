"""Messages, hand-offs and paused requests as they are kept, on every store there is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pucs.agents.records import Agent, Halt
from pucs.core.modes import Mode
from pucs.core.processes import Process
from pucs.locks.records import Lease, LeaseState, Request
from pucs.messages.handoffs import Contents, HandOff, HandOffState
from pucs.messages.records import Ending, Message, MessageKind

if TYPE_CHECKING:
    from pucs.coordinator.ports import Store

OWNER = Process("a host", "boot", 4_026_531_836, 17, 99)
MESSAGE = Message(
    session="S",
    kind=MessageKind.CONFLICT_ALERT,
    sender="pucs",
    to="bob",
    text="a\nb \N{SNOWMAN}",
    details={"files": ["a.py"], "n": 1},
    conflict=7,
    about="wait",
    boot_id="boot",
    expires_s=99.5,
    sent_at="then",
)
HANDOFF = HandOff(
    session="S",
    giver="ann",
    to=("bob", "cyd"),
    stream="shop",
    task="t1",
    signal="BLOCKED_ON_db",
    contents=Contents(completed=("a",), locked_files=("x.py", "d/"), notes="n", extra={"k": [1, None]}),
    given_at="then",
)


def test_a_message_comes_back_as_it_was_and_changes_by_delivery_and_end_alone(store: Store) -> None:
    """Every field is kept; the first ending stays."""
    with store.transaction() as tx:
        number = tx.messages.add(MESSAGE)
        assert tx.messages.get(number) == replace(MESSAGE, id=number)
        assert tx.messages.get(number + 1) is None
        given = replace(
            MESSAGE, id=number, boot_id="b2", expires_s=5.0, delivered_s=1.5, delivered_at="now", deliveries=3
        )
        tx.messages.replace(given)
        assert tx.messages.open("bob", "S") == [given]
        tx.messages.end([number], Ending.EXPIRED, "later")
        tx.messages.end([number, 99], Ending.ACKNOWLEDGED, "latest")
        assert tx.messages.get(number) == replace(given, ending=Ending.EXPIRED, ended_at="later")


def test_open_messages_are_found_by_receiver_and_session(store: Store) -> None:
    """Oldest first; others', ended ones and those of another session are not among them."""
    with store.transaction() as tx:
        first = tx.messages.add(MESSAGE)
        tx.messages.add(replace(MESSAGE, to="ann"))
        tx.messages.add(replace(MESSAGE, session="T"))
        ended = tx.messages.add(replace(MESSAGE, ending=Ending.DISPLACED, ended_at="x"))
        last = tx.messages.add(MESSAGE)
    with store.read() as tx:
        assert [one.id for one in tx.messages.open("bob", "S")] == [first, last]
        assert [tx.messages.waiting(name, "S") for name in ("bob", "ann", "cyd")] == [True, True, False]
        assert [one.id for one in tx.messages.all("S", recipient="bob")] == [first, ended, last]
        assert [one.id for one in tx.messages.all("S", limit=2)] == [ended, last]


def test_old_ended_messages_go_and_open_ones_stay(store: Store) -> None:
    """History is bounded; what nobody has read is no history."""
    with store.transaction() as tx:
        waiting = tx.messages.add(MESSAGE)
        ended = [tx.messages.add(replace(MESSAGE, ending=Ending.EXPIRED, ended_at="x")) for _ in range(5)]
        assert tx.messages.count("bob", "S") == 1
        assert tx.messages.prune(5) == 0
        assert tx.messages.prune(2) == 3
        assert [one.id for one in tx.messages.all("S")] == [waiting, *ended[3:]]


def test_hand_offs_are_rows_of_their_own(store: Store) -> None:
    """Two of the same giver stand beside each other; only who accepted and the state change."""
    with store.transaction() as tx:
        first, second = tx.handoffs.add(HANDOFF), tx.handoffs.add(replace(HANDOFF, transfer=False))
        assert tx.handoffs.get(first) == replace(HANDOFF, id=first)
        assert tx.handoffs.get(9) is None
        done = replace(
            HANDOFF,
            id=first,
            state=HandOffState.ACCEPTED,
            accepted_by=("bob",),
            taken_by="bob",
            closed_at="now",
        )
        tx.handoffs.put(done)
        assert tx.handoffs.all("S") == [done, replace(HANDOFF, id=second, transfer=False)]
        assert [one.id for one in tx.handoffs.all("S", pending=True)] == [second]
        assert tx.handoffs.all("T") == []


def test_what_is_promised_is_what_open_transfers_name(store: Store) -> None:
    """Not what was taken, closed, or only told."""
    with store.transaction() as tx:
        tx.handoffs.add(HANDOFF)
        for change in (
            {"taken_by": "bob"},
            {"state": HandOffState.CLOSED},
            {"transfer": False},
            {"giver": "eve"},
        ):
            more = replace(HANDOFF.contents, locked_files=("other.py",))
            tx.handoffs.add(replace(HANDOFF, contents=more, **change))
        assert tx.handoffs.promised("ann") == {"x.py", "d/"}
        assert tx.handoffs.promised("bob") == frozenset()


def test_an_agent_keeps_who_halted_it(store: Store) -> None:
    """Halt, by whom and why."""
    agent = Agent(
        id="ann", session="S", incarnation=1, halt=Halt.PAUSED, halted_by="eve", halted_because="why"
    )
    with store.transaction() as tx:
        tx.agents.put(agent)
        assert tx.agents.get("ann") == agent
        tx.agents.put(replace(agent, halt=Halt.NONE, halted_by="", halted_because=""))
        assert tx.agents.all("S")[0].halt is Halt.NONE


def test_requests_of_a_paused_agent_are_left_out_until_it_is_resumed(store: Store) -> None:
    """They are still in the queue, with their number, and come back in order."""
    requests = [
        Request(
            id=number,
            agent=agent,
            stream="",
            task="",
            session="S",
            resources=(("a.py", Mode.EXCLUSIVE),),
            duration_s=1.0,
            boot_id="boot",
            asked_s=0.0,
            deadline_s=9.0,
            waiter=None,
        )
        for number, agent in ((1, "ann"), (2, "bob"), (3, "ann"))
    ]
    with store.transaction() as tx:
        for request in requests:
            tx.requests.add(request)
        assert [one.id for one in tx.requests.pause("ann", paused=True)] == [1, 3]
        assert [one.id for one in tx.requests.overlapping(["a.py"])] == [2]
        assert [one.id for one in tx.requests.waiting()] == [1, 2, 3]
        assert tx.requests.get(1) is not None
        tx.requests.pause("ann", paused=False)
        assert [one.id for one in tx.requests.overlapping(["a.py"])] == [1, 2, 3]
        assert tx.requests.pause("zoe", paused=True) == []


def test_a_lease_can_be_parted_from_its_owner(store: Store) -> None:
    """It ends by time only from then on; nothing else of it changes."""
    lease = Lease(
        token=1,
        resource="a.py",
        mode=Mode.EXCLUSIVE,
        agent="ann",
        stream="",
        task="",
        session="S",
        state=LeaseState.HELD,
        request=0,
        boot_id="boot",
        granted_s=1.0,
        expires_s=2.0,
        limit_s=3.0,
        claim_by_s=None,
        granted_at="",
        expires_at="",
        noted="",
        landing=None,
        owner=OWNER,
    )
    with store.transaction() as tx:
        tx.leases.add(lease)
        tx.leases.add(replace(lease, token=2, resource="b.py"))
        tx.leases.disown([1])
        assert tx.leases.live() == [replace(lease, owner=None), replace(lease, token=2, resource="b.py")]
