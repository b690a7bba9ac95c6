"""The scripted agent program: hooks are called, and heard, as Claude Code does it."""

import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from pucs.testing.hook_agent import shim
from pucs.testing.hook_calls import Hooks

pytestmark = pytest.mark.process

HOOK = """
import json, sys
asked = json.load(sys.stdin)
with open({log!r}, "a") as log:
    log.write(json.dumps(asked) + "\\n")
answers = json.load(open({answers!r}))
print(json.dumps(answers.get(asked["hook_event_name"] + ":" + asked.get("tool_name", ""), {{}})))
"""


class Stage:
    """A directory with the program, a hook that logs and answers as told, and a plan."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.work.mkdir()
        self.program = shim(root / "bin")
        self.log, self.answers, self.plan = root / "log", root / "answers.json", root / "plan.json"
        self.log.touch()
        (root / "hook.py").write_text(HOOK.format(log=str(self.log), answers=str(self.answers)))
        command = shlex.join([sys.executable, "-I", "-S", str(root / "hook.py")])
        self.hooks({"type": "command", "command": command, "onFailure": "block"})
        self.answer({})

    def hooks(self, hook: Mapping[str, Any], matcher: str = "") -> None:
        """Set one hook for every event."""
        events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd")
        content = {"hooks": {event: [{"matcher": matcher, "hooks": [hook]}] for event in events}}
        (self.root / "settings.json").write_text(json.dumps(content))

    def answer(self, answers: Mapping[str, Any]) -> None:
        """Say what the hook answers, by event and tool."""
        self.answers.write_text(json.dumps(answers))

    def run(
        self, plan: object, *flags: str, prompts: Sequence[str] = ("Do it",), status: int = 0
    ) -> list[dict[str, Any]]:
        """Run the program by a plan; return what it put out."""
        self.plan.write_text(json.dumps(plan))
        lines = "".join(
            json.dumps({"type": "user", "message": {"role": "user", "content": text}}) + "\n"
            for text in prompts
        )
        streams = ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"]
        call = [str(self.program), *streams, "--settings", str(self.root / "settings.json"), *flags]
        environment = {**os.environ, "HOOK_AGENT_PLAN": str(self.plan), "HOME": str(self.root)}
        done = subprocess.run(
            call,
            cwd=self.work,
            env=environment,
            input=lines,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == status, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def asked(self) -> list[dict[str, Any]]:
        """Return what the hook was asked."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Return a stage in a fresh directory."""
    return Stage(tmp_path)


def deny(reason: str) -> dict[str, Any]:
    special = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": reason,
    }
    return {"hookSpecificOutput": special}


