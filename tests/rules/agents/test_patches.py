"""What patches and exchanges of text make of a file."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.agents.calls import Edit, Replacement
from pucs.agents.patches import Unclear, edited, parse_patch

CART = b"class Cart:\n    def add(self, item):\n        self.items.append(item)\n\n    def total(self):\n        return sum(self.items)\n"
PATCH = """*** Begin Patch
*** Add File: docs/new.md
+# New
+
+text
*** Update File: shop/cart.py
@@ class Cart:
     def total(self):
-        return sum(self.items)
+        return round(sum(self.items), 2)
*** Update File: shop/old.py
*** Move to: shop/new.py
@@
-a
+b
*** Delete File: gone.py
*** End Patch
"""


def hunks(body: str) -> Edit:
    return Edit(path="f", hunks=body)


def test_a_patch_names_every_file_it_touches() -> None:
    """Additions, updates, moves and deletions become edits; a move deletes the old path."""
    edits = parse_patch(PATCH)
    assert [(edit.path, edit.deletes) for edit in edits] == [
        ("docs/new.md", False),
        ("shop/cart.py", False),
        ("shop/old.py", True),
        ("shop/new.py", False),
        ("gone.py", True),
    ]
    assert edits[0].content == b"# New\n\ntext\n"
    assert edited(CART, edits[1]) == CART.replace(b"sum(self.items)", b"round(sum(self.items), 2)")


def test_a_patch_out_of_a_heredoc_or_with_windows_lines_is_read() -> None:
    """What stands around a patch does not matter, nor how its lines end."""
    text = "apply_patch <<'EOF'\n" + PATCH + "EOF\n"
    assert parse_patch(text) == parse_patch(PATCH)
    assert [edit.path for edit in parse_patch(PATCH.replace("\n", "\r\n"))] == [
        edit.path for edit in parse_patch(PATCH)
    ]


def test_lines_of_an_update_are_not_taken_for_headers() -> None:
    """A context line that looks like a header stays a line."""
    (edit,) = parse_patch("*** Begin Patch\n*** Update File: a\n *** Delete File: b\n-x\n+y\n*** End Patch")
    assert edited(b"*** Delete File: b\nx\n", edit) == b"*** Delete File: b\ny\n"


@pytest.mark.parametrize(
    ("old", "body", "new"),
    [
        ("a\nb\nc\n", "@@\n a\n-b\n+B\n c\n", "a\nB\nc\n"),
        ("x\na\nx\na\n", "@@ a\n-x\n+y\n", "x\na\ny\na\n"),
        ("x\na\nx\n", "@@\n-x\n+y\n*** End of File\n", "x\na\ny\n"),
        ("a\n", "@@\n+b\n", "a\nb\n"),
        ("a  \n", "@@\n-a\n+b\n", "b\n"),
        ("    a\n", "@@\n-a\n+b\n", "b\n"),
        ("a\nb", "@@\n-b\n+c\n", "a\nc\n"),
        ("a\n", "@@\n-a\n", ""),
        ("a\nb\n", "@@\n-a\n+A\n@@\n-b\n+B\n", "A\nB\n"),
        ("class A:\n  def f():\n    x\n", "@@ class A:\n@@   def f():\n-    x\n+    y\n", "class A:\n  def f():\n    y\n"),
        ("a\n", "@@\n-a\n+b\n\n", "b\n"),
        ("x\ny\nx\n", "@@ -3,1 +3,1 @@\n-x\n+z\n", "x\ny\nz\n"),
        ("x\ny\n", "@@ -1,0 +2,1 @@\n+z\n", "x\nz\ny\n"),
        ("a\n", "diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@ def f\n-a\n\\ No newline at end of file\n+b\n\\ No newline at end of file\n", "b"),
        ("q\na\n", "@@ -1,1 +1,1 @@\n-a\n+b\n", "q\nb\n"),
    ],
)  # fmt: skip
def test_hunks_change_what_they_fit(old: str, body: str, new: str) -> None:
    """Both kinds of hunks find their lines as the programs do."""
    assert edited(old.encode(), hunks(body)) == new.encode()


@pytest.mark.parametrize(
    ("old", "body"),
    [
        (b"a\n", "@@\n-b\n+c\n"),
        (b"a\n", "@@ nowhere\n-a\n+c\n"),
        (b"a\nb\n", "@@\n-b\n+B\n@@\n-a\n+A\n"),
        (None, "@@\n-a\n+b\n"),
        (b"a\n", "@@ -9,0 +9,1 @@\n+z\n"),
        (b"a\n", "@@\n?a\n"),
    ],
)
def test_hunks_that_do_not_fit_are_unclear(old: bytes | None, body: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(Unclear):
        edited(old, hunks(body))


@pytest.mark.parametrize(
    ("old", "exchange", "new"),
    [
        (b"a b\n", Replacement("a", "c"), b"c b\n"),
        (b"a a\n", Replacement("a", "c", everywhere=True), b"c c\n"),
        (b"a\r\nb\r\n", Replacement("a\nb", "c\nd"), b"c\r\nd\r\n"),
        (b"\xff a\n", Replacement("a", "b"), b"\xff b\n"),
        (None, Replacement("", "new\n"), b"new\n"),
        (b"", Replacement("", "new\n"), b"new\n"),
        (b"a", Replacement("a", "\ud800"), b"\xed\xa0\x80"),
    ],
)
def test_texts_are_exchanged(old: bytes | None, exchange: Replacement, new: bytes) -> None:
    """Bytes that are no text, Windows lines and new files are kept as they are."""
    assert edited(old, Edit(path="f", replacements=(exchange,))) == new


@pytest.mark.parametrize(
    ("old", "exchange"),
    [(b"a a", Replacement("a", "b")), (b"a", Replacement("x", "b")), (b"a", Replacement("", "b"))],
)
def test_a_text_that_is_absent_or_ambiguous_is_unclear(old: bytes, exchange: Replacement) -> None:
    """The program would refuse such an exchange, or do something else."""
    with pytest.raises(Unclear):
        edited(old, Edit(path="f", replacements=(exchange,)))


def test_contents_and_deletions_need_nothing_of_the_old_file() -> None:
    """An edit that says nothing of how is unclear."""
    assert edited(b"x", Edit(path="f", content=b"y")) == b"y"
    assert edited(b"x", Edit(path="f", deletes=True)) is None
    with pytest.raises(Unclear):
        edited(b"x", Edit(path="f"))


@given(st.text(st.sampled_from(" \n+-@*abEnd Patch:FileMovUpdt"), max_size=300), st.binary(max_size=80))
def test_any_text_is_a_patch_or_unclear(text: str, old: bytes) -> None:
    """Nothing but Unclear is ever raised."""
    for edit in (*parse_patch(f"*** Update File: a\n{text}"), *parse_patch(text), hunks(text)):
        try:
            edited(old, edit)
        except Unclear:
            continue


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_a_whole_exchange_of_lines_gives_the_new_lines(old: list[str], new: list[str]) -> None:
    """A hunk that takes all lines out and puts others in leaves just those."""
    body = "@@\n" + "".join(f"-{line}\n" for line in old) + "".join(f"+{line}\n" for line in new)
    if old or new:
        before = "".join(f"{line}\n" for line in old).encode()
        assert edited(before, hunks(body)) == "".join(f"{line}\n" for line in new).encode()
