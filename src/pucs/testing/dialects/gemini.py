"""Google's contents: ``POST /v1beta/models/M:streamGenerateContent``, as Gemini CLI speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pucs.testing.dialects import INPUT_TOKENS, OUTPUT_TOKENS, Asked, Reply, Say, Sights, Tool, words


def understand(body: Mapping[str, Any]) -> Asked:
    """Read a request; the model and whether it streams stand in the address, not in it."""
    sights = Sights()
    for content in body.get("contents", ()):
        if content.get("role") == "model":
            sights.turn()
        else:
            sights.see(*words(content.get("parts", ())))
    return Asked(
        dialect="gemini",
        model="",
        system="\n".join(words(body.get("systemInstruction", ""))),
        sights=sights.all(),
        tools=tuple(
            _tool(offered)
            for group in body.get("tools", ())
            for offered in group.get("functionDeclarations", ())
        ),
        streams=False,
        body=body,
    )


def whole(asked: Asked, reply: Reply) -> Mapping[str, Any]:
    """Return an answer in one piece."""
    if isinstance(reply, Say):
        part: dict[str, Any] = {"text": reply.text}
    else:
        part = {"functionCall": {"id": reply.id, "name": reply.tool.name, "args": dict(reply.arguments)}}
    content = {"role": "model", "parts": [part]}
    return {
        "candidates": [{"index": 0, "content": content, "finishReason": "STOP"}],
        "usageMetadata": {
            "promptTokenCount": INPUT_TOKENS,
            "candidatesTokenCount": OUTPUT_TOKENS,
            "totalTokenCount": INPUT_TOKENS + OUTPUT_TOKENS,
        },
        "modelVersion": asked.model,
    }


def pieces(asked: Asked, reply: Reply) -> Iterator[bytes]:
    """Return an answer as server-sent events: one is enough."""
    yield f"data: {json.dumps(whole(asked, reply))}\n\n".encode()


def _tool(offered: Mapping[str, Any]) -> Tool:
    schema = offered.get("parametersJsonSchema") or offered.get("parameters") or {}
    return Tool(
        name=str(offered.get("name", "")),
        properties=schema.get("properties", {}),
        required=tuple(schema.get("required", ())),
    )
