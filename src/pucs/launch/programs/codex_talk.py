"""The conversation with Codex's app-server: JSON-RPC lines, every edit and every command outside the sandbox asked for.

Codex is started with a read-only sandbox, so that nothing it runs can write, and asks before each patch and before each
command that has to leave the sandbox. The reason of a refusal is put into the turn before the refusal itself: the model
reads both with its next step. What Codex asks and is not known here is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pucs.agents.calls import Call, Moment, Ruling
from pucs.agents.output import Broke, ChangedFile, Said, Spent, TurnEnded, UsedTool
from pucs.agents.shell import touched
from pucs.launch.programs import codex_wire as wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pucs.agents.calls import Edit
    from pucs.agents.output import ProgramEvent
    from pucs.launch.programs import Brief

    Then = Callable[[Mapping[str, Any]], list[ProgramEvent]]

PROGRAM: Final = "codex"
APPROVAL_POLICY: Final = "on-request"
SANDBOX: Final = "read-only"
TURNS_MORE_MAX: Final = 3
"""Turns that are added because the agent may not stop yet, or has not read what it was told; each costs tokens."""
RETRIES_MAX: Final = 20
"""Attempts to reach the model in a row: Codex makes 5 of its own accord, a person's settings may say more."""
NOISE_LINES_MAX: Final = 100
"""Lines that are no message of the protocol, before the program counts as another one."""
ITEMS_MAX: Final = 1000
"""File changes that have begun and not ended; beyond it something is wrong, and the oldest is forgotten."""

_METHOD_NOT_FOUND: Final = -32601
_EDIT_TOOL: Final = "apply_patch"
_SHELL_TOOL: Final = "Bash"  # as in Codex's own hooks
_ACCEPTED: Final[Mapping[str, Any]] = {"decision": "accept"}
_DECLINED: Final[Mapping[str, Any]] = {"decision": "decline"}

MANNERS: Final = """\
You work as agent {agent} in your own checkout, beside other agents. Change files with apply_patch only: each patch is \
checked before it is applied, and shell commands cannot write. Ask to run a command outside the sandbox only where it \
must write or reach the network (tests, builds). Do not commit: what you changed is committed and landed for you. \
Messages that begin with PUCS come from the system that coordinates the agents."""
"""Said once, before the first words of a new conversation."""


