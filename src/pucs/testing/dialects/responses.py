"""OpenAI's responses: ``POST /v1/responses``, as Codex speaks it."""

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

_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})


def understand(body: Mapping[str, Any]) -> Asked:
    """Read a request."""
    sights, found = Sights(), list[Any]()
    given = body.get("input", ())
    for item in [{"role": "user", "content": given}] if isinstance(given, str) else given:
        kind = item.get("type", "message")
        if kind in _CALLS:
            if not str(item.get("call_id", "")).startswith(DETOUR):
                sights.turn()
        elif kind == "message" and item.get("role") == "assistant":
            sights.turn()
        elif kind == "tool_search_output":
            found += item.get("tools", ())
        elif kind != "reasoning":
            sights.see(*words(item))
    return Asked(
        dialect="responses",
        model=str(body.get("model", "")),
        system=str(body.get("instructions") or ""),
        sights=sights.all(),
        tools=tuple(tool for offered in [*body.get("tools", ()), *found] for tool in _tools(offered)),
        streams=bool(body.get("stream")),
        body=body,
    )


def whole(asked: Asked, reply: Reply) -> Mapping[str, Any]:
    """Return an answer in one piece."""
    return {**_response(asked, "completed"), "output": [_item(reply, "completed")], "usage": _usage()}


def pieces(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """Return an answer as server-sent events."""
    item = _item(reply, "in_progress")
    yield _event("response.created", response=_response(asked, "in_progress"))
    fields = ("content",) if isinstance(reply, Say) else ("arguments", "input")
    empty = {field: type(item[field])() for field in fields if field in item}
    yield _event("response.output_item.added", output_index=0, item={**item, **empty})
    where = {"item_id": item["id"], "output_index": 0}
    if isinstance(reply, Say):
        for piece in pieces_of(reply.text):
            yield _event("response.output_text.delta", **where, content_index=0, delta=piece)
    elif reply.tool.freeform:
        for piece in pieces_of(reply.text):
            yield _event("response.custom_tool_call_input.delta", **where, delta=piece)
    elif item["type"] == "function_call":
        for piece in pieces_of(item["arguments"]):
            yield _event("response.function_call_arguments.delta", **where, delta=piece)
    yield _event("response.output_item.done", output_index=0, item=_item(reply, "completed"))
    yield _event("response.completed", response=whole(asked, reply))


def _tools(offered: Mapping[str, Any], namespace: str = "") -> Iterator[Tool]:
    if offered.get("type") == "namespace":
        for inner in offered.get("tools", ()):
            yield from _tools(inner, str(offered.get("name", "")))
        return
    schema = offered.get("parameters") or {}
    yield Tool(
        name=str(offered.get("name") or offered.get("type", "")),
        namespace=namespace,
        freeform=offered.get("type") == "custom",
        properties=schema.get("properties", {}),
        required=tuple(schema.get("required", ())),
    )


def _response(asked: Asked, status: str) -> dict[str, Any]:
    return {
        "id": f"resp_{asked.turns}",
        "object": "response",
        "created_at": 0,
        "model": asked.model,
        "status": status,
        "output": [],
    }


def _item(reply: Reply, status: str) -> dict[str, Any]:
    if isinstance(reply, Say):
        content = [{"type": "output_text", "text": reply.text, "annotations": []}]
        return {
            "type": "message",
            "id": "msg_step",
            "role": "assistant",
            "status": status,
            "content": content,
        }
    call: dict[str, Any] = {"id": f"item_{reply.id}", "call_id": reply.id, "status": status}
    if reply.tool.name == "tool_search":
        return {**call, "type": "tool_search_call", "execution": "client", "arguments": dict(reply.arguments)}
    call["name"] = reply.tool.name
    if reply.tool.namespace:
        call["namespace"] = reply.tool.namespace
    if reply.tool.freeform:
        return {**call, "type": "custom_tool_call", "input": reply.text}
    return {**call, "type": "function_call", "arguments": json.dumps(reply.arguments)}


def _usage() -> dict[str, Any]:
    return {
        "input_tokens": INPUT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": OUTPUT_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
    }


def _event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()
