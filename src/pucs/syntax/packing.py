"""Facts of a file as bytes, for keeping and for handing over between processes."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from pucs.syntax.facts import FileFacts

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(FileFacts)
_NO_TEXT: Final = "holds text that cannot be written down"


def packed(facts: FileFacts) -> bytes:
    """Return facts as bytes that ``unpacked`` understands."""
    try:
        return _ENCODER.encode(facts)
    except UnicodeEncodeError:
        # Half of a surrogate pair, from an escape in somebody's string: no text of a file has one.
        bare = replace(facts, imports=(), definitions=(), uses=(), strings=(), exports=())
        return _ENCODER.encode(replace(bare, description="", deprecated="", problem=_NO_TEXT))


def unpacked(data: bytes) -> FileFacts | None:
    """Return the facts in these bytes; None: they are damaged, or of another format."""
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
