"""What holds for every resolver of hunks, whatever it is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pucs.merge.pieces import by_lines
from pucs.merge.python.imports import imports
from pucs.merge.python.inserts import inserts
from pucs.merge.python.members import members
from pucs.merge.python.parameters import parameters
from pucs.merge.python.scene import Scene
from pucs.merge.python.version import version
from pucs.merge.records import Clash, Kept, Settled, Texts

LINES = (
    "import a\n", "import a.b as c\n", "from m import (\n", "    x,  # why\n", "    y as z\n", ")\n", "from . import *\n",
    "from m import x, y\n", "def f(a, *, b=1):\n", "def f(\n", "    a: int = 1,\n", "    *args, **kwargs\n", "    pass\n",
    "X = ['a', 'b']\n", "X = {\n", "    'k': [1, 2],\n", "}\n", "]\n", "\n", "   \n", "# note\n", "if T:\n", "    import t\n",
    '"""\n', "x = 'un\n", "version = '1.0'\n", "version = '1.1.dev0'\n", "y = 1 + \\\n", "else:\n", "\f\n", "a = lambda b, c: [\n",
    "f(g(1), h={2: 3})\n", "end",
)  # fmt: skip
texts = st.lists(st.sampled_from(LINES), max_size=12).map(
    lambda lines: (
        tuple(line if line.endswith("\n") else line + "\n" for line in lines[:-1]) + tuple(lines[-1:])
    )
)


@pytest.mark.parametrize("resolve", [imports, inserts, members, parameters, version])
@given(base=texts, ours=texts, theirs=texts)
def test_pieces_of_a_clash_make_up_the_clash(resolve, base, ours, theirs) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """Whatever is settled or left stands for all lines of the clash, in order, at its place; nothing raises."""
    scene = Scene(Texts(base, ours, theirs))
    for clash in by_lines(base, ours, theirs):
        if not isinstance(clash, Clash):
            continue
        found = resolve(clash, scene) or (clash,)
        for side in ("base", "ours", "theirs"):
            parts = [one.clash if isinstance(one, Settled) else one for one in found]
            lines = [one.lines if isinstance(one, Kept) else getattr(one, side) for one in parts]
            assert sum(lines, ()) == getattr(clash, side)
        for one in found:
            part = one.clash if isinstance(one, Settled) else one
            if isinstance(part, Clash):
                assert ours[part.at.ours : part.at.ours + len(part.ours)] == part.ours
                assert theirs[part.at.theirs : part.at.theirs + len(part.theirs)] == part.theirs
