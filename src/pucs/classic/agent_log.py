"""``AgentLogger``: an agent's own words, written to the cross-log (002 §3.1; the logger that 002 builds on)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pucs.classic import looking
from pucs.classic.agent_entries import (
    UNNAMED_EVENT,
    AgentEventType,
    AgentLogEntry,
    LogCategory,
    LogLevel,
    details_in_log,
    level_in_log,
    read_back,
)
from pucs.classic.crosslog import read, say
from pucs.classic.handing import give
from pucs.classic.places import here
from pucs.coordinator import agents, sessions
from pucs.coordinator.log import ACTION_LENGTH_MAX
from pucs.core.errors import Usage
from pucs.crosslog.records import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AgentEventType",
    "AgentLogEntry",
    "AgentLogger",
    "LogCategory",
    "LogLevel",
    "create_agent_logger",
]

SHORT_HASH = 8
"""Characters of a commit in a message."""
_TEXTS_MAX = 2
"""Event type and message."""


class AgentLogger:
    """Logs what one agent does: sessions, files, tasks, git, analyses, hand-overs, audits.

    Every method returns the entry it wrote. The cross-log is the one place they are kept; ``export_jsonl`` writes
    them as lines of ``agent_activity.jsonl``.
    """

    def __init__(
        self,
        agent_id: str,
        stream_id: str | None = None,
        project_root: str | Path | None = None,
        *,
        session_id: str | None = None,
    ) -> None:
        """Act in the repository at ``project_root`` (else ``PUCS_REPO``, else around the current directory).

        ``session_id`` names the session to log in; without it that is the active one.

        Raises:
            EnvironmentFailure: not a git repository, or there is no store; the message says what to do.
            NotFound: the session that is named does not exist.
            Refused: none is active.
        """
        self._place = here(project_root or "", session=session_id or "")
        self.agent_id = agent_id
        self.stream_id = stream_id
        self.session_id = sessions.current(self._place.context).id
        self.session_start = datetime.fromtimestamp(self._place.context.clock.now().wall_s, UTC)
        self.project_root = Path(self._place.context.repository.root)
        self.tasks_completed: list[str] = []
        self.files_modified: list[str] = []
        self.git_commits: list[str] = []

    def log(
        self,
        *parts: Any,
        level: LogLevel | None = None,
        category: LogCategory | None = None,
        event_type: str = "",
        message: str = "",
        data: Mapping[str, Any] | None = None,
        files_affected: Sequence[str] = (),
        **fields: Any,
    ) -> AgentLogEntry:
        """Log an event; the parts are told by their types, so that both documented orders work.

        ``log(level, category, event_type, message, data)`` and ``log(level, message, category, data)`` mean the same
        as the keywords. Of two texts the first is the event type. ``data["stream_id"]`` says for which stream it is.

        Raises:
            Usage: a part cannot be told, or there is no message.
            NotFound: there is no such stream.
            Refused: the agent has ended, or the session is over.
        """
        told = _told(parts)
        texts = [*told.get("texts", ()), *([message] if message else [])]
        if len(texts) > _TEXTS_MAX or not texts:
            raise Usage("An entry has one message.", remedy="log(level, category, event_type, message, data)")
        event = str(event_type or told.get("event") or _event_among(texts))
        level = level or told.get("level", LogLevel.INFO)
        category = category or told.get("category", LogCategory.AGENT)
        facts = {**told.get("data", {}), **(data or {})}
        given = {key: value for key, value in fields.items() if value is not None}
        details = details_in_log(level, category, event, texts[-1], {"data": facts, **given})
        seq = say(
            self._place,
            self.agent_id,
            str(facts.get("stream_id") or self.stream_id or ""),
            level_in_log(level, event).value,
            action=texts[-1][:ACTION_LENGTH_MAX],
            files=files_affected,
            details=details,
        )
        return read_back(self._written(seq))

    def _written(self, seq: int) -> Entry:
        return next(
            entry for entry in read(self._place, agent=self.agent_id, after_seq=seq - 1) if entry.seq == seq
        )

    def _event(
        self,
        event: AgentEventType | str,
        message: str,
        data: Mapping[str, Any],
        *,
        level: LogLevel = LogLevel.INFO,
        **fields: Any,
    ) -> AgentLogEntry:
        return self.log(level=level, event_type=str(event), message=message, data=data, **fields)

    # Sessions

    def log_session_start(
        self, task: str, cwd: str | None = None, context: Mapping[str, Any] | None = None
    ) -> AgentLogEntry:
        """Log the start of the agent's work, and claim its stream if it has one.

        Raises:
            NotFound: there is no such stream.
            Refused: the stream has its agents already.
        """
        if self.stream_id:
            agents.claim_stream(self._place.context, agent=self.agent_id, stream=self.stream_id)
        data = {
            "task": task,
            "cwd": cwd or str(Path.cwd()),
            "project_root": str(self.project_root),
            "context": dict(context or {}),
        }
        return self._event(AgentEventType.SESSION_START, f"Agent {self.agent_id} started session", data)

    def log_session_end(
        self, status: str = "completed", summary: str = "", errors: Sequence[str] | None = None
    ) -> AgentLogEntry:
        """Log the end of the agent's work with all it did through this logger. Locks and the agent stay as they are."""
        begun_s, now_s = self.session_start.timestamp(), self._place.context.clock.now().wall_s
        duration_s = max(0.0, round(now_s - begun_s, 3))
        data = {
            "status": status,
            "summary": summary,
            "duration_seconds": duration_s,
            "tasks_completed": self.tasks_completed,
            "files_modified": self.files_modified,
            "git_commits": self.git_commits,
            "errors": list(errors or ()),
        }
        return self._event(
            AgentEventType.SESSION_END,
            f"Agent {self.agent_id} ended session: {status}",
            data,
            duration_ms=duration_s * 1000,
            outcome=status,
        )

    def log_session_handoff(
        self,
        to_agent: str,
        completed: Sequence[str],
        pending: Sequence[str],
        warnings: Sequence[str] | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> AgentLogEntry:
        """Hand the agent's work over to another agent and log that; locks and worktree go to it when it accepts.

        Each hand-off is a row of its own; ``data["handoff"]`` is its number, for `pucs handoff accept`. ``commits`` and
        ``branch`` of the context have their places; PUCS fills them in where they are not given.

        Raises:
            Usage: an agent cannot be named so, or there is too much of something.
            Refused: one of the two has ended.
        """
        told = {"completed": completed, "pending": pending, "warnings": warnings or ()}
        given = give(
            self._place,
            self.agent_id,
            [to_agent],
            context=context,
            transfer=True,
            files_to_review=self.files_modified,
            **told,
        )
        data = {
            "to_agent": to_agent,
            **{name: list(items) for name, items in told.items()},
            "context": dict(context or {}),
            "handoff": given.id,
        }
        return self._event(
            AgentEventType.SESSION_HANDOFF, f"Handoff from {self.agent_id} to {to_agent}", data
        )

    # Files

    def log_file_created(self, file_path: str, description: str = "") -> AgentLogEntry:
        """Log that a file was created."""
        data = {"file_path": file_path, "description": description}
        return self._file(AgentEventType.FILE_CREATED, f"Created: {file_path}", data)

    def log_file_modified(self, file_path: str, changes: str = "") -> AgentLogEntry:
        """Log that a file was changed."""
        data = {"file_path": file_path, "changes": changes}
        return self._file(AgentEventType.FILE_MODIFIED, f"Modified: {file_path}", data)

    def log_file_deleted(self, file_path: str, reason: str = "") -> AgentLogEntry:
        """Log that a file was deleted."""
        data = {"file_path": file_path, "reason": reason}
        return self._file(AgentEventType.FILE_DELETED, f"Deleted: {file_path}", data, LogLevel.WARNING)

    def _file(
        self, event: AgentEventType, message: str, data: Mapping[str, str], level: LogLevel = LogLevel.INFO
    ) -> AgentLogEntry:
        path = data["file_path"]
        if path not in self.files_modified:
            self.files_modified.append(path)
        return self._event(event, message, data, level=level, files_affected=[path], resource=path)

    # Tasks

    def log_task_started(self, task: str, details: Mapping[str, Any] | None = None) -> AgentLogEntry:
        """Log that a task was begun."""
        return self._event(
            AgentEventType.TASK_STARTED,
            f"Started: {task}",
            {"task": task, "details": dict(details or {})},
            task_info={"name": task, "status": "in_progress"},
        )

    def log_task_completed(
        self, task: str, duration_seconds: float | None = None, result: str = ""
    ) -> AgentLogEntry:
        """Log that a task is done; a task of the session is marked as done by ``PUCSClient.complete_task``."""
        self.tasks_completed.append(task)
        return self._event(
            AgentEventType.TASK_COMPLETED,
            f"Completed: {task}",
            {"task": task, "result": result},
            task_info={"name": task, "status": "completed"},
            outcome="success",
            duration_ms=None if duration_seconds is None else duration_seconds * 1000,
        )

    def log_task_failed(self, task: str, error: str, recoverable: bool = True) -> AgentLogEntry:  # noqa: FBT001, FBT002 - as designed
        """Log that a task failed."""
        return self._event(
            AgentEventType.TASK_FAILED,
            f"Failed: {task} - {error}",
            {"task": task, "error": error, "recoverable": recoverable},
            level=LogLevel.ERROR,
            task_info={"name": task, "status": "failed"},
            outcome="failure",
        )

    # Git

    def log_git_commit(
        self, commit_hash: str, message: str, files: Sequence[str] | None = None
    ) -> AgentLogEntry:
        """Log a commit that the agent made itself; what PUCS commits and lands is logged by PUCS."""
        self.git_commits.append(commit_hash)
        return self._event(
            AgentEventType.GIT_COMMIT,
            f"Committed: {commit_hash[:SHORT_HASH]} - {message}",
            {"commit_hash": commit_hash, "message": message, "files": list(files or ())},
            git_info={"commit": commit_hash, "message": message},
            files_affected=list(files or ()),
        )

    def log_git_push(
        self,
        branch: str,
        remote: str = "origin",
        success: bool = True,  # noqa: FBT001, FBT002 - as designed
        error: str = "",
    ) -> AgentLogEntry:
        """Log a push."""
        return self._event(
            AgentEventType.GIT_PUSH,
            f"Pushed to {remote}/{branch}" + ("" if success else f" (failed: {error})"),
            {"branch": branch, "remote": remote, "success": success, "error": error},
            level=LogLevel.INFO if success else LogLevel.ERROR,
            git_info={"branch": branch, "remote": remote, "pushed": success},
            outcome="success" if success else "failure",
        )

    # Thinking

    def log_analysis(
        self, analysis_type: str, findings: Mapping[str, Any], files_analyzed: Sequence[str] | None = None
    ) -> AgentLogEntry:
        """Log what an analysis found."""
        return self._event(
            AgentEventType.CODEBASE_ANALYZED,
            f"Analysis completed: {analysis_type}",
            {"analysis_type": analysis_type, "findings": dict(findings)},
            files_affected=list(files_analyzed or ()),
        )

    def log_research(self, topic: str, sources: Sequence[str], summary: str) -> AgentLogEntry:
        """Log what a search outside the code found."""
        data = {"topic": topic, "sources": list(sources), "summary": summary}
        return self._event(AgentEventType.RESEARCH_COMPLETED, f"Research completed: {topic}", data)

    def log_plan_created(
        self, plan_name: str, steps: Sequence[str], file_path: str | None = None
    ) -> AgentLogEntry:
        """Log a plan and the file it was written to, if any."""
        files = [file_path] if file_path else []
        self.files_modified += [path for path in files if path not in self.files_modified]
        data = {"plan_name": plan_name, "steps": list(steps), "file_path": file_path}
        return self._event(
            AgentEventType.PLAN_CREATED, f"Plan created: {plan_name}", data, files_affected=files
        )

    def log_redundancy_avoided(
        self, intended_action: str, existing_solution: str, file_path: str
    ) -> AgentLogEntry:
        """Log that something was not built because it was there already."""
        data = {
            "intended_action": intended_action,
            "existing_solution": existing_solution,
            "file_path": file_path,
        }
        message = f"Used existing: {existing_solution} instead of creating new"
        return self._event("redundancy_avoided", message, data, files_affected=[file_path])

    # Others

    def check_conflicts_before_change(self, proposed_change: str) -> dict[str, Any]:
        """Look who is in the way of a change of a file or directory, log that, and return it.

        Keys: ``proposed_feature`` (the path), ``matched_categories`` (streams concerned), ``existing_count`` and
        ``existing_implementations`` (what others hold, plan, wait for or build on it; ten at most), ``warnings``,
        ``recommendations``, ``conflict_risk`` (``high``: somebody else holds it, or another stream covers it;
        ``medium``: others plan it or wait for it; ``low``).

        Raises:
            Usage: the path is outside the repository.
        """
        found = looking.before_change(
            self._place, self.agent_id, proposed_change, stream=self.stream_id or ""
        )
        self.log_conflict_check(proposed_change, found)
        return found

    def log_conflict_check(self, proposed_change: str, result: Mapping[str, Any]) -> AgentLogEntry:
        """Log what a look for conflicts found."""
        risk = str(result.get("conflict_risk", "unknown"))
        return self._event(
            "conflict_check",
            f"Conflict check for: {proposed_change} - Risk: {risk}",
            {
                "proposed_change": proposed_change,
                "risk_level": risk,
                "existing_count": result.get("existing_count", 0),
                "matched_categories": list(result.get("matched_categories", ())),
                "warnings": list(result.get("warnings", ())),
            },
            level=LogLevel.WARNING if risk == "high" else LogLevel.INFO,
        )

    def get_planning_context(self) -> str:
        """Return what others do at this moment as Markdown: streams, locks, intents, open conflicts."""
        return looking.planning_context(self._place)

    def audit(
        self,
        action: str,
        resource: str,
        outcome: str,
        actor: str = "system",
        details: Mapping[str, Any] | None = None,
    ) -> AgentLogEntry:
        """Log something that has to be accounted for later."""
        return self._event(
            action,
            f"{action} on {resource}: {outcome}",
            dict(details or {}),
            level=LogLevel.AUDIT,
            category=LogCategory.AUDIT,
            actor=self.agent_id if actor == "system" else actor,
            resource=resource,
            outcome=outcome,
        )

    def get_entries(self, since: datetime | None = None, agent_id: str | None = None) -> list[AgentLogEntry]:
        """Return the session's entries, oldest first, of one agent or all; PUCS's own have the event type that fits."""
        return [read_back(entry) for entry in read(self._place, since=since, agent=agent_id or "")]

    def export_jsonl(self, path: str | Path) -> int:
        """Write the session's entries as lines of ``agent_activity.jsonl`` and return how many."""
        lines = [entry.to_json() + "\n" for entry in self.get_entries()]
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".{target.name}.new")
        aside.write_text("".join(lines), encoding="utf-8")
        aside.replace(target)
        return len(lines)


def create_agent_logger(
    agent_id: str,
    stream_id: str | None = None,
    project_root: str | Path | None = None,
    *,
    session_id: str | None = None,
) -> AgentLogger:
    """Return a logger; the same as making an ``AgentLogger``."""
    return AgentLogger(agent_id, stream_id, project_root, session_id=session_id)


def _told(parts: Sequence[Any]) -> dict[str, Any]:
    """Return positional parts of an entry by what they are."""
    told: dict[str, Any] = {"texts": []}
    for part in parts:
        if isinstance(part, LogLevel):
            told["level"] = part
        elif isinstance(part, LogCategory):
            told["category"] = part
        elif isinstance(part, AgentEventType):
            told["event"] = part.value
        elif isinstance(part, Mapping):
            told["data"] = part
        elif isinstance(part, str):
            told["texts"].append(part)
        elif part is not None:
            raise Usage(
                f"{part!r} is no part of an entry.", remedy="log(level, category, event_type, message, data)"
            )
    return told


def _event_among(texts: Sequence[str]) -> str:
    """Return the event type among the texts: the first of two, or one that is a word like ``intent_signaled``."""
    if len(texts) == _TEXTS_MAX or texts[0].isidentifier():
        return texts[0]
    return UNNAMED_EVENT
