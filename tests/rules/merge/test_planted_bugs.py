"""Rules with bugs planted in them: whatever a rule does wrong, guards make a conflict of it.

Each plant changes what a way to merge proposes, before guards see it. The merge then has to be what it would have been
without the plant, or a conflict that keeps both sides.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pucs.merge.merging import LineMerge, merge
from pucs.merge.python.language import Python
from pucs.merge.records import Clash, Kept, Merged, Piece, Pieces, Settled, Tier, Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pucs.merge.records import Lines, Texts

    Plant = Callable[[Piece], Piece]

BASE = '''
"""A shop."""

import os

LIMIT = 10


def total(prices, tax):
    """Add up."""
    found = 0
    for price in prices:
        found += price
    return found * tax


def where():
    return os.getcwd()
'''.lstrip()
OURS = (
    BASE
    .replace("import os\n", "import os\nimport json\n")
    .replace("(prices, tax)", "(prices, tax, extra=0)")
    .replace("found * tax", "extra + found * tax")
    .replace(
        "def where():\n",
        "def listed(prices):\n    rows = json.dumps(prices)\n    return rows\n\n\ndef where():\n",
    )
)
THEIRS = (
    BASE
    .replace("import os\n", "import os\nimport re\n")
    .replace("(prices, tax)", "(prices, rate)")
    .replace("found * tax", "found * rate")
    .replace(
        "def where():\n", "def clean(word):\n    kept = re.escape(word)\n    return kept\n\n\ndef where():\n"
    )
)
VERSIONS = Versions(BASE.encode(), OURS.encode(), THEIRS.encode())
GITS = LineMerge(b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" * 100, 1)


def merged() -> Merged:
    """Merge the shop."""
    return merge("shop.py", VERSIONS, GITS, accept=Tier.REVIEW)


def of_rules(change: Callable[[Lines, Clash], Lines]) -> Plant:
    """Return a plant in what rules settle."""
    return lambda piece: (
        replace(piece, lines=change(piece.lines, piece.clash)) if isinstance(piece, Settled) else piece
    )


def of_the_rest(change: Callable[[Lines], Lines]) -> Plant:
    """Return a plant in what no rule touches."""
    return lambda piece: Kept(change(piece.lines)) if isinstance(piece, Kept) else piece


def without_word(word: str) -> Plant:
    """Return a plant that forgets a word wherever it is."""
    return of_rules(lambda lines, _: tuple(re.sub(rf"\b{word}\b", "", line) for line in lines))


def written_for(old: str, new: str) -> Plant:
    """Return a plant that writes one thing for another."""
    return of_rules(lambda lines, _: tuple(line.replace(old, new) for line in lines))


PLANTS: dict[str, Plant] = {
    "drops the first line": of_rules(lambda lines, _: lines[1:]),
    "drops the last line": of_rules(lambda lines, _: lines[:-1]),
    "drops everything": of_rules(lambda *_: ()),
    "drops a line in the middle": of_rules(
        lambda lines, _: lines[: len(lines) // 2] + lines[len(lines) // 2 + 1 :]
    ),
    "takes ours": of_rules(lambda _, clash: clash.ours),
    "takes theirs": of_rules(lambda _, clash: clash.theirs),
    "takes the base": of_rules(lambda _, clash: clash.base),
    "puts one side after the other": of_rules(lambda _, clash: clash.ours + clash.theirs),
    "puts the base back before": of_rules(lambda lines, clash: clash.base + lines),
    "doubles the first line": of_rules(lambda lines, _: lines[:1] + lines),
    "doubles everything": of_rules(lambda lines, _: lines + lines),
    "turns lines around": of_rules(lambda lines, _: lines[::-1]),
    "swaps the last lines": of_rules(lambda lines, _: (*lines[:-2], *lines[:-3:-1])),
    "takes turns": of_rules(lambda lines, _: lines[::2] + lines[1::2]),
    "forgets an end of line": of_rules(lambda lines, _: tuple(line.rstrip("\n") for line in lines)),
    "forgets a word of ours": without_word("extra"),
    "forgets a word of theirs": without_word("rate"),
    "brings back a word": written_for("rate", "tax"),
    "makes up a word": written_for("rate", "rates"),
    "says a word twice": written_for("extra", "extra + extra"),
    "loses an import of ours": of_rules(
        lambda lines, _: tuple(one for one in lines if one != "import json\n")
    ),
    "loses an import of theirs": of_rules(
        lambda lines, _: tuple(one for one in lines if one != "import re\n")
    ),
    "imports twice": of_rules(
        lambda lines, _: tuple(
            row for line in lines for row in ((line,) * 2 if line.startswith("import") else (line,))
        )
    ),
    "loses an indentation": of_rules(lambda lines, _: tuple(line.removeprefix("    ") for line in lines)),
    "indents more": of_rules(lambda lines, _: tuple(f"    {line}" for line in lines)),
    "puts a line into the block before": of_rules(
        lambda lines, _: tuple(f"    {line}" if "return extra" in line else line for line in lines)
    ),
    "swaps statements that nobody changed": of_the_rest(
        lambda lines: tuple(
            {"LIMIT = 10\n": '"""A shop."""\n', '"""A shop."""\n': "LIMIT = 10\n"}.get(line, line)
            for line in lines
        )
    ),
    "leaves out lines that nobody changed": of_the_rest(lambda lines: lines[:-1]),
    "doubles lines that nobody changed": of_the_rest(lambda lines: lines + lines[-1:]),
    "turns around lines that nobody changed": of_the_rest(lambda lines: lines[::-1]),
    "writes into lines that nobody changed": of_the_rest(
        lambda lines: tuple(line.replace("LIMIT = 10", "LIMIT = 11") for line in lines)
    ),
}


def test_without_a_plant_the_shop_is_merged() -> None:
    """Else the plants would prove nothing: several rules have a part in it."""
    assert merged().clean
    assert len(merged().resolutions) >= 2


@pytest.mark.parametrize("name", PLANTS)
def test_a_rule_that_does_wrong_leaves_a_conflict(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards put the place back: nothing wrong is written, and no word of either side gets lost."""
    right = merged()
    real = Python.attempts

    def planted(self: Python, texts: Texts) -> Iterator[Pieces]:
        for pieces in real(self, texts):
            yield tuple(PLANTS[name](piece) for piece in pieces)

    monkeypatch.setattr(Python, "attempts", planted)
    found = merged()
    if found.clean:
        assert found.content == right.content
    else:
        words = set(re.findall(r"\w+", found.content.decode()))
        base, ours, theirs = (set(re.findall(r"\w+", version)) for version in (BASE, OURS, THEIRS))
        assert found.content == GITS.content or (ours - base) | (theirs - base) | (ours & theirs) <= words


def test_all_plants_take_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without guards each of them would be written."""
    right = merged().content
    real = Python.attempts
    monkeypatch.setattr("pucs.merge.guards.objections", lambda *_: ())
    for plant in PLANTS.values():

        def planted(self: Python, texts: Texts, plant: Plant = plant) -> Iterator[Pieces]:
            for pieces in real(self, texts):
                yield tuple(plant(piece) for piece in pieces)

        monkeypatch.setattr(Python, "attempts", planted)
        assert merged().content != right