class CodexTalk:
    """One launch of Codex (see ``Conversation``)."""

    def __init__(self, brief: Brief, version: str, servers: Sequence[str] = ()) -> None:
        """Begin with the first request; ``servers`` are the MCP servers whose tools need no decision."""
        self.id = brief.conversation
        self.enforced = False
        self._brief = brief
        self._servers = frozenset(servers)
        self._out = bytearray()
        self._last_id = 0
        self._answers: dict[int, Then] = {}
        self._items: dict[str, Mapping[str, Any]] = {}
        self._ready = False
        self._turn = ""
        self._turning = False
        """A turn has been asked for or is under way."""
        self._interrupting = False
        self._told: list[str] = []
        """What could not be put into a turn and is due with the next one."""
        self._said: list[str] = []
        """The same for prompts."""
        self._turns_more = 0
        self._words = ""
        self._spent: dict[str, Spent] = {}
        self._retries = 0
        self._noise = 0
        self._hears: dict[str, Then] = {
            "turn/started": self._turn_began,
            "item/started": self._item_began,
            "item/completed": self._item_done,
            "thread/tokenUsage/updated": self._usage,
            "error": self._trouble,
            "thread/settings/updated": self._set,
            "turn/completed": self._ended,
            "thread/closed": self._closed,
        }
        about = {"name": "pucs", "title": "PUCS", "version": version}
        self._ask("initialize", {"clientInfo": about, "capabilities": None}, self._initialized)

    # What the supervisor calls ---------------------------------------------------------------------------------

    def receive(self, line: bytes) -> Sequence[ProgramEvent]:
        """Take one line of its output."""
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return self._not_understood(line)
        self._noise = 0
        method = wire.text(message, "method")
        if method and "id" in message:
            self._asked(message, method)
            return ()
        if method:
            heard = self._hears.get(method)
            return heard(wire.part(message, "params")) if heard is not None else ()
        number = message.get("id")
        then = self._answers.pop(number, None) if type(number) is int else None
        return then(message) if then is not None else ()

    def outgoing(self) -> bytes:
        """Return what is to be written to the program now."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def tell(self, text: str) -> None:
        """Say something more: into the turn under way, else as the next one."""
        if self._turn and not self._interrupting:
            self._steer(text, lambda told: None if told else self._said.append(text))
        elif self._turning or not self._ready:
            self._said.append(text)
        else:
            self._begin([text])

    def interrupt(self) -> None:
        """End the turn under way."""
        if not self._turning:
            return
        self._interrupting = True
        if self._turn:
            self._interrupt_now()

    # Beginning -------------------------------------------------------------------------------------------------

    def _initialized(self, answer: Mapping[str, Any]) -> list[ProgramEvent]:
        if "result" not in answer:
            return [
                Broke(f"Codex does not start a conversation: {wire.told_error(wire.part(answer, 'error'))}")
            ]
        self._put({"method": "initialized"})
        asked: dict[str, Any] = {
            "cwd": self._brief.worktree,
            "approvalPolicy": APPROVAL_POLICY,
            "approvalsReviewer": "user",
            "sandbox": SANDBOX,
        }
        if self._brief.model:
            asked["model"] = self._brief.model
        if self.id:
            self._ask("thread/resume", {**asked, "threadId": self.id, "excludeTurns": True}, self._started)
        else:
            self._ask("thread/start", asked, self._started)
        return []

    def _started(self, answer: Mapping[str, Any]) -> list[ProgramEvent]:
        if "result" not in answer:
            said = wire.told_error(wire.part(answer, "error"))
            what = f"take up conversation {self.id} again" if self.id else "begin a conversation"
            return [Broke(f"Codex could not {what}: {said}")]
        result = wire.part(answer, "result")
        weak = _weakness(result)
        thread = wire.text(wire.part(result, "thread"), "id")
        if weak or not thread:
            return [Broke(f"Codex does not ask before each edit, so it is not used: {weak or 'no thread'}.")]
        manners = "" if self.id else MANNERS.format(agent=self._brief.agent)
        self.id = thread
        self.enforced = True
        self._ask("account/read", {}, lambda account: self._begun(account, manners))
        return []

    def _begun(self, account: Mapping[str, Any], manners: str) -> list[ProgramEvent]:
        result = wire.part(account, "result")
        if result.get("requiresOpenaiAuth") is True and result.get("account") is None:
            return [Broke("Codex is not logged in. Run `codex login`, then start again.")]
        self._ready = True
        ruling = self._decide(Moment.START)
        if not ruling.allowed:
            return [Broke(ruling.reason or "Codex may not begin.")]
        if ruling.suspend:
            return [TurnEnded(text=ruling.reason, interrupted=True)]
        waiting, self._said = self._said, []
        self._begin([manners, _named(ruling.context), self._brief.prompt, *waiting])
        return []

    # Turns -----------------------------------------------------------------------------------------------------

    def _begin(self, texts: Sequence[str], *, prompted: bool = True) -> None:
        """Begin a turn with these texts and with what is still due."""
        due, self._told = self._told, []
        if prompted:
            self._turns_more = 0
            ruling = self._decide(Moment.PROMPT)
            due.append(_named(ruling.context if ruling.allowed else ruling.reason))
        words = "\n\n".join(text.strip() for text in (*due, *texts) if text.strip())
        self._turning = True
        self._words = ""
        asked = {
            "threadId": self.id,
            "input": _input(words),
            "approvalPolicy": APPROVAL_POLICY,
            "approvalsReviewer": "user",
            "sandboxPolicy": {"type": "readOnly", "networkAccess": False},
        }
        self._ask("turn/start", asked, self._turn_started)

    def _turn_started(self, answer: Mapping[str, Any]) -> list[ProgramEvent]:
        if "result" not in answer:
            self._turning = False
            return [Broke(f"Codex does not begin a turn: {wire.told_error(wire.part(answer, 'error'))}")]
        self._under_way(wire.text(wire.part(answer, "result", "turn"), "id"))
        return []

    def _under_way(self, turn: str) -> None:
        if not self._turning or not turn:
            return
        self._turn = turn
        if self._interrupting:
            self._interrupt_now()

    def _interrupt_now(self) -> None:
        # It may come too early or too late; the turn's start, which asks again, or its end sets that right.
        self._ask("turn/interrupt", {"threadId": self.id, "turnId": self._turn}, lambda _: [])

    def _ended(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        """Answer the end of a turn: the last word, or one turn more."""
        if wire.text(params, "threadId") != self.id or not self._turning:
            return []
        turn = wire.part(params, "turn")
        self._turn = ""
        self._turning = False
        self._items.clear()
        status = wire.text(turn, "status")
        if self._interrupting or status == "interrupted":
            self._interrupting = False
            return self._interrupted()
        if status != "completed":
            return [Broke(f"Codex could not go on: {wire.told_error(wire.part(turn, 'error'))}")]
        if not self._said:
            return self._stopped()
        said, self._said = self._said, []
        self._begin(said)
        return []

    def _interrupted(self) -> list[ProgramEvent]:
        """End the turn once the model's history holds what it was not told any more."""
        ended: list[ProgramEvent] = [TurnEnded(text=self._words, interrupted=True)]
        if not self._told:
            return ended
        told, self._told = "\n\n".join(self._told), []
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": _clean(told)}]}
        self._ask("thread/inject_items", {"threadId": self.id, "items": [item]}, lambda _: ended)
        return []

    def _stopped(self) -> list[ProgramEvent]:
        """Ask whether the turn may have been the last."""
        ruling = self._decide(Moment.STOP, again=self._turns_more > 0)
        if ruling.suspend:
            return [TurnEnded(text=self._words, interrupted=True)]
        more = _named(ruling.context if ruling.allowed else ruling.reason)
        if (more or self._told) and self._turns_more < TURNS_MORE_MAX:
            self._turns_more += 1
            self._begin([more], prompted=False)
            return []
        return [TurnEnded(text=self._words)]

    # What Codex tells ------------------------------------------------------------------------------------------

    def _turn_began(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        if wire.text(params, "threadId") == self.id:
            self._under_way(wire.text(wire.part(params, "turn"), "id"))
        return []

    def _closed(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        if wire.text(params, "threadId") != self.id or not self._turning:
            return []
        self._turning = False
        return [Broke("Codex closed the conversation in the middle of a turn.")]

    def _item_began(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        item = wire.part(params, "item")
        self._retries = 0
        if wire.text(item, "type") == "fileChange":
            while len(self._items) >= ITEMS_MAX:
                del self._items[next(iter(self._items))]
            self._items[wire.text(item, "id")] = item
        name, about = wire.tool(item)
        return [UsedTool(name, about)] if name else []

    def _item_done(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        item = wire.part(params, "item")
        kind, status = wire.text(item, "type"), wire.text(item, "status")
        if kind == "agentMessage":
            self._words = wire.text(item, "text")
            return [Said(self._words)] if self._words else []
        if kind == "fileChange":
            self._items.pop(wire.text(item, "id"), None)
        if status in {"declined", "inProgress"}:
            return []
        match kind:
            case "fileChange" if status == "completed":
                changed = wire.edits(item)
                self._after(params, tool=_EDIT_TOOL, edits=changed)
                return [ChangedFile(edit.path) for edit in changed]
            case "commandExecution":
                paths, harmless = wire.reads(item)
                command = "" if harmless else wire.text(item, "command")
                if paths or command:
                    tool = "Read" if harmless else _SHELL_TOOL
                    cwd = wire.text(item, "cwd")
                    self._after(params, tool=tool, reads=paths, command=command, cwd=cwd)
            case "mcpToolCall" if wire.text(item, "server") not in self._servers:
                self._after(params, tool=wire.tool(item)[0])
            case _:
                pass
        return []

    def _after(self, params: Mapping[str, Any], **what: Any) -> None:
        """Report a tool that has done its work, and pass on what is answered."""
        ruling = self._decide(Moment.AFTER, **what)
        words = ruling.context if ruling.allowed else ruling.reason
        if words:
            words = _named(words)
            self._steer(words, lambda told: None if told else self._told.append(words), params)
        if ruling.suspend:
            self.interrupt()

    def _usage(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        # Agents that Codex starts itself have threads of their own.
        self._spent[wire.text(params, "threadId")] = wire.spent(wire.part(params, "tokenUsage"))
        every = self._spent.values()
        return [
            Spent(
                input_tokens=sum(one.input_tokens for one in every),
                cached_tokens=sum(one.cached_tokens for one in every),
                output_tokens=sum(one.output_tokens for one in every),
            )
        ]

    def _trouble(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        """Count attempts to reach the model; an error that is final comes again with the end of the turn."""
        if params.get("willRetry") is not True:
            return []
        self._retries += 1
        if self._retries != RETRIES_MAX:
            return []
        said = wire.told_error(wire.part(params, "error"))
        self.interrupt()
        return [Broke(f"The model was not reached {RETRIES_MAX} times in a row: {said}")]

    def _set(self, params: Mapping[str, Any]) -> list[ProgramEvent]:
        settings = wire.part(params, "threadSettings")
        weak = _weakness({**settings, "sandbox": settings.get("sandboxPolicy")}) if settings else ""
        if not weak or wire.text(params, "threadId") != self.id:
            return []
        self.enforced = False
        self.interrupt()
        return [Broke(f"Codex stopped asking before each edit: {weak}.")]

    def _not_understood(self, line: bytes) -> list[ProgramEvent]:
        self._noise += 1
        if self._noise != NOISE_LINES_MAX:
            return []
        begins = wire.line(line[:200].decode("utf-8", "replace"))
        return [Broke(f"{NOISE_LINES_MAX} lines in a row are not what Codex's app-server says: {begins!r}")]

    # What Codex asks -------------------------------------------------------------------------------------------

    def _asked(self, request: Mapping[str, Any], method: str) -> None:
        """Decide what Codex asks; nothing stays without an answer."""
        params = wire.part(request, "params")
        match method:
            case "item/fileChange/requestApproval":
                item = self._items.get(wire.text(params, "itemId"), {})
                ruling = self._edit_ruling(params, wire.edits(item))
                self._rule(request, ruling, f"the patch of {wire.tool(item)[1] or 'unknown files'}")
            case "item/commandExecution/requestApproval":
                command, cwd = wire.text(params, "command"), wire.text(params, "cwd")
                edits = touched(command).edits
                ruling = self._decide(Moment.BEFORE, tool=_SHELL_TOOL, command=command, edits=edits, cwd=cwd)
                self._rule(request, ruling, f"the command {wire.line(command)!r}")
            case "mcpServer/elicitation/request":
                self._elicited(request, params)
            case "item/permissions/requestApproval":
                ruling = Ruling(allowed=False, reason="Ask for single commands instead.")
                self._rule(request, ruling, "lasting permissions", no={"permissions": {}, "scope": "turn"})
            case "item/tool/requestUserInput":
                ruling = Ruling(allowed=False, reason="Nobody is there to answer; decide for yourself.")
                self._rule(request, ruling, "a question to the user", no={"answers": {}})
            case "applyPatchApproval" | "execCommandApproval":
                self._put({"id": request["id"], "result": {"decision": "denied"}})
            case _:
                error = {"code": _METHOD_NOT_FOUND, "message": f"PUCS does not answer {method[:100]}."}
                self._put({"id": request["id"], "error": error})

    def _edit_ruling(self, params: Mapping[str, Any], changed: tuple[Edit, ...]) -> Ruling:
        if not changed:
            return Ruling(allowed=False, reason="It is not clear which files it changes; make a smaller one.")
        if params.get("grantRoot"):
            return Ruling(
                allowed=False, reason="Lasting write access is not given; patch the files you need."
            )
        return self._decide(Moment.BEFORE, tool=_EDIT_TOOL, edits=changed)

    def _elicited(self, request: Mapping[str, Any], params: Mapping[str, Any]) -> None:
        """Answer a question before the tool of an MCP server, or one by the server itself."""
        server, about = wire.text(params, "serverName"), wire.part(params, "_meta")
        name = wire.mcp_tool(server, wire.text(about, "tool_name"))
        if wire.text(about, "codex_approval_kind") != "mcp_tool_call":
            ruling = Ruling(allowed=False, reason="Nobody is there to answer.")
        elif server in self._servers:
            ruling = Ruling()
        else:
            ruling = self._decide(Moment.BEFORE, tool=name)
        yes: Mapping[str, Any] = {"action": "accept", "content": {}, "_meta": None}
        self._rule(request, ruling, name, no={"action": "decline", "content": None, "_meta": None}, yes=yes)

    def _rule(
        self,
        request: Mapping[str, Any],
        ruling: Ruling,
        what: str,
        *,
        no: Mapping[str, Any] = _DECLINED,
        yes: Mapping[str, Any] = _ACCEPTED,
    ) -> None:
        """Answer a request; what the model has to know goes into the turn first, so that it is there in time."""
        words = _named(ruling.context) if ruling.allowed else f"PUCS refused {what}: {ruling.reason}"

        def decided(told: bool) -> None:  # noqa: FBT001 - a callback
            if not told:
                self._told.append(words)
            self._put({"id": request["id"], "result": yes if ruling.allowed else no})
            if ruling.suspend:
                self.interrupt()

        if words and not ruling.suspend:
            self._steer(words, decided, wire.part(request, "params"))
        else:  # a turn that is interrupted forgets what was put into it
            decided(not words)

    def _steer(
        self, text: str, then: Callable[[bool], None], params: Mapping[str, Any] | None = None
    ) -> None:
        """Put words into the turn that ``params`` name, else into the one under way; tell whether that worked."""
        turn = wire.text(params, "turnId") or self._turn
        thread = wire.text(params, "threadId") or self.id

        def answered(answer: Mapping[str, Any]) -> list[ProgramEvent]:
            then("result" in answer)
            return []

        if not turn:
            then(False)  # noqa: FBT003 - a callback
            return
        asked = {"threadId": thread, "expectedTurnId": turn, "input": _input(text)}
        self._ask("turn/steer", asked, answered)

    # Messages --------------------------------------------------------------------------------------------------

    def _decide(
        self,
        moment: Moment,
        *,
        tool: str = "",
        edits: tuple[Edit, ...] = (),
        reads: tuple[str, ...] = (),
        command: str = "",
        cwd: str = "",
        again: bool = False,
    ) -> Ruling:
        ruling = self._brief.decide(
            Call(
                moment=moment,
                program=PROGRAM,
                conversation=self.id,
                cwd=cwd or self._brief.worktree,
                tool=tool,
                edits=edits,
                reads=reads,
                command=command,
                again=again,
                agent=self._brief.agent,
                secret=self._brief.secret,
            )
        )
        return (
            ruling if ruling.allowed or ruling.reason else replace(ruling, reason="It may not be done now.")
        )

    def _ask(self, method: str, params: Mapping[str, Any], then: Then) -> None:
        self._last_id += 1
        self._answers[self._last_id] = then
        self._put({"id": self._last_id, "method": method, "params": params})

    def _put(self, message: Mapping[str, Any]) -> None:
        self._out += json.dumps(message).encode() + b"\n"


def _named(words: str) -> str:
    """Return words that name their sender: they come to the model in the person's own place."""
    return words if not words or words.startswith(("PUCS", "[PUCS]")) else f"PUCS: {words}"


def _input(words: str) -> list[dict[str, Any]]:
    """Return words as Codex takes them."""
    return [{"type": "text", "text": _clean(words), "text_elements": []}]


def _clean(words: str) -> str:
    """Return words without what is no text: bytes of file names."""
    return words.encode("utf-8", "replace").decode()


def _weakness(answer: Mapping[str, Any]) -> str:
    """Return in what Codex asks less than it was told to, empty if it does not."""
    if answer.get("approvalPolicy") != APPROVAL_POLICY:
        return f"its approval policy is {wire.line(str(answer.get('approvalPolicy')))}"
    if wire.text(wire.part(answer, "sandbox"), "type") != "readOnly":
        return f"its sandbox is {wire.line(str(answer.get('sandbox')))}"
    if answer.get("approvalsReviewer", "user") != "user":
        return f"its approvals are given by {wire.line(str(answer.get('approvalsReviewer')))}"
    return ""
