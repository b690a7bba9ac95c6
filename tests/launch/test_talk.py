"""The talk with a program: lines both ways beside the keeper, bounded, and never in anybody's way."""

import json
import os
import select
import stat
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pucs.agents.output import Broke, ProgramEvent, Said, TurnEnded
from pucs.launch import talk as talking
from pucs.launch.agents import Command, Ending, Keeper
from pucs.launch.talk import Talk
from pucs.launch.transcript import Transcript
from tests.launch.conftest import Line, is_gone

pytestmark = pytest.mark.process
Order = Callable[..., Command]


class Plain:
    """A conversation of bare lines: ``end`` ends the turn, ``broke`` breaks it, all else is said."""

    id = "plain"
    enforced = True

    def __init__(self, *lines: str) -> None:
        """Say these lines first."""
        self._lines = list(lines)

    def receive(self, line: bytes) -> Sequence[ProgramEvent]:
        """Take a line."""
        text = line.decode("utf-8", "replace")
        if text == "end":
            return [TurnEnded()]
        return [Broke("it said so")] if text == "broke" else [Said(text)]

    def outgoing(self) -> bytes:
        """Give what is to be said."""
        said = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        return said.encode()

    def tell(self, text: str) -> None:
        """Say something more."""
        self._lines.append(text)

    def interrupt(self) -> None:
        """Ask it to stop."""
        self._lines.append("interrupt")


class Heard:
    """A talk and what came of it."""

    def __init__(self, directory: Path, *lines: str, bytes_max: int = 1_000_000) -> None:
        """Begin with these lines."""
        self.log = directory / "talk.log"
        self.wire = directory / "talk.jsonl"
        self.conversation = Plain(*lines)
        self.events: list[ProgramEvent] = []
        self.transcript = Transcript(str(self.log), str(self.wire), bytes_max)
        self.talk = Talk(self.conversation, self.transcript, self.events.append)

    @property
    def said(self) -> list[str]:
        """What the program said."""
        return [event.text for event in self.events if isinstance(event, Said)]


def test_words_go_both_ways_and_the_end_of_the_turn_ends_the_program(
    keeper: Keeper, order: Order, tmp_path: Path
) -> None:
    """What is to be said comes in by standard input, which ends with the turn; standard error goes to the output."""
    heard = Heard(tmp_path, "hello", "again")
    script = "read a; read b; echo $b $a; echo aside >&2; echo end; read c || echo no more"
    outcome = keeper.run(order(script), talk=heard.talk)
    assert outcome.succeeded
    assert heard.said == ["again hello", "no more"]
    assert outcome.tail == (tmp_path / "output").read_text() == "aside\n"
    assert heard.wire.read_text() == "again hello\nend\nno more\n"
    assert "  again hello\n" in heard.log.read_text()
    assert heard.talk.over