def results(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [line for line in lines if line["type"] == "result"]


WRITE = {"write": "a.py", "text": "a = 1\n"}


@pytest.mark.slow
def test_every_hook_is_called_in_order(stage: Stage) -> None:
    """A turn with one tool calls six hooks, with what the real program tells them."""
    lines = stage.run([WRITE, {"text": "done"}], "--session-id", "11111111-1111-4111-8111-111111111111")
    asked = stage.asked()
    events = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"]
    assert [call["hook_event_name"] for call in asked] == events
    assert {call["session_id"] for call in asked} == {"11111111-1111-4111-8111-111111111111"}
    assert asked[2]["tool_input"] == {"file_path": str(stage.work / "a.py"), "content": "a = 1\n"}
    assert (stage.work / "a.py").read_text() == "a = 1\n"
    assert [line["type"] for line in lines] == [*["system"] * 3, "assistant", "user", "assistant", "result"]
    assert results(lines)[0]["result"] == "done"
    assert results(lines)[0]["usage"]["input_tokens"] == 200


def test_a_denied_edit_leaves_the_file(stage: Stage) -> None:
    """The reason reaches the model, the file is untouched, and the denial is counted."""
    stage.answer({"PreToolUse:Write": deny("PUCS: held by agent-2")})
    plan = [{**WRITE, "expect_denied": "held by agent-2"}, {"if_saw": "agent-2", "then": {"text": "waiting"}}]
    result = results(stage.run(plan))[0]
    assert not (stage.work / "a.py").exists()
    assert result["result"] == "waiting"
    assert result["permission_denials"][0]["tool_name"] == "Write"


def test_an_expected_denial_that_does_not_come_fails(stage: Stage) -> None:
    """A script that should have been stopped ends the program with an error."""
    stage.run([{**WRITE, "expect_denied": "held"}], status=1)


def test_context_of_hooks_is_seen(stage: Stage) -> None:
    """Briefing, messages and remarks reach the model beside what it asked for."""
    texts = {"SessionStart:": "BRIEFING", "UserPromptSubmit:": "MESSAGE", "PostToolUse:Bash": "REMARK"}
    stage.answer({
        event: {"hookSpecificOutput": {"additionalContext": text}} for event, text in texts.items()
    })
    first = {"if_saw": "BRIEFING", "then": {"if_saw": "MESSAGE", "then": {"shell": "echo output"}}}
    plan = [first, {"if_saw": "REMARK", "then": {"if_saw": "output", "then": {"text": "all seen"}}}]
    assert results(stage.run(plan))[0]["result"] == "all seen"


def test_the_end_of_a_turn_is_refused_once(stage: Stage) -> None:
    """A Stop hook that always blocks is told the second time that it did before."""
    stage.answer({"Stop:": {"decision": "block", "reason": "release your leases"}})
    plan = [{"text": "one"}, {"if_saw": "release your leases", "then": {"text": "two"}}, {"text": "three"}]
    stage.plan.write_text(json.dumps(plan))
    hook = f"""case "$(tee -a {stage.log})" in *'"stop_hook_active": false'*) cat <<'E'
{{"decision": "block", "reason": "release your leases"}}
E
;; esac; echo >> {stage.log}"""
    stage.hooks({"type": "command", "command": hook})
    assert results(stage.run(plan))[0]["result"] == "two"


@pytest.mark.slow
def test_a_hook_ends_the_turn(stage: Stage) -> None:
    """A suspended agent ends its turn at once, and takes it up with the next prompt."""
    stage.answer({"PreToolUse:Write": {**deny("suspended"), "continue": False}})
    plan = [WRITE, {"text": "later"}]
    first, second = results(stage.run(plan, prompts=("Do it", "It is your turn")))
    assert (first["terminal_reason"], first["result"]) == ("hook_stopped", "")
    assert second["result"] == "later"


@pytest.mark.parametrize(
    ("hook", "blocks"), [("exit 1", True), ("exit 1", False), ("echo no JSON >&2; exit 2", True)]
)
def test_a_broken_hook_blocks_only_if_told(stage: Stage, hook: str, *, blocks: bool) -> None:
    """Failing hooks are passed over without ``onFailure: block``; status 2 always blocks."""
    failure = {"onFailure": "block"} if blocks else {}
    stage.hooks({"type": "command", "command": hook, **failure}, matcher="Write|Edit")
    content = json.loads((stage.root / "settings.json").read_text())
    (stage.root / "settings.json").write_text(
        json.dumps({"hooks": {"PreToolUse": content["hooks"]["PreToolUse"]}})
    )
    stage.run([WRITE, {"text": "done"}])
    assert (stage.work / "a.py").exists() is not blocks


@pytest.mark.slow
def test_a_conversation_is_taken_up_again(stage: Stage) -> None:
    """What was done is not done twice; money counts on, tokens begin anew."""
    plan = [WRITE, {"text": "one"}, {"write": "b.py", "text": "b"}, {"text": "two"}]
    identity = "22222222-2222-4222-8222-222222222222"
    first = results(stage.run(plan, "--session-id", identity))[0]
    (stage.work / "a.py").unlink()
    second = results(stage.run(plan, "--resume", identity))[0]
    assert (second["result"], (stage.work / "b.py").exists(), (stage.work / "a.py").exists()) == (
        "two",
        True,
        False,
    )
    assert second["usage"] == first["usage"]
    assert second["total_cost_usd"] == pytest.approx(2 * first["total_cost_usd"])
    assert [call["source"] for call in stage.asked() if call["hook_event_name"] == "SessionStart"] == [
        "startup",
        "resume",
    ]


def test_an_unknown_conversation_is_not_found(stage: Stage) -> None:
    """Resuming what never was is an error."""
    assert stage.run([], "--resume", "33333333-3333-4333-8333-333333333333", status=1) == []


@pytest.mark.slow
def test_each_agent_finds_its_own_script(stage: Stage) -> None:
    """One plan serves all agents of a run: by a word of the first prompt."""
    plans = {"T-1": [{"text": "first"}], "T-2": [{"text": "second"}], "": [{"text": "other"}]}
    said = [results(stage.run(plans, prompts=(prompt,)))[0]["result"] for prompt in ("Task T-2: x", "What?")]
    assert said == ["second", "other"]


def test_an_interrupt_ends_turn_and_command(stage: Stage) -> None:
    """The process stays and takes the next prompt."""
    stage.plan.write_text(json.dumps([{"shell": "sleep 600"}, {"text": "what now"}]))
    streams = ["-p", "--input-format", "stream-json", "--output-format", "stream-json"]
    environment = {**os.environ, "HOOK_AGENT_PLAN": str(stage.plan), "HOME": str(stage.root)}
    with subprocess.Popen(
        [str(stage.program), *streams],
        cwd=stage.work,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout

        def tell(**line: object) -> None:
            assert process.stdin
            process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()

        tell(type="user", message={"role": "user", "content": "Do it"})
        lines = (json.loads(line) for line in process.stdout)
        next(line for line in lines if line["type"] == "assistant")
        tell(type="control_request", request_id="r1", request={"subtype": "interrupt"})
        seen = {}
        for line in lines:
            seen[line["type"]] = line
            if {"control_response", "result"} <= seen.keys():
                break
        assert seen["control_response"]["response"]["request_id"] == "r1"
        assert seen["result"]["subtype"] == "error_during_execution"
        tell(type="user", message={"role": "user", "content": "Go on"})
        assert next(line for line in lines if line["type"] == "result")["result"] == "what now"
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.slow
def test_a_model_in_trouble_is_tried_again(stage: Stage) -> None:
    """Trouble that passes is told and got over; trouble that lasts ends the turn with an error."""
    passing = stage.run([{"fail": 529, "times": 2}, {"text": "done"}])
    assert [line["attempt"] for line in passing if line.get("subtype") == "api_retry"] == [1, 2]
    assert results(passing)[0]["result"] == "done"
    lasting = results(stage.run([{"fail": 401}]))[0]
    assert (lasting["is_error"], lasting["terminal_reason"], lasting["num_turns"]) == (True, "api_error", 0)


def test_a_blocked_prompt_does_not_reach_the_model(stage: Stage) -> None:
    """The reason is told to whoever launched it; no turn is taken."""
    stage.answer({"UserPromptSubmit:": {"decision": "block", "reason": "terminated"}})
    lines = stage.run([WRITE])
    assert [line["content"] for line in lines if line.get("prevent_continuation")] == ["terminated"]
    assert results(lines)[0]["num_turns"] == 0


def test_it_tells_its_version(stage: Stage) -> None:
    """Whoever looks for the program finds a version it knows."""
    told = subprocess.run(
        [str(stage.program), "--version"], capture_output=True, text=True, check=True
    ).stdout
    assert told == "2.1.329 (Claude Code)\n"


@pytest.fixture
def endpoint() -> Generator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    """Serve http hooks that deny writing; give the address and what was asked: authorization and call."""
    asked: list[tuple[str, dict[str, Any]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append((self.headers["Authorization"], call))
            body = json.dumps(deny("held") if call["hook_event_name"] == "PreToolUse" else {}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_http_hooks_are_asked(
    tmp_path: Path, endpoint: tuple[str, list[tuple[str, dict[str, Any]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret of the environment goes along where the settings allow it; beginnings are not told over http."""
    url, asked = endpoint
    monkeypatch.setenv("SECRET", "s3")
    headers = {"Authorization": "Bearer ${SECRET}"}
    hook = {"type": "http", "url": url, "headers": headers, "allowedEnvVars": ["SECRET"]}
    hooks = Hooks(
        [{"hooks": {event: [{"hooks": [hook]}] for event in ("SessionStart", "PreToolUse")}}], tmp_path
    )
    assert hooks.call("SessionStart", {}).denied == ""
    assert hooks.call("PreToolUse", {"tool_name": "Write"}).denied == "held"
    assert [authorization for authorization, _ in asked] == ["Bearer s3"]


@pytest.mark.parametrize(("failure", "denied"), [({"onFailure": "block"}, True), ({}, False)])
def test_a_dead_server_blocks_only_if_told(
    tmp_path: Path, failure: Mapping[str, str], *, denied: bool
) -> None:
    """Nobody at the address is a failure like any other."""
    hook = {"type": "http", "url": "http://127.0.0.1:9/hook", **failure}
    verdict = Hooks([{"hooks": {"PreToolUse": [{"hooks": [hook]}]}}], tmp_path).call(
        "PreToolUse", {"tool_name": "Edit"}
    )
    assert bool(verdict.denied) is denied


@pytest.mark.parametrize(
    ("matcher", "called"), [("", True), ("*", True), ("Write|Edit", True), ("Edit", False), ("Wri", False)]
)
def test_matchers_choose_by_the_whole_name(tmp_path: Path, matcher: str, *, called: bool) -> None:
    """A matcher is compared with the whole name of the tool."""
    hook = {"type": "command", "command": "echo no >&2; exit 2"}
    hooks = Hooks([{"hooks": {"PreToolUse": [{"matcher": matcher, "hooks": [hook]}]}}], tmp_path)
    assert bool(hooks.call("PreToolUse", {"tool_name": "Write"}).denied) is called
