"""Anthropic's messages: ``POST /v1/messages``, as Claude Code speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pucs.testing.dialects import (
    DETOUR,
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

_NOT_THE_MODELS = ("No response requested.", "[Request interrupted by user]")
"""Words that the program puts into the model's mouth, when a conversation that was cut off goes on."""


def understand(body: Mapping[str, Any]) -> Asked:
    """Read a request."""
    sights = Sights()
    for message in body.get("messages", ()):
        content = message.get("content", "")
        if message.get("role") != "assistant":
            sights.see(*words(content))
        elif _counts(content):
            sights.turn()
    return Asked(
        dialect="anthropic",
        model=str(body.get("model", "")),
        system="\n".join(words(body.get("system", ""))),
        sights=sights.all(),
        tools=tuple(_tool(offered) for offered in body.get("tools", ())),
        streams=bool(body.get("stream")),
        body=body,
    )


def whole(asked: Asked, reply: Reply) -> Mapping[str, Any]:
    """Return an answer in one piece."""
    return {**_message(asked), "content": [_block(reply)], "stop_reason": _reason(reply), "usage": _usage()}


def pieces(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """Return an answer as server-sent events."""
    block = _block(reply)
    yield _event("message_start", message={**_message(asked), "usage": {**_usage(), "output_tokens": 1}})
    if isinstance(reply, Say):
        empty, kind, field, text = {**block, "text": ""}, "text_delta", "text", reply.text
    else:
        empty, kind, field = {**block, "input": {}}, "input_json_delta", "partial_json"
        text = json.dumps(reply.arguments)
    yield _event("content_block_start", index=0, content_block=empty)
    for piece in pieces_of(text):
        yield _event("content_block_delta", index=0, delta={"type": kind, field: piece})
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta", delta={"stop_reason": _reason(reply), "stop_sequence": None}, usage=_usage()
    )
    yield _event("message_stop")


def _counts(content: object) -> bool:
    blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
    return any(
        not str(block.get("id", "")).startswith(DETOUR)
        if block.get("type") == "tool_use"
        else block.get("type") == "text" and block.get("text") not in _NOT_THE_MODELS
        for block in blocks
    )


def _tool(offered: Mapping[str, Any]) -> Tool:
    schema = offered.get("input_schema", {})
    return Tool(
        name=str(offered.get("name", "")),
        properties=schema.get("properties", {}),
        required=tuple(schema.get("required", ())),
    )


def _message(asked: Asked) -> dict[str, Any]:
    return {
        "id": f"msg_{asked.turns}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _block(reply: Reply) -> dict[str, Any]:
    if isinstance(reply, Say):
        return {"type": "text", "text": reply.text}
    return {"type": "tool_use", "id": reply.id, "name": reply.tool.name, "input": dict(reply.arguments)}


def _reason(reply: Reply) -> str:
    return "end_turn" if isinstance(reply, Say) else "tool_use"


def _usage() -> dict[str, int]:
    return {
        "input_tokens": INPUT_TOKENS,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": OUTPUT_TOKENS,
    }


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
