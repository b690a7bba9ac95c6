"""Conflicts as they are shown: small, labelled, never gluing lines together."""

from __future__ import annotations

from pucs.merge.markers import Style, rendered
from pucs.merge.records import Clash, Kept, Piece, Settled, Tier


def lines(text: str) -> tuple[str, ...]:
    """One line for each letter."""
    return tuple(f"{letter}\n" for letter in text)


def shown(clash: Clash) -> str:
    """The text of a conflict, without line ends inside lines."""
    return "".join(rendered([clash], Style("mine", "yours", 3))[0])


def test_lines_that_both_sides_have_stand_outside_the_markers() -> None:
    """Common beginnings and ends are no conflict."""
    clash = Clash(lines("b"), lines("axz"), lines("ayz"))
    assert shown(clash) == "a\n<<< mine\nx\n===\ny\n>>> yours\nz\n"


def test_a_long_common_middle_makes_two_conflicts_and_a_short_one_does_not() -> None:
    """Markers cost three lines, so fewer common lines than four stay inside."""
    assert shown(Clash((), lines("xcdefy"), lines("ucdefv"))).count("===") == 2
    assert shown(Clash((), lines("xcdy"), lines("ucdv"))).count("===") == 1


def test_the_first_marker_says_where_and_why() -> None:
    """Entity and reason follow the label of our side."""
    clash = Clash((), lines("x"), lines("y"), entity="Cart.total", reason="both changed it")
    assert shown(clash).startswith("<<< mine (Cart.total: both changed it)\n")


def test_a_last_line_without_an_end_does_not_swallow_a_marker() -> None:
    """The marker begins its own line."""
    assert shown(Clash((), ("x",), ("y",))) == "<<< mine\nx\n===\ny\n>>> yours\n"


def test_each_conflict_is_told_with_its_lines() -> None:
    """Places count from the first line of the whole result, settled pieces included."""
    settled = Settled(lines("st"), "imports", Tier.AUTO, Clash((), (), ()))
    pieces: list[Piece] = [
        Kept(lines("k")),
        settled,
        Clash((), lines("x"), lines("y")),
        Clash((), lines("p"), lines("q")),
    ]
    _, found = rendered(pieces)
    assert [(one.first_line, one.lines) for one in found] == [(4, 5), (9, 5)]
