"""What agents say in the log: for which stream, with which details, and within which limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from pucs.coordinator.context import Context
from pucs.coordinator.log import DETAILS_LENGTH_MAX, FILES_MAX, entries, log
from pucs.core.errors import NotFound, Usage
from pucs.crosslog.records import Query
from pucs.streams.records import Session, SessionState, Stream, StreamRow
from pucs.streams.settings import Configuration
from pucs.testing.fakes import FakeBells, FakeClock, FakeProcesses

if TYPE_CHECKING:
    from pucs.coordinator.ports import Git
    from tests.conftest import Kept


@pytest.fixture
def context(kept: Kept) -> Context:
    clock = FakeClock()
    made = Context(
        store=kept(clock),
        clock=clock,
        processes=FakeProcesses(),
        bells=FakeBells(),
        git=cast("Git", None),
        door="test",
    )
    shop = Stream(name="Shop", files_pattern=("shop/**",))
    with made.store.transaction() as tx:
        tx.sessions.put(
            Session(id="S", state=SessionState.ACTIVE, base="b", target="main", branch="s", started_at="now")
        )
        tx.sessions.put_configuration(Configuration(streams=(shop,)))
        tx.sessions.put_stream(StreamRow(session="S", stream=shop, branch="b/shop"))
    return made


def test_an_entry_can_be_said_for_a_stream_by_whatever_case(context: Context) -> None:
    """It stands under the stream as the configuration spells it, and its number is the answer; nothing is claimed."""
    number = log(context, agent="ada", action="looked", stream="shop")
    [found] = entries(context, Query(after_seq=number - 1))
    assert (found.seq, found.stream, found.agent) == (number, "Shop", "ada")
    with context.store.read() as tx:
        ada = tx.agents.get("ada")
    assert ada is not None
    assert ada.stream == ""
    with pytest.raises(NotFound, match="Shop"):
        log(context, agent="ada", action="looked", stream="shoppe")


def test_details_may_be_named_like_the_fields_of_an_entry(context: Context) -> None:
    """Whatever an agent calls its facts, they neither clash with the entry's own nor take the place of the door."""
    said = {"agent": "bob", "files": 3, "level": "loud", "action": "none", "door": "back"}
    number = log(context, agent="ada", action="looked", details=said)
    [found] = entries(context, Query(after_seq=number - 1))
    assert found.details == {**said, "door": "test"}
    assert found.agent == "ada"


def test_details_are_plain_and_short(context: Context) -> None:
    """A log that everybody reads takes neither objects nor books, and says where to put them."""
    log(context, agent="ada", action="wrote", details={"t": "x" * (DETAILS_LENGTH_MAX - 9)})
    with pytest.raises(Usage, match="put the rest into a file"):
        log(context, agent="ada", action="wrote", details={"t": "x" * DETAILS_LENGTH_MAX})
    with pytest.raises(Usage, match="no JSON"):
        log(context, agent="ada", action="wrote", details={"path": Path("shop")})
    with pytest.raises(Usage, match="directory"):
        log(context, agent="ada", action="wrote", files=[f"f{n}" for n in range(FILES_MAX + 1)])
    assert [entry.action for entry in entries(context, Query())].count("wrote") == 1
