"""One launch of an agent program, from its start to the end of its process."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pucs.agents.output import Broke, ChangedFile, Said, Spent, TurnEnded, UsedTool
from pucs.agents.records import Enforcement
from pucs.coordinator import conversations, spending
from pucs.launch.agents import Ending, Outcome
from pucs.launch.talk import Talk

if TYPE_CHECKING:
    from pucs.agents.output import ProgramEvent
    from pucs.coordinator.context import Context
    from pucs.launch.agents import Command
    from pucs.launch.attempts import Attempt
    from pucs.launch.programs import Launch, Program
    from pucs.launch.transcript import Transcript
    from pucs.tasks.records import Task

CALL_IN_S = 60.0
"""Longest time until the hook of a launched program calls in: about a second, on a machine under load many."""
INTERRUPT_S = 10.0
"""Time for the end of a turn that was interrupted; then the program is stopped, which it survives as a conversation."""


class Launched:
    """One launch: hears what the program says, and carries orders out in its way."""

    def __init__(
        self, attempt: Attempt, task: Task, program: Program, launch: Launch, transcript: Transcript
    ) -> None:
        """Prepare to run what a program has made ready."""
        self.last: TurnEnded | Broke | None = None
        """How its turn ended."""
        self.spoke = False
        """Its model did something, so that there is a conversation to take up again."""
        self.refused = ""
        """Why it was stopped from here."""
        self.paused = False
        """It was interrupted for a pause."""
        self.outcome = Outcome(ending=Ending.UNSTARTED)
        """How its process ended."""
        self._attempt = attempt
        self._task = task
        self._program = program
        self._transcript = transcript
        self._talk = Talk(launch.conversation, transcript, self._heard)
        self._spent: Spent | None = None
        self._held = False
        """It asks before it edits, in this launch."""
        self._began = time.monotonic()
        self._patient_until = 0.0

    @property
    def conversation(self) -> str:
        """The program's id of its conversation."""
        return self._talk.conversation.id

    def run(self, command: Command) -> None:
        """Run the program until its turn has ended and it is gone."""
        attempt = self._attempt
        with attempt.pulse.carried_out_by(self):
            self.outcome = attempt.keeper.run(
                command,
                on_wait=self._look,
                wait_s=attempt.pulse.look_s,
                cancelled=lambda: attempt.stopping() or attempt.pulse.terminated,
                talk=self._talk,
            )
        if self._spent is not None:
            spending.spent(
                attempt.context,
                agent=attempt.agent.id,
                task=self._task.id,
                program=self._program.name,
                conversation=self.conversation,
                spent=self._spent,
            )
        if self.outcome.tail.strip():
            self._transcript.note(f"it printed: {self.outcome.tail.strip()}")

    def pause(self) -> None:
        """Interrupt the turn: a stopped process would lose its connections, a conversation loses nothing."""
        if not self._program.resumable:
            self._attempt.keeper.pause()
        elif self.last is None:
            self.paused = True
            self._patient_until = time.monotonic() + INTERRUPT_S
            self._talk.conversation.interrupt()

    def resume(self) -> None:
        """Let a stopped process go on; an interrupted program is launched again once it has ended."""
        if not self._program.resumable:
            self._attempt.keeper.resume()

    def stop(self) -> None:
        """Stop it."""
        self._attempt.keeper.stop()

    def _look(self) -> None:
        self._attempt.pulse.look()
        now = time.monotonic()
        if self.paused and self.last is None and now > self._patient_until:
            self._attempt.keeper.stop()
        if not self._attempt.pulse.paused and not self._confirmed() and now - self._began > CALL_IN_S:
            self._refuse(f"its hooks did not call in within {CALL_IN_S:g} s")

    def _heard(self, event: ProgramEvent) -> None:
        match event:
            case Said() | ChangedFile():
                self.spoke = self.spoke or self._held
            case UsedTool():
                self.spoke = True
                if not self._confirmed():
                    self._refuse("its hooks did not call in, so that nothing would have stopped its edits")
            case Spent():
                self._spent = event
            case TurnEnded(interrupted=interrupted):
                self.spoke = self.spoke or not interrupted
                self.last = event
            case Broke():
                self.last = self.last if isinstance(self.last, Broke) else event  # the first one is why

    def _confirmed(self) -> bool:
        """Tell whether the program asks before it edits; what it confirms in its own protocol is noted in the store."""
        if self._held:
            return True
        agent = self._attempt.agent.id
        if self._talk.conversation.enforced:
            conversations.enforced(self._attempt.context, agent=agent)
        self._held = called_in(self._attempt.context, agent)
        return self._held

    def _refuse(self, why: str) -> None:
        if not self.refused:
            self.refused = f"{self._program.name} was stopped: {why}"
            self._attempt.keeper.stop(grace_s=0)


def called_in(context: Context, agent: str) -> bool:
    """Tell whether an agent counts as enforced; each launch begins without that."""
    with context.store.read() as tx:
        known = tx.agents.get(agent)
    return known is not None and known.enforcement is Enforcement.ENFORCED
