"""The scripted model server, asked as each agent program asks it."""

import json
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pucs.testing.model_server import ModelServer

PATH = {"type": "object", "properties": {"file_path": {"type": "string"}, "content": {"type": "string"}}}
SHELL = {
    "type": "object",
    "properties": {"cmd": {"type": "string"}, "why": {"type": "string"}},
    "required": ["why"],
}


@pytest.fixture
def models() -> Generator[ModelServer]:
    """Serve without scripts."""
    with ModelServer() as server:
        yield server


def post(url: str, body: Mapping[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310 - loopback
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def events(text: str) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: {")]
    return [json.loads(line) for line in lines]


def anthropic(
    *messages: Mapping[str, Any], tools: tuple[Mapping[str, Any], ...] = (), **more: object
) -> dict[str, Any]:
    offered = tools or ({"name": "Write", "input_schema": PATH}, {"name": "Bash", "input_schema": SHELL})
    first = {"role": "user", "content": "Working directory: /w\nDo it"}
    return {"model": "m", "messages": [first, *messages], "tools": list(offered), "stream": True, **more}


def used(name: str, identity: str = "step_0") -> dict[str, Any]:
    return {"role": "assistant", "content": [{"type": "tool_use", "id": identity, "name": name, "input": {}}]}


def result(text: str, identity: str = "step_0") -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": identity, "content": text}]}


def test_anthropic_streams_a_tool_call(models: ModelServer) -> None:
    """A step becomes a call of the tool that was offered, with an absolute path."""
    url = models.script("a", [{"write": "x.py", "text": "x = 1\n"}])
    said = events(post(f"{url}/v1/messages?beta=true", anthropic())[1])
    assert [event["type"] for event in said][-2:] == ["message_delta", "message_stop"]
    assert said[1]["content_block"]["name"] == "Write"
    pieces = "".join(
        event["delta"]["partial_json"] for event in said if event["type"] == "content_block_delta"
    )
    assert json.loads(pieces) == {"file_path": "/w/x.py", "content": "x = 1\n"}
    assert said[-2]["usage"]["output_tokens"] > 0


def test_anthropic_answers_in_one_piece(models: ModelServer) -> None:
    """A program that does not stream gets a document."""
    url = models.script("a", [{"text": "done"}])
    message = json.loads(post(f"{url}/v1/messages", anthropic(stream=False))[1])
    assert (message["content"], message["stop_reason"]) == ([{"type": "text", "text": "done"}], "end_turn")


def test_what_the_model_saw_is_kept(models: ModelServer) -> None:
    """A test asks for the reason that reached the model; the model's own words do not count."""
    url = models.script("a", [{"write": "x.py", "text": "mine"}, {"text": "done"}])
    post(f"{url}/v1/messages", anthropic(used("Write"), result("PUCS: held by agent-2")))
    assert models.saw("a", "held by agent-2")
    assert not models.saw("a", "Write")
    assert [asked.turns for asked in models.requests("a")] == [1]


def test_a_deferred_tool_is_looked_up_first(models: ModelServer) -> None:
    """Looking up an MCP tool takes no step of the script."""
    url = models.script("a", [{"mcp": "acquire_locks", "arguments": {"files": ["x"]}}, {"text": "done"}])
    search = {"name": "ToolSearch", "input_schema": {"properties": {"query": {"type": "string"}}}}
    found = {"name": "mcp__pucs__acquire_locks", "input_schema": {}}
    first = events(post(f"{url}/v1/messages", anthropic(tools=(search,)))[1])[1]["content_block"]
    assert first["name"] == "ToolSearch"
    looked_up = (used("ToolSearch", first["id"]), result("mcp__pucs__acquire_locks", first["id"]))
    second = events(post(f"{url}/v1/messages", anthropic(*looked_up, tools=(search, found)))[1])[1]
    assert second["content_block"]["name"] == "mcp__pucs__acquire_locks"


def test_responses_patch_a_file(models: ModelServer) -> None:
    """Codex is offered a freeform tool: it gets a patch."""
    url = models.script("c", [{"write": "x.py", "text": "x = 1\n"}])
    tools = [
        {"type": "custom", "name": "apply_patch"},
        {"type": "function", "name": "exec_command", "parameters": SHELL},
    ]
    said = events(post(f"{url}/v1/responses", {"input": "Do it", "tools": tools, "stream": True})[1])
    item = said[-1]["response"]["output"][0]
    assert item["type"] == "custom_tool_call"
    assert item["input"] == "*** Begin Patch\n*** Add File: x.py\n+x = 1\n*** End Patch\n"
    assert said[-1]["response"]["usage"]["total_tokens"] > 0


def test_responses_count_calls_and_words(models: ModelServer) -> None:
    """Items of the model lead on, its thoughts do not."""
    url = models.script("c", [{"shell": "ls"}, {"edit": "x.py", "old": "a", "new": "b"}])
    given = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Do it"}]},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "step_0", "name": "exec_command", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "step_0", "output": "x.py"},
    ]
    tools = [{"type": "function", "name": "exec_command", "parameters": SHELL}]
    item = json.loads(post(f"{url}/v1/responses", {"input": given, "tools": tools})[1])["output"][0]
    arguments = json.loads(item["arguments"])
    assert "*** Update File: x.py" in arguments["cmd"]
    assert arguments["why"]
    assert models.requests("c")[0].sights == ("Do it", "x.py")


def test_responses_call_a_tool_in_its_namespace(models: ModelServer) -> None:
    """MCP tools of Codex live in groups."""
    url = models.script("c", [{"mcp": "land"}])
    tools = [{"type": "namespace", "name": "mcp__pucs__", "tools": [{"type": "function", "name": "land"}]}]
    item = json.loads(post(f"{url}/v1/responses", {"input": "Do it", "tools": tools})[1])["output"][0]
    assert (item["namespace"], item["name"]) == ("mcp__pucs__", "land")


@pytest.mark.parametrize("stream", [True, False])
def test_chat_completions_call_a_shell(models: ModelServer, *, stream: bool) -> None:
    """The language of most other programs, in both of its forms."""
    url = models.script("o", [{"shell": "ls"}])
    tools = [
        {"type": "function", "function": {"name": "bash", "parameters": {"properties": {"command": {}}}}}
    ]
    asked = {"messages": [{"role": "user", "content": "Do it"}], "tools": tools, "stream": stream}
    text = post(f"{url}/v1/chat/completions", asked)[1]
    if stream:
        assert text.endswith("data: [DONE]\n\n")
        calls = [
            call
            for event in events(text)
            for choice in event["choices"]
            for call in choice["delta"].get("tool_calls", ())
        ]
        assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"command": "ls"}
    else:
        call = json.loads(text)["choices"][0]["message"]["tool_calls"][0]["function"]
        assert (call["name"], json.loads(call["arguments"])) == ("bash", {"command": "ls"})


@pytest.mark.parametrize(
    ("way", "first"), [("streamGenerateContent?alt=sse", "data: "), ("generateContent", "{")]
)
def test_gemini_replaces_text(models: ModelServer, way: str, first: str) -> None:
    """Gemini CLI's edit tool wants a reason beside the text."""
    url = models.script("g", [{"edit": "x.py", "old": "a", "new": "b"}])
    schema = {
        "properties": {"file_path": {}, "old_string": {}, "new_string": {}, "instruction": {"type": "string"}}
    }
    tool = {"name": "replace", "parametersJsonSchema": {**schema, "required": ["instruction"]}}
    asked = {
        "contents": [
            {
                "role": "user",
                "parts": [{"text": "- **Workspace Directories:**\n  - /w\n- **Directory Structure:**"}],
            }
        ],
        "tools": [{"functionDeclarations": [tool]}],
    }
    text = post(f"{url}/v1beta/models/gemini-2.5-flash:{way}", asked)[1]
    assert text.startswith(first)
    call = json.loads(text.removeprefix("data: "))["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert call["args"]["file_path"] == "/w/x.py"
    assert call["args"]["instruction"]
    assert models.requests("g")[0].model == "gemini-2.5-flash"


def test_trouble_ends_after_its_times(models: ModelServer) -> None:
    """A program that tries again gets through."""
    url = models.script("a", [{"fail": 529, "times": 2}, {"text": "done"}])
    assert [post(f"{url}/v1/messages", anthropic())[0] for _ in range(3)] == [529, 529, 200]


def test_lasting_trouble_says_what_it_is(models: ModelServer) -> None:
    """A program that is not logged in is told in the words of its interface."""
    url = models.script("a", [{"fail": 401}])
    status, text = post(f"{url}/v1/messages", anthropic())
    assert (status, json.loads(text)["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("path", ["/s/none/v1/messages", "/s/a/v1/unknown", "/favicon.ico"])
def test_what_nobody_knows_is_not_found(models: ModelServer, path: str) -> None:
    """Unknown scripts and addresses are answered in JSON and kept apart."""
    models.script("a", [{"text": "done"}])
    status, text = post(models.root + path, anthropic())
    assert (status, json.loads(text)["type"]) == (404, "error")
    assert models.strays == (f"POST {path}",)


def test_tokens_are_counted_without_a_step(models: ModelServer) -> None:
    """Counting is no turn."""
    url = models.script("a", [{"text": "done"}])
    assert json.loads(post(f"{url}/v1/messages/count_tokens", anthropic())[1])["input_tokens"] > 0
    assert models.requests("a") == ()


def test_side_questions_take_no_step(models: ModelServer) -> None:
    """A program that asks for a title, without tools, is not given the script's first step."""
    url = models.script("a", [{"write": "x.py", "text": "x"}])
    aside = {"messages": [{"role": "user", "content": "Title?"}]}
    assert json.loads(post(f"{url}/v1/messages", aside)[1])["content"][0]["type"] == "text"


def test_many_agents_are_served_at_once(models: ModelServer) -> None:
    """Thinking of one does not keep the others: all of them think together."""
    url = models.script("a", [{"if_saw": "Do it", "then": lambda _: met()}])
    together = threading.Barrier(8, timeout=10)

    def met() -> dict[str, str]:
        together.wait()
        return {"text": "done"}

    threads = [threading.Thread(target=post, args=(f"{url}/v1/messages", anthropic())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken
    assert len(models.requests("a")) == 8


def test_closing_does_not_wait_for_thoughts() -> None:
    """A test ends at once though an agent's model would think for an hour."""
    with ModelServer() as models:
        url = models.script("a", [{"sleep": 3600}, {"text": "done"}])
        thread = threading.Thread(target=post, args=(f"{url}/v1/messages", anthropic()), daemon=True)
        thread.start()
        while not models.requests("a"):
            thread.join(0.01)
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.process
@pytest.mark.parametrize(
    ("content", "names"), [([{"text": "done"}], ["main"]), ({"a": [{"text": "x"}], "b": []}, ["a", "b"])]
)
def test_it_serves_a_file_without_any_python(tmp_path: Path, content: object, names: list[str]) -> None:
    """A shell script starts it, reads the addresses from its output, and interrupts it at the end."""
    (tmp_path / "script.json").write_text(json.dumps(content))
    call = [sys.executable, "-m", "pucs.testing.model_server", str(tmp_path / "script.json")]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        urls = [process.stdout.readline().strip() for _ in names]
        assert [url.rpartition("/")[2] for url in urls] == names
        assert post(f"{urls[0]}/v1/messages", anthropic())[0] == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
