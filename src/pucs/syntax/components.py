"""Reads the scripts inside a component (Vue, Svelte) as one script; what its markup uses is not told."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import DefinitionFact, DefinitionKind, FileFacts, Language
from pucs.syntax.script_facts import JAVASCRIPT, TSX, TYPESCRIPT, script_facts

_TAG: Final = re.compile(rb"<(/?)script\b([^>\n]{0,400})>", re.IGNORECASE)
_LANGUAGE: Final = re.compile(rb"\blang=['\"]?(tsx?|typescript)\b", re.IGNORECASE)
_NO_NEWLINE: Final = re.compile(rb"[^\n]")


def component_facts(source: bytes) -> FileFacts:
    """Return the facts of a component's scripts, with the lines they have in its file.

    The component itself is what the file exports by default.
    """
    if len(source) > SOURCE_BYTES_MAX:
        return FileFacts(Language.JAVASCRIPT, 0, problem=f"larger than {SOURCE_BYTES_MAX} bytes")
    kind = JAVASCRIPT
    parts: list[bytes] = []
    at, open_at = 0, -1
    for tag in _TAG.finditer(source):
        if tag[1] and open_at >= 0:
            parts += [_NO_NEWLINE.sub(b" ", source[at:open_at]), source[open_at : tag.start()]]
            at, open_at = tag.start(), -1
        elif not tag[1] and open_at < 0 and not tag[2].rstrip().endswith(b"/"):
            open_at = tag.end()
            if (language := _LANGUAGE.search(tag[2])) is not None:
                kind = TSX if language[1].lower() == b"tsx" else TYPESCRIPT
    parts.append(_NO_NEWLINE.sub(b" ", source[at:]))
    facts = script_facts(kind, b"".join(parts))
    component = DefinitionFact("default", DefinitionKind.VARIABLE, 1, max(1, facts.lines))
    named = any(one.name == "default" for one in facts.definitions) or any(
        public == "default" for public, _ in facts.aliases
    )
    return replace(
        facts,
        definitions=facts.definitions if named else (*facts.definitions, component),
        exports=tuple(dict.fromkeys(("default", *facts.exports))),
    )
