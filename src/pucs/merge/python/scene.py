"""What resolvers of one merge share: the three versions and what is found out about them once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pucs.merge.records import Texts


@dataclass(frozen=True)
class Scene:
    """One merge of a Python file; what costs time is worked out when first asked for, and kept."""

    texts: Texts