def test_more_can_be_said_before_the_turn_ends(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """Words that come while it works keep its input open for another turn."""
    heard = Heard(tmp_path, "one")

    def hear(event: ProgramEvent) -> None:
        heard.events.append(event)
        if event == Said("one"):
            heard.conversation.tell("two")

    talk = Talk(heard.conversation, heard.transcript, hear)
    assert keeper.run(order("while read x; do echo $x; echo end; done"), talk=talk).succeeded
    assert [event for event in heard.events if event != TurnEnded()] == [Said("one"), Said("two")]


def test_pipes_are_private_and_gone_once_the_program_has_them(
    keeper: Keeper, order: Order, tmp_path: Path, line: Line
) -> None:
    """Nobody else can speak to an agent: the pipes are the user's own, and have no name for longer than a moment."""
    heard = Heard(tmp_path, "go")
    names = heard.talk.open(str(tmp_path / "look"))
    assert all(stat.S_IMODE(Path(name).stat().st_mode) == 0o600 for name in names)
    assert select.POLLOUT not in heard.talk.wanted().values(), "nothing is said as long as they have names"
    heard.talk.begun()
    assert select.POLLOUT in heard.talk.wanted().values()
    heard.talk.close()
    heard = Heard(tmp_path, "go")
    keeper.run(order("read x; ls $(dirname $LINE); echo end"), talk=heard.talk)
    assert not [name for name in heard.said if name.endswith((".in", ".out"))]
    assert not list(tmp_path.glob("*.in"))


def test_a_program_that_breaks_off_before_it_is_spoken_to_is_not_waited_for(tmp_path: Path) -> None:
    """It may say so before it has heard a word: its input ends, and what was about to be said is left."""
    heard = Heard(tmp_path, "hello")
    names = heard.talk.open(str(tmp_path / "early"))
    hears, says = (
        os.open(name, way | os.O_NONBLOCK)
        for name, way in zip(names, (os.O_RDONLY, os.O_WRONLY), strict=True)
    )
    os.write(says, b"broke\n")
    for descriptor in heard.talk.wanted():
        heard.talk.attend(descriptor)
    heard.talk.begun()
    assert select.POLLOUT not in heard.talk.wanted().values()
    assert os.read(hears, 100) == b"", "its input has ended"
    assert heard.talk.over
    heard.talk.close()
    for descriptor in (hears, says):
        os.close(descriptor)


def test_a_program_that_lingers_after_its_turn_is_stopped(
    keeper: Keeper, order: Order, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that does not end when its input does costs a few seconds, not the whole time of its task."""
    monkeypatch.setattr(talking, "LEAVE_S", 0.05)
    never = line.beside("never")
    heard = Heard(tmp_path, "go")
    outcome = keeper.run(
        order(f"read -r go; echo $$ > $LINE; echo end; cat {never}"), wait_s=0.02, talk=heard.talk
    )
    assert outcome.ending is Ending.STOPPED
    assert is_gone(int(line.next()))


def test_flood_of_words_stays_within_its_bounds(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """A hundred megabytes without a line's end are left out and told, and the talk goes on behind them."""
    heard = Heard(tmp_path, bytes_max=1000)
    script = "head -c 100M /dev/zero; echo; for i in 1 2 3; do echo $i; done; echo end"
    outcome = keeper.run(order(script), talk=heard.talk)
    assert outcome.succeeded
    assert heard.said == ["1", "2", "3"]
    assert "a line of more than 16777216 bytes was left out" in heard.log.read_text()
    assert heard.wire.stat().st_size < 1000


def test_wire_record_is_capped(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """Many lines cost no more disk than configured, and all of them are understood."""
    heard = Heard(tmp_path, bytes_max=1000)
    assert keeper.run(order("seq 1 20000; echo end"), talk=heard.talk).succeeded
    assert len(heard.said) == 20000
    assert heard.wire.stat().st_size == heard.log.stat().st_size == 1000


def test_deaf_program_does_not_hold_up_its_supervisor(
    keeper: Keeper, order: Order, tmp_path: Path, line: Line
) -> None:
    """Words that a program never reads wait in its pipe; heartbeats go on, and it can be stopped."""
    never = line.beside("never")
    heard = Heard(tmp_path, "x" * 1_000_000)
    beats: list[int] = []

    def beat() -> None:
        beats.append(1)
        if len(beats) == 3:
            keeper.stop(grace_s=0)

    outcome = keeper.run(order(f"cat {never}"), on_wait=beat, wait_s=0.01, talk=heard.talk)
    assert outcome.ending is Ending.STOPPED
    assert len(beats) >= 3


def test_place_without_pipes_is_told(keeper: Keeper, order: Order, tmp_path: Path) -> None:
    """Where no pipe can be made the program is not started, and the reason is told."""
    heard = Heard(tmp_path)
    outcome = keeper.run(order("true", output="/proc/no-such-place/x"), talk=heard.talk)
    assert (outcome.ending, "pipes" in outcome.error) == (Ending.UNSTARTED, True)


def test_talk_survives_the_death_of_the_keeper(order: Order, tmp_path: Path, line: Line) -> None:
    """A killed keeper takes its program with it, and the talk ends with what was said."""
    keeper = Keeper()
    never = line.beside("never")

    def kill() -> None:
        line.next()
        os.kill(keeper.process.pid, 9)

    killer = threading.Thread(target=kill)
    killer.start()
    heard = Heard(tmp_path)
    outcome = keeper.run(order(f"echo said; echo up > $LINE; cat {never}"), talk=heard.talk)
    killer.join()
    assert outcome.ending is Ending.LOST
    assert heard.said == ["said"]
    assert keeper.close()


def test_transcript_is_readable(tmp_path: Path) -> None:
    """The log is for people: a time, a mark and the words; the wire has what came."""
    heard = Heard(tmp_path)
    heard.transcript.event(Said("first\nsecond"))
    heard.transcript.event(Broke("gone"))
    heard.transcript.raw(json.dumps({"a": 1}).encode())
    heard.transcript.close()
    heard.transcript.note("nobody hears this any more")
    lines = heard.log.read_text().splitlines()
    assert [line[8:] for line in lines] == ["   first", "   second", " ! gone"]
    assert heard.wire.read_text() == '{"a": 1}\n'
