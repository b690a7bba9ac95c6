"""Scripts: where a conversation stands is found from what it shows."""

import pytest

from pucs.testing import scripts

WRITE = {"write": "a.py", "text": "a = 1\n"}
DONE = {"text": "done"}


def test_the_first_step_comes_first() -> None:
    """A prompt alone is answered with the script's first step."""
    assert scripts.due([WRITE, DONE], ["do it"]).step == WRITE


def test_each_turn_leads_one_step_on() -> None:
    """One turn behind means the second step is due."""
    assert scripts.due([WRITE, DONE], ["do it", "written"]).step == DONE


def test_a_script_at_its_end_says_so() -> None:
    """Who asks on after the last step is told that nothing is left."""
    assert scripts.due([DONE], ["do it", "and more"]).step == scripts.OVER


def test_sleeping_takes_no_turn() -> None:
    """The model thinks before the step that follows, and only when that step is due."""
    script = [{"sleep": 2}, WRITE, DONE]
    assert (scripts.due(script, ["go"]).step, scripts.due(script, ["go"]).sleep_s) == (WRITE, 2.0)
    assert scripts.due(script, ["go", "written"]).sleep_s == 0.0


def test_trouble_stands_before_its_step() -> None:
    """A failing model server takes no turn either."""
    script = [WRITE, {"fail": 529, "times": 1}, DONE]
    assert scripts.due(script, ["go"]).trouble == ()
    assert scripts.due(script, ["go", "written"]).trouble == ({"fail": 529, "times": 1},)


@pytest.mark.parametrize(("answer", "text"), [("held by agent-2", "waiting"), ("written", "done")])
def test_a_script_goes_by_what_it_saw(answer: str, text: str) -> None:
    """A step may depend on what followed the last one."""
    script = [WRITE, {"if_saw": "held by", "then": {"text": "waiting"}, "else": DONE}]
    assert scripts.due(script, ["go", answer]).step["text"] == text


@pytest.mark.parametrize(
    ("answer", "text"), [("rejected", "waiting"), ("denied", "waiting"), ("written", "done")]
)
def test_one_of_several_signs_is_enough(answer: str, text: str) -> None:
    """Programs say the same in different words."""
    script = [WRITE, {"if_saw": ["denied", "rejected"], "then": {"text": "waiting"}}, DONE]
    assert scripts.due(script, ["go", answer]).step["text"] == text


def test_a_way_without_steps_goes_on() -> None:
    """Nothing to do on one way leaves the turn to the next step."""
    assert scripts.due([WRITE, {"if_saw": "held by", "then": WRITE}, DONE], ["go", "written"]).step == DONE


def test_steps_are_repeated_while_something_is_seen() -> None:
    """A refused edit is tried again until it is not refused, after any number of prompts."""
    script = [{"do": [WRITE, {"if_saw": "held", "then": {"text": "waiting"}}], "while_saw": "again"}, DONE]
    assert scripts.due(script, ["go", "held by agent-2"]).step == {"text": "waiting"}
    assert scripts.due(script, ["go", "held by agent-2", "your turn, again"]).step == WRITE
    assert scripts.due(script, ["go", "held by agent-2", "your turn, again", "written"]).step == DONE


def test_repeating_comes_to_an_end() -> None:
    """A script that never sees anything else goes on after its limit."""
    script = [{"do": [WRITE], "while_saw": "held"}, DONE]
    assert scripts.due(script, ["go", *["held"] * scripts.REPEATS]).step == DONE


def test_a_callable_makes_a_step_of_what_it_saw() -> None:
    """Python decides where words do not reach."""
    script = [WRITE, lambda saw: {"text": saw.upper()}]
    assert scripts.due(script, ["go", "written"]).step == {"text": "WRITTEN"}


@pytest.mark.parametrize(
    "script", [[{"wriet": "a"}], "text", [{"do": [{"x": 1}]}], [{"if_saw": "a", "then": [{}]}]]
)
def test_a_step_without_a_known_word_is_refused(script: object) -> None:
    """A slip of the pen is told when the script is given, not when the agent hangs."""
    with pytest.raises(ValueError, match=r"step|script"):
        scripts.check(script)
