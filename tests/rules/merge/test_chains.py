"""Operands that both sides add to one chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pucs.merge.python.chains import chains
from pucs.merge.python.statements import statements
from pucs.merge.records import Tier
from tests.rules.merge.clashing import merged, tiers

if TYPE_CHECKING:
    from pucs.merge.python.scene import Scene
    from pucs.merge.records import Clash, Pieces


def operands(clash: Clash, scene: Scene) -> Pieces | None:
    """Settle operands on lines of their own, and those within a statement."""
    return chains(clash, scene) or statements(clash, scene)


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected", "tier"),
    [
        ("f(a: int)", "f(a: int | None)", "f(a: int | str)", "f(a: int | None | str)", Tier.AUTO),
        ("x = re.I", "x = re.I | re.M", "x = re.I | re.S", "x = re.I | re.M | re.S", Tier.AUTO),
        ("x = A | B", "x = A | B | dict[c, d]", "x = A | B | D", "x = A | B | dict[c, d] | D", Tier.AUTO),
        ("x = A | B", "x = A | B | Map(c, d)", "x = A | B | D", "x = A | B | Map(c, d) | D", Tier.REVIEW),
        ("x = prompt | model", "x = prompt | model | parser", "x = prompt | model | log",
         "x = prompt | model | parser | log", Tier.REVIEW),
        ("x = 'a|b'", "x = 'a|b|c'", "x = 'a|b|d'", "x = 'a|b|c|d'", Tier.REVIEW),
        ("x = 'A|B'", "x = 'A|B|C'", "x = 'A|B|D'", "x = 'A|B|C|D'", Tier.REVIEW),
        ("x = a or b", "x = a or b or c", "x = a or b or d()", "x = a or b or c or d()", Tier.REVIEW),
        ("if a > 1:", "if a > 1 and b < 2:", "if a > 1 and not c:", "if a > 1 and b < 2 and not c:", Tier.REVIEW),
        ("x = a and b", "x = c and a and b", "x = d and a and b", "x = c and d and a and b", Tier.REVIEW),
        ("x = (\n    A\n    | B\n)", "x = (\n    A\n    | B\n    | C\n)", "x = (\n    A\n    | B\n    | D\n)",
         "x = (\n    A\n    | B\n    | C\n    | D\n)", Tier.AUTO),
        ('x = """\nA\n| B\n"""', 'x = """\nA\n| B\n| C\n"""', 'x = """\nA\n| B\n| D\n"""',
         'x = """\nA\n| B\n| C\n| D\n"""', Tier.REVIEW),
    ],
)  # fmt: skip
def test_operands_of_both_sides_stay(base: str, ours: str, theirs: str, expected: str, tier: Tier) -> None:
    """Ours come first; only where order says nothing is that more than a guess."""
    versions = (f"{base}\n", f"{ours}\n", f"{theirs}\n")
    assert merged(operands, *versions) == f"{expected}\n"
    assert tiers(operands, *versions) == {tier.value}


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param("x = a", "x = a | b", "x = a or c", id="different operators"),
        pytest.param("x = a", "x = a or b if c else d", "x = a or e", id="not only an operand"),
        pytest.param("x = a", "x = a or b and c", "x = a or e", id="another operator in it"),
        pytest.param("x = a", "x = a | b == c", "x = a | e", id="a comparison of the whole chain"),
        pytest.param("x = a", "x = a | b  # why", "x = a | e", id="a comment"),
        pytest.param("x = f(a)", "x = f(a | b, c)", "x = f(a | d, e)", id="other arguments"),
    ],
)
def test_other_insertions_stay_a_clash(base: str, ours: str, theirs: str) -> None:
    """Put one after the other they would mean something else."""
    assert merged(operands, f"{base}\n", f"{ours}\n", f"{theirs}\n") is None


def test_operand_that_both_add_is_not_put_in_twice() -> None:
    """Whether it was meant once is not for this rule to say."""
    versions = ("x = a\n", "x = a | b | c\n", "x = a | d | b\n")
    assert merged(operands, *versions) is None or Tier.AUTO.value not in tiers(operands, *versions)
