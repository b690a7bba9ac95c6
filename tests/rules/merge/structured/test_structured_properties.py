"""What holds for merges of all structured files, whatever is in them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.merge.records import Texts, Tier
from pucs.merge.structured import forms
from pucs.merge.structured.language import Structured
from pucs.merge.structured.outline import Unreadable, lines_of
from pucs.merge.texts import split
from tests.rules.merge.structured.merged import merged, settled

PATHS = [
    "x.json",
    "x.yml",
    "x.toml",
    "x.ini",
    "README.md",
    "index.rst",
    "CHANGES",
    "requirements.txt",
    ".gitignore",
]
SNIPPETS = [
    '{\n  "a": 1,\n  "b": [\n    1\n  ]\n}\n',
    "a: 1\nb:\n  - x\n  - y: z\n# end\n",
    "[a]\nb = 1\nc = [\n  1,\n]\n[[d]]\n",
    "# T\n\n- a\n  - b\n\n## 1.0\n\n```\nx\n",
    "T\n=\n\n.. _x:\n\nU\n-\n* é\n\n  p\n",
    "\t\n\x0c\r\n- \n=\n---\n",
    '{[}]\n"\n\'\'\'\n"""\n',
]
TEXTS = st.lists(st.sampled_from([*"".join(SNIPPETS).split("\n"), ""]), max_size=14).map("\n".join)


@given(path=st.sampled_from(PATHS), base=TEXTS, ours=TEXTS, theirs=TEXTS)
def test_any_texts_merge_without_a_crash(path: str, base: str, ours: str, theirs: str) -> None:
    """No text raises, and a result has no more lines of conflict than there are lines."""
    merged(path, base, ours, theirs)


@given(path=st.sampled_from(PATHS), base=TEXTS, side=TEXTS)
def test_a_change_of_one_side_is_the_result(path: str, base: str, side: str) -> None:
    """merge(x, x, y) = merge(x, y, x) = y, and merge(x, y, y) = y."""
    language = Structured(forms.of(path) or pytest.fail(path))
    for texts in ((base, base, side), (base, side, base), (base, side, side)):
        for pieces in language.attempts(Texts(*map(split, texts))):
            assert "".join(line for piece in pieces for line in getattr(piece, "lines", ("?",))) == side


@given(path=st.sampled_from(PATHS), text=TEXTS)
def test_an_outline_has_every_line(path: str, text: str) -> None:
    """Reading loses nothing: the lines of an outline are those of its text."""
    form = forms.of(path)
    assert form is not None
    text = text if text.endswith("\n") else f"{text}\n"
    try:
        [outline] = form.outlines([split(text)])
    except Unreadable:
        return
    assert lines_of(outline) == split(text)


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
DATA: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    NAMES, st.integers(0, 3) | st.dictionaries(NAMES, st.integers(0, 3), max_size=3), max_size=5
)


def three_way(base: Any, ours: Any, theirs: Any) -> Any:
    """Return the merge of data; a value that both sides changed is a KeyError."""
    if theirs in (ours, base):
        return ours
    if base == ours:
        return theirs
    if not all(isinstance(one, dict) for one in (ours, theirs)):
        raise KeyError
    base = base if isinstance(base, dict) else {}
    none = object()
    values = {
        key: three_way(base.get(key, none), ours.get(key, none), theirs.get(key, none))
        for key in {**ours, **theirs, **base}
    }
    return {key: value for key, value in values.items() if value is not none}


@given(base=DATA, ours=DATA, theirs=DATA)
def test_the_result_says_what_the_merge_of_the_data_says(base: Any, ours: Any, theirs: Any) -> None:
    """A merged JSON text has the data that both sides' changes make, never a value that two sides changed."""
    found = merged(
        "x.json", *(json.dumps(one, indent=2) + "\n" for one in (base, ours, theirs)), accept=Tier.AUTO
    )
    if not found.clean:
        return
    try:
        expected = three_way(base, ours, theirs)
    except KeyError:
        pytest.fail("a value that both sides changed was settled")
    assert json.loads(found.content) == expected


@pytest.mark.parametrize("path", PATHS)
def test_line_ends_and_signs_of_other_tongues_stay(path: str) -> None:
    """Files with carriage returns keep them, and what is not ASCII stays as it is."""
    base = {
        "x.json": '{\n  "ä": 1\n}\n',
        "x.yml": "ä: 1\n",
        "x.toml": '"ä" = 1\n',
        "x.ini": "[ä]\nb = 1\n",
    }.get(path, "* ä\n")
    new = {
        "x.json": '1,\n  "{}": "漢"',
        "x.yml": '1\n{}: "漢"',
        "x.toml": '1\n{} = "漢"',
        "x.ini": "1\n{} = 漢",
    }
    add = new.get(path, "ä\n* {} 漢")
    old = "1" if path in new else "ä"
    ours, theirs = base.replace(old, add.format("one")), base.replace(old, add.format("two"))
    crlf = (text.replace("\n", "\r\n") for text in (base, ours, theirs))
    found = settled(path, *crlf, accept=Tier.REVIEW)
    assert found.count("漢") == 2
    assert found.count("\n") == found.count("\r\n") > 0


@pytest.mark.slow
def test_large_files() -> None:
    """A list of two thousand lines is merged; what is beyond all measure stays git's result, and quickly."""
    base = "".join(f"package-{number}\n" for number in range(2_000))
    assert settled("requirements.txt", base, base + "ours\n", base + "theirs\n") == base + "ours\ntheirs\n"
    base = "".join(f"- entry {number} {'x' * 600}\n" for number in range(1_100))
    assert not merged("CHANGES.md", base, base + "- ours\n", base + "- theirs\n").clean
