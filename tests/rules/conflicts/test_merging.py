"""Whether a clean line merge may count as one."""

from __future__ import annotations

from pucs.conflicts.merging import objections, touched_symbols

BASE = (
    b"import os\n\n\ndef f():\n    one = 1\n\n    two = 2\n    return one + two\n\n\ndef g():\n    return 2\n"
)


def edited(*pairs: tuple[bytes, bytes]) -> bytes:
    """Return the file with some texts replaced."""
    text = BASE
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def test_different_functions_are_no_objection() -> None:
    """What the design allows: other functions, and additions."""
    ours, theirs = edited((b"one = 1", b"one = 11")), edited((b"return 2", b"return 22"))
    merged = edited((b"one = 1", b"one = 11"), (b"return 2", b"return 22"))
    assert objections("m.py", BASE, ours, theirs, merged) == ()


def test_the_same_function_is_one() -> None:
    """Git merges two lines of one function without a word; nobody has looked whether they fit."""
    ours, theirs = edited((b"one = 1", b"one = 11")), edited((b"two = 2", b"two = 22"))
    merged = edited((b"one = 1", b"one = 11"), (b"two = 2", b"two = 22"))
    assert objections("m.py", BASE, ours, theirs, merged) == ("both sides change f",)


def test_the_same_change_on_both_sides_is_none() -> None:
    """Two that did the same are not at odds."""
    same = edited((b"one = 1", b"one = 11"))
    assert objections("m.py", BASE, same, same, same) == ()


def test_one_name_added_twice_is_one() -> None:
    """Two functions of one name in different places merge cleanly, and the second hides the first."""
    ours, theirs = b"def h():\n    return 1\n\n\n" + BASE, BASE + b"\n\ndef h():\n    return 2\n"
    assert objections("m.py", BASE, ours, theirs, ours + theirs[len(BASE) :]) == ("both sides change h",)


def test_loose_statements_of_both_sides_are_one() -> None:
    """What stands outside any definition may depend on its order."""
    ours, theirs = BASE + b"\nprint(1)\n", edited((b"import os\n", b"import os\n\nprint(2)\n"))
    found = objections("m.py", BASE, ours, theirs, theirs + b"\nprint(1)\n")
    assert any("outside any definition" in one for one in found)


def test_what_does_not_parse_any_more_is_one() -> None:
    """Both sides were sound, the result is not."""
    ours, theirs = edited((b"one = 1", b"one = 11")), edited((b"return 2", b"return 22"))
    found = objections("m.py", BASE, ours, theirs, b"def f(:\n")
    assert len(found) == 1
    assert "does not parse" in found[0]


def test_other_files_are_judged_by_their_lines() -> None:
    """Also Python that did not parse before, and a file that was not there."""
    assert objections("notes.txt", b"a", b"b", b"c", b"d") == ()
    assert objections("m.py", BASE, b"def (", BASE, b"def (") == ()
    assert objections("m.py", None, b"x = 1\n", None, b"x = 1\n") == ()


def test_a_change_inside_symbols_names_them() -> None:
    """The outermost ones, added and removed ones too; what is not inside any concerns the whole file."""
    assert touched_symbols("m.py", BASE, edited((b"one = 1", b"one = 11"))) == ("f",)
    assert touched_symbols("m.py", BASE, BASE + b"\n\nclass C:\n    def m(self):\n        return 1\n") == (
        "C",
    )
    assert touched_symbols("m.py", BASE, edited((b"def g", b"def k"))) == ("g", "k")
    assert touched_symbols("m.py", BASE, edited((b"import os", b"import io"))) == ()
    assert touched_symbols("m.py", BASE, BASE + b"\nprint(1)\n") == ()
    assert touched_symbols("m.py", BASE, b"def (") == ()
    assert touched_symbols("m.txt", BASE, b"") == ()
    assert touched_symbols("m.py", BASE, BASE) == ()
