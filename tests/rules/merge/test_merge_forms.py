"""The form of a file under merge: what ends its lines, its byte order mark, its encoding, whether its last line ends."""

from __future__ import annotations

import pytest

from pucs.merge.merging import LineMerge, merge
from pucs.merge.records import Merged, Tier, Versions

BASE = "import os\n\nA = 1\nB = 'é'\nC = 3\n"
OURS = "import os\nimport re\n\nA = 1\nB = 'é'\nC = 3\n"
THEIRS = "import os\nimport sys\n\nA = 1\nB = 'é'\nC = 4\n"
WANTED = "import os\nimport re\nimport sys\n\nA = 1\nB = 'é'\nC = 4\n"
"""Both add an import at one place, which is a conflict for lines, and theirs changes a value."""
BOM = b"\xef\xbb\xbf"


def merged(base: bytes, ours: bytes, theirs: bytes) -> Merged:
    """Merge versions that git has a conflict in."""
    gits = LineMerge(b"<<<<<<< ours\n=======\n>>>>>>> theirs\n" * 100, 1)
    return merge("m.py", Versions(base, ours, theirs), gits, accept=Tier.REVIEW)


def crlf(text: str) -> bytes:
    """Return a text with the ends of lines of Windows."""
    return text.replace("\n", "\r\n").encode()


def test_a_plain_file_is_merged() -> None:
    """What the others are measured by."""
    assert merged(BASE.encode(), OURS.encode(), THEIRS.encode()).content == WANTED.encode()


def test_files_of_windows_stay_files_of_windows() -> None:
    """Every line of the result, markers too, ends as the versions' lines do."""
    assert merged(crlf(BASE), crlf(OURS), crlf(THEIRS)).content == crlf(WANTED)
    conflict = merged(crlf(BASE), crlf(BASE.replace("A = 1", "A = 2")), crlf(BASE.replace("A = 1", "A = 3")))
    assert conflict.conflicts
    assert conflict.content.count(b"\n") == conflict.content.count(b"\r\n")


@pytest.mark.parametrize("whose", ["ours", "theirs"])
def test_one_sides_change_of_the_ends_of_lines_counts(whose: str) -> None:
    """Together with the other side's change of the text."""
    if whose == "ours":
        assert merged(BASE.encode(), crlf(OURS), THEIRS.encode()).content == crlf(WANTED)
        assert merged(crlf(BASE), OURS.encode(), crlf(THEIRS)).content == WANTED.encode()
    else:
        assert merged(BASE.encode(), OURS.encode(), crlf(THEIRS)).content == crlf(WANTED)
        assert merged(crlf(BASE), crlf(OURS), THEIRS.encode()).content == WANTED.encode()


def test_mixed_ends_of_lines_stay_where_they_are() -> None:
    """Nobody asked for them to be made alike."""
    odd = b"A = 1\r\n"
    versions = [text.encode().replace(b"A = 1\n", odd) for text in (BASE, OURS, THEIRS)]
    assert merged(*versions).content == WANTED.encode().replace(b"A = 1\n", odd)


def test_a_byte_order_mark_is_kept_and_merged_by_itself() -> None:
    """One side's mark and the other side's ends of lines both count."""
    assert (
        merged(BOM + BASE.encode(), BOM + OURS.encode(), BOM + THEIRS.encode()).content
        == BOM + WANTED.encode()
    )
    assert merged(BASE.encode(), BOM + OURS.encode(), THEIRS.encode()).content == BOM + WANTED.encode()
    assert merged(BASE.encode(), OURS.encode(), BOM + THEIRS.encode()).content == BOM + WANTED.encode()
    assert merged(BOM + BASE.encode(), OURS.encode(), BOM + THEIRS.encode()).content == WANTED.encode()
    assert merged(BASE.encode(), crlf(OURS), BOM + THEIRS.encode()).content == BOM + crlf(WANTED)
    odd = [text.encode().replace(b"A = 1\n", b"A = 1\r\n") for text in (BASE, OURS, THEIRS)]
    assert merged(odd[0], odd[1], BOM + odd[2]).content.startswith(BOM)


def test_a_last_line_ends_as_the_sides_want_it() -> None:
    """Without an end in all versions, or with the end that one side gave or took."""
    bare = [text.removesuffix("\n").encode() for text in (BASE, OURS, THEIRS, WANTED)]
    assert merged(*bare[:3]).content == bare[3]
    assert merged(bare[0], OURS.encode(), bare[2]).content in (WANTED.encode(), bare[3])
    assert merged(BASE.encode(), bare[1], THEIRS.encode()).content in (bare[3], WANTED.encode())


LATIN = "# -*- coding: latin-1 -*-\n"


def test_bytes_of_an_older_encoding_are_kept() -> None:
    """Whatever they mean, they are what they were."""
    versions = [(LATIN + text).encode("latin-1") for text in (BASE, OURS, THEIRS)]
    assert merged(*versions).content == (LATIN + WANTED).encode("latin-1")


def test_a_change_of_encoding_is_merged_if_all_lines_are_in_the_new_one() -> None:
    """Ours rewrote the file; what theirs adds is plain."""
    old = [(LATIN + text).encode("latin-1") for text in (BASE, OURS, THEIRS)]
    ours = ("# -*- coding: utf-8 -*-\n" + OURS).encode()
    found = merged(old[0], ours, old[2])
    assert not found.clean or found.content == ("# -*- coding: utf-8 -*-\n" + WANTED).encode()


@pytest.mark.parametrize("old", ["latin-1", "utf-8"])
def test_lines_in_two_encodings_are_never_put_into_one_file(old: str) -> None:
    """Theirs adds a line in the encoding that ours has just left: parsed, it would say something else."""
    new = "utf-8" if old == "latin-1" else "latin-1"
    old_cookie, new_cookie = (LATIN if name == "latin-1" else "# a file\n" for name in (old, new))
    base = (old_cookie + BASE).encode(old)
    ours = (new_cookie + OURS).encode(new)
    theirs = (old_cookie + THEIRS.replace("import sys\n", "import sys\n\nD = 'ü'\n")).encode(old)
    found = merged(base, ours, theirs)
    assert found.conflicts
    told = merge("m.py", Versions(base, ours, theirs), LineMerge(ours + "D = 'ü'\n".encode(old), 0))
    assert any("encoding" in one or "codec" in one or "utf-8" in one for one in told.objections)


def test_binary_content_is_gits_business() -> None:
    """A zero byte on any side."""
    gits = LineMerge(b"ours\0", 1)
    assert merge("m.py", Versions(b"a\0", b"b", b"c"), gits).content == b"ours\0"
