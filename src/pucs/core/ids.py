"""Names and numbers that must not be mixed up, as distinct types.

A fencing token is ``epoch << 32 | n`` (DESIGN §3.4): one store-wide sequence, so that any two grants can be
ordered by comparing integers, across restarts, restores and power loss.
"""

from __future__ import annotations

from typing import NewType

SessionId = NewType("SessionId", str)
"""One coordinated effort, e.g. ``PUCS-20251206-001`` (000 §3.2)."""
AgentId = NewType("AgentId", str)
"""One running worker; a restart is a new incarnation of the same id."""
StreamName = NewType("StreamName", str)
"""A named part of the code. Compared without regard to case, stored as the configuration spells it."""
TaskId = NewType("TaskId", str)
"""A task of the tasks file."""
CommitId = NewType("CommitId", str)
"""A full git object id of a commit."""
Token = NewType("Token", int)
"""A fencing token: ``epoch << 32 | n``."""

TOKEN_SEQUENCE_BITS = 32
"""Grants per epoch before the sequence would run into the epoch: four billion, far beyond one store's life."""


def token(epoch: int, sequence: int) -> Token:
    """Return the token of grant number ``sequence`` in ``epoch``."""
    return Token(epoch << TOKEN_SEQUENCE_BITS | sequence)


def epoch_of(value: Token) -> int:
    """Return the epoch in which a token was issued."""
    return value >> TOKEN_SEQUENCE_BITS
