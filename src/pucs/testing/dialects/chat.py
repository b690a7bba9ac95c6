"""OpenAI's chat completions: ``POST /v1/chat/completions``, as opencode, aider and many others speak it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pucs.testing.dialects import (
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    Asked,
    Reply,
    Say,
    Sights,
    Tool,
    pieces_of,
    words,
)


def understand(body: Mapping[str, Any]) -> Asked:
    """Read a request."""
    sights, system = Sights(), list[str]()
    for message in body.get("messages", ()):
        role = message.get("role")
        if role == "assistant":
            sights.turn()
        elif role in {"system", "developer"}:
            system += words(message.get("content", ""))
        else:
            sights.see(*words(message.get("content", "")))
    return Asked(
        dialect="chat",
        model=str(body.get("model", "")),
        system="\n".join(system),
        sights=sights.all(),
        tools=tuple(_tool(offered.get("function", {})) for offered in body.get("tools", ())),
        streams=bool(body.get("stream")),
        body=body,
    )


def whole(asked: Asked, reply: Reply) -> Mapping[str, Any]:
    """Return an answer in one piece."""
    if isinstance(reply, Say):
        message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    else:
        call = {"name": reply.tool.name, "arguments": json.dumps(reply.arguments)}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": reply.id, "type": "function", "function": call}],
        }
    choice = {"index": 0, "message": message, "finish_reason": _reason(reply)}
    return {**_answer(asked, "chat.completion"), "choices": [choice], "usage": _usage()}


def pieces(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """Return an answer as server-sent events."""
    answer = _answer(asked, "chat.completion.chunk")

    def event(delta: Mapping[str, Any], reason: str | None = None) -> bytes:
        return _event({**answer, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield event({"role": "assistant", "content": ""})
    if isinstance(reply, Say):
        for piece in pieces_of(reply.text):
            yield event({"content": piece})
    else:
        named = {"name": reply.tool.name, "arguments": ""}
        yield event({"tool_calls": [{"index": 0, "id": reply.id, "type": "function", "function": named}]})
        for piece in pieces_of(json.dumps(reply.arguments)):
            yield event({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    yield event({}, _reason(reply))
    yield _event({**answer, "choices": [], "usage": _usage()})
    yield b"data: [DONE]\n\n"


def _tool(offered: Mapping[str, Any]) -> Tool:
    schema = offered.get("parameters") or {}
    return Tool(
        name=str(offered.get("name", "")),
        properties=schema.get("properties", {}),
        required=tuple(schema.get("required", ())),
    )


def _answer(asked: Asked, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{asked.turns}", "object": kind, "created": 0, "model": asked.model}


def _reason(reply: Reply) -> str:
    return "stop" if isinstance(reply, Say) else "tool_calls"


def _usage() -> dict[str, int]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()
