"""``IntentSignal`` and its records (000 §3.4), shared with ``pucs.intent_signal`` (002 §4.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.classic.places import here
from pucs.conflicts.records import ConflictInfo
from pucs.coordinator import intents, negotiating
from pucs.coordinator.negotiating import PartitionResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pucs.classic.places import Place
    from pucs.intents.records import Contest

__all__ = ["Conflict", "IntentResult", "IntentSignal", "PartitionResult"]

Conflict = ConflictInfo
"""What stands in the way of a plan: one record that has the names of 000 and of 002."""


@dataclass(frozen=True, slots=True)
class IntentResult:
    """The answer to a plan."""

    success: bool
    """Nothing stands in its way. A plan that has conflicts is recorded too, as contested."""
    conflicts: list[ConflictInfo] = field(default_factory=list)
    """What stands in its way."""
    suggestions: list[str] = field(default_factory=list)
    """What to do about it, in sentences."""
    files: list[str] = field(default_factory=list)
    """The plan's files in canonical form, ready to be locked."""


class IntentSignal:
    """Signals what an agent is going to work on, and tells who is in the way."""

    def __init__(self, repo: str | Path = "", store: str = "", session: str = "") -> None:
        """Act in the repository that is named, else in ``PUCS_REPO``, else around the current directory.

        Raises:
            EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
        """
        self._place = here(repo, store, session)

    def signal_intent(
        self,
        agent_id: str,
        work_stream: str,
        files: Sequence[str],
        description: str,
        estimated_duration_min: float,
    ) -> IntentResult:
        """Signal an intent to work on files and check it against locks, other plans and dependencies.

        One transaction. The plan counts until it is cleared, its agent has ended, or twice the estimate has passed.

        Raises:
            Usage: no files, a path outside the repository, or an estimate that is no length of time.
            NotFound: there is no such stream.
            Refused: the stream has its agents already, the agent has ended, or no session is active.
        """
        return signal(
            self._place, agent_id, work_stream, files, description=description, minutes=estimated_duration_min
        )

    def check_conflicts(self, proposed_files: Sequence[str]) -> list[ConflictInfo]:
        """Return what would stand in the way of work on these files, for anybody; nothing is recorded."""
        found = intents.check(self._place.context, files=self._place.canonical(proposed_files))
        return told(found.conflicts)

    def negotiate_partition(self, agent_a: str, agent_b: str, shared_module: str) -> PartitionResult:
        """Propose disjoint functions and classes of a module to two agents that need it.

        Each agent's need is told from its intent, locks, task and changes so far. If the module cannot be divided, the
        later one waits, and the answer says why. Nothing changes hands before both accept: `pucs partition accept`. The
        module is a path, or a dotted name as in an import.

        Raises:
            Usage: it is no file.
            NotFound: an agent is not known in the session.
            Refused: no session is active.
        """
        file = self._place.canonical([_file_of(self._place, shared_module)])[0]
        return negotiating.negotiate(self._place.context, file=file, agents=(agent_a, agent_b))


def _file_of(place: Place, module: str) -> str:
    """Return the file of a module that is named as in an import; any other name stands for itself."""
    path = module.replace(".", "/")
    root = Path(place.context.repository.root)
    found = (name for name in (f"{path}.py", f"{path}/__init__.py") if (root / name).is_file())
    return module if "/" in module or (root / module).exists() else next(found, module)


def signal(
    place: Place, agent: str, stream: str, files: Sequence[str], *, description: str, minutes: float
) -> IntentResult:
    """Signal an intent and return the answer as the designs document it."""
    answer = intents.signal(
        place.context,
        agent=agent,
        stream=stream,
        files=place.canonical(files),
        description=description,
        estimated_duration_s=minutes * 60,
    )
    return IntentResult(answer.success, told(answer.conflicts), list(answer.suggestions), list(answer.files))


def told(contests: Iterable[Contest]) -> list[ConflictInfo]:
    """Return what stands in the way as the designs' records."""
    return [
        ConflictInfo(
            file_path=each.file_path,
            conflict_type=each.conflict_type,
            holder_agent=each.holder_agent,
            holder_stream=each.holder_stream,
            details=each.details,
            conflict=each.conflict,
        )
        for each in contests
    ]
