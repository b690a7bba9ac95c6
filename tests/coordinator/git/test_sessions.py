"""Sessions: started once, continued, and under a configuration that forgets none of their streams."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pucs.coordinator import sessions
from pucs.core.errors import NotFound, Refused, Usage
from pucs.crosslog.records import Query
from pucs.streams.records import Stream
from pucs.streams.settings import Configuration
from tests.coordinator.git.conftest import STREAMS

if TYPE_CHECKING:
    from tests.coordinator.git.conftest import World

pytestmark = pytest.mark.git

CONFIGURATION = Configuration(streams=STREAMS)


def test_a_session_is_continued_or_ended_before_the_next(world: World) -> None:
    """Starting it again is no second one; ids are used once, and without one the day's next number is taken."""
    again = sessions.start(world.context, configuration=CONFIGURATION, session="S1")
    assert (again.created, again.session.id, again.streams) == (False, "S1", ("core", "api", "docs"))
    with pytest.raises(Refused, match="Session S1 is active"):
        sessions.start(world.context, configuration=CONFIGURATION, session="S2")
    sessions.end(world.context)
    with pytest.raises(Refused, match="branch of session S1 exists"):
        sessions.start(world.context, configuration=CONFIGURATION, session="S1")
    for name in ("../x", "a b", "x.lock", "x" * 65, "-x", "a..b", "a\0b"):
        with pytest.raises(Usage, match="cannot be a session id"):
            sessions.start(world.context, configuration=CONFIGURATION, session=name)
    sessions.start(world.context, configuration=CONFIGURATION)
    assert sessions.current(world.context).id == "PUCS-20251206-001"


def test_two_that_start_at_one_moment_start_one_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second is told so, and nothing of it is left."""
    sessions.end(world.context)
    asked = world.context.repository.head

    def meanwhile() -> tuple[str, str]:
        monkeypatch.undo()
        sessions.start(world.context, configuration=CONFIGURATION, session="theirs")
        return asked()

    # Between looking for a session and writing one.
    monkeypatch.setattr(world.context.repository, "head", meanwhile)
    with pytest.raises(Refused, match="at this moment"):
        sessions.start(world.context, configuration=CONFIGURATION, session="ours")
    with world.context.store.read() as tx:
        assert tx.sessions.get("ours") is None
    assert sessions.current(world.context).id == "theirs"


def test_a_configuration_may_add_streams_and_take_none_away(world: World) -> None:
    """A new stream has its branch at once; one that is missing refuses all of it."""
    more = (*STREAMS, Stream(name="Web", files_pattern=("web/**",)))
    wider = replace(CONFIGURATION, streams=more, source="pucs.yaml")
    assert sessions.apply(world.context, configuration=wider) == ("core", "api", "docs", "Web")
    assert world.git("rev-parse", world.branch("Web")) == world.git("rev-parse", "HEAD")
    with pytest.raises(Refused, match=r"Stream Web of the running session is missing in pucs.yaml"):
        sessions.apply(world.context, configuration=replace(CONFIGURATION, source="pucs.yaml"))
    with world.context.store.read() as tx:
        assert tx.sessions.configuration() == wider
        assert [entry.action for entry in tx.entries.select(Query())][-1] == "configuration applied"


def test_which_session_is_meant_is_said(world: World) -> None:
    """The one that is named, else the active one; without any nothing can be applied."""
    with pytest.raises(NotFound, match="no session 'S7'"):
        sessions.current(replace(world.context, session="S7"))
    sessions.end(world.context)
    assert sessions.current(replace(world.context, session="S1")).ended_at
    for verb in (
        lambda: sessions.current(world.context),
        lambda: sessions.apply(world.context, configuration=CONFIGURATION),
        lambda: sessions.end(world.context),
    ):
        with pytest.raises(Refused, match="no active session"):
            verb()
