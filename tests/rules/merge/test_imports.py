"""Imports that both sides changed: sets of names in statements that keep their form."""

from __future__ import annotations

from textwrap import dedent

import pytest

from pucs.merge.python.imports import imports
from tests.rules.merge.clashing import merged, tiers


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "expected"),
    [
        pytest.param(
            "import os\n", "import os\nimport sys\n", "import json\nimport os\n",
            "import json\nimport os\nimport sys\n", id="sorted stays sorted",
        ),
        pytest.param("x = 1\n", "import b\nx = 1\n", "import a\nx = 1\n", "import a\nimport b\nx = 1\n", id="no base"),
        pytest.param(
            "from m import a\n", "from m import a, c\n", "from m import a, b\n", "from m import a, b, c\n", id="one line",
        ),
        pytest.param(
            "from m import z, a\n", "from m import z, a, c\n", "from m import z, a, b\n", "from m import z, a, c, b\n",
            id="unsorted: ours first",
        ),
        pytest.param(
            "from m import (\n    a,\n    d,\n)\n", "from m import (\n    a,\n    b,\n    d,\n)\n",
            "from m import (\n    a,\n    c,\n    d,\n)\n", "from m import (\n    a,\n    b,\n    c,\n    d,\n)\n",
            id="inside brackets",
        ),
        pytest.param(
            "from m import a, b\n", "from m import (\n    a,\n    b,\n    c,\n)\n", "from m import b, d\n",
            "from m import (\n    b,\n    c,\n    d,\n)\n", id="one side wrapped it, the other dropped a name",
        ),
        pytest.param(
            "import a\n", "import a as b\n", "import a\nimport c\n", "import a as b\nimport c\n", id="an alias",
        ),
        pytest.param(
            "from . import a\n", "from . import a\nfrom .x import y\n", "from . import a, b\n",
            "from . import a, b\nfrom .x import y\n", id="relative",
        ),
        pytest.param(
            "from m import *\n", "from m import *\nimport a\n", "from m import *\nfrom n import *\n",
            "from m import *\nimport a\nfrom n import *\n", id="stars",
        ),
        pytest.param(
            "from m import a\n", "from m import a  # noqa: F401\n", "from m import a, b\n",
            "from m import a, b  # noqa: F401\n", id="a comment behind it",
        ),
        pytest.param(
            "import a\n", "import a\n# why\nimport b\n", "import a\nimport c\n", "import a\n# why\nimport b\nimport c\n",
            id="a comment above it",
        ),
        pytest.param(
            "from m import (\n    a,\n)\n", "from m import (\n    a,\n    b,  # two\n)\n", "from m import (\n    a,\n    c,\n)\n",
            "from m import (\n    a,\n    b,  # two\n    c,\n)\n", id="comments between names",
        ),
        pytest.param(
            "from m import a\nfrom m import c\n", "from m import a\nfrom m import b\nfrom m import c\n",
            "from m import a\nfrom m import c\nfrom m import d\n",
            "from m import a\nfrom m import b\nfrom m import c\nfrom m import d\n", id="one line for each name",
        ),
        pytest.param(
            "x = 1\n", "import a\nx = 1\n", "from __future__ import b\nx = 1\n",
            "from __future__ import b\n\nimport a\nx = 1\n", id="what has to stand first",
        ),
        pytest.param(
            "if x:\n    import a\n", "if x:\n    import a\n    import b\n", "if x:\n    import a\n    import c\n",
            "if x:\n    import a\n    import b\n    import c\n", id="indented",
        ),
    ],
)  # fmt: skip
def test_both_sides_imports_are_kept(base: str, ours: str, theirs: str, expected: str) -> None:
    """The result imports what both want, in the form that the statements had."""
    assert merged(imports, base, ours, theirs) == expected
    assert tiers(imports, base, ours, theirs) <= {"auto", "review"}


def test_additions_alone_are_certain() -> None:
    """Nobody has to look at two sides that only added."""
    assert tiers(imports, "x = 1\n", "import sys\nx = 1\n", "import json\nx = 1\n") == {"auto"}


def test_long_statement_gets_a_line_for_each_name() -> None:
    """A statement that no longer fits on its line is put in brackets."""
    names = ", ".join(f"a_rather_long_name_{n}" for n in range(4))
    base = f"from package.module import {names}\n"
    ours, theirs = base.replace("\n", ", ours_name\n"), base.replace("\n", ", theirs_name\n")
    found = merged(imports, base, ours, theirs)
    assert found is not None
    assert found.splitlines()[0] == "from package.module import ("
    assert "    ours_name,\n    theirs_name,\n)\n" in found


def test_dropped_name_stays_dropped_beside_an_addition() -> None:
    """One side's deletion counts although the other changed the statement."""
    assert (
        merged(imports, "from m import a, b\n", "from m import b\n", "from m import a, b, c\n")
        == "from m import b, c\n"
    )


def test_dropped_import_stays_where_the_other_side_uses_it_anew() -> None:
    """An import that one side dropped as unused is needed by the other's new code."""
    base = "import re\n\nA = 1\n\n\ndef f():\n    return 1\n"
    ours = "\nA = 1\n\n\ndef f():\n    return 1\n"
    theirs = "import json\nimport re\n\nA = 1\n\n\ndef f():\n    return re.escape(json.dumps(1))\n"
    found = merged(imports, base, ours, theirs)
    assert found is not None
    assert found.startswith("import json\nimport re\n\nA")


def test_deletion_beside_extension_of_a_statement_is_a_guess() -> None:
    """Who adds a name to a statement that the other side removed may have wanted the rest of it too (hollow import)."""
    base = "import os\nfrom m import (\n    a,\n    b,\n)\nX = 1\n"
    ours = "import os\nX = 1\n"
    theirs = "import os\nfrom m import (\n    a,\n    b,\n    c,\n)\nX = c\n"
    assert "auto" not in tiers(imports, base, ours, theirs)


def test_a_name_that_one_side_dropped_and_the_other_takes_from_elsewhere_is_a_guess() -> None:
    """The one has no use for it any more, and the other's may have been the same."""
    base = "from util import run\nX = run()\n"
    assert "auto" not in tiers(imports, base, "X = 1\n", "from lib.util import run\nX = run()\n")
    assert "auto" not in tiers(imports, base, "import os\nX = 1\n", "from lib.util import run\nX = run()\n")


def test_names_of_a_statement_that_moved_are_a_clash() -> None:
    """A name added to a statement has to follow it, which is not done here."""
    base = "from m import a\n\n\ndef f():\n    pass\n"
    ours = "import x\n\n\ndef f():\n    from m import a\n"
    assert merged(imports, base, ours, "from m import a, b\n\n\ndef f():\n    pass\n") is None


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [
        pytest.param("from a import N\n", "from b import N\n", "from c import N\n", id="two new sources"),
        pytest.param("x = 1\n", "from a import N\nx = 1\n", "from b import N\nx = 1\n", id="both add it"),
        pytest.param("import a\n", "import a as b\n", "import c as b\n", id="one alias for two"),
        pytest.param(
            "import a\nx = 1\n",
            "import a\nx = 2\nimport b\n",
            "import c\nx = 1\nimport a\n",
            id="between other statements",
        ),
    ],
)
def test_contending_imports_stay_a_clash(base: str, ours: str, theirs: str) -> None:
    """What cannot be told from the imports is left."""
    assert merged(imports, base, ours, theirs) is None


def test_added_import_follows_a_moved_module_as_a_guess() -> None:
    """Where one side moved a module, the other's new names come from its new place."""
    base, ours = "from old.util import a\n", "from old.util import a, b\n"
    theirs = "from new.util import a\n"
    assert merged(imports, base, ours, theirs) == "from new.util import a, b\n"
    assert tiers(imports, base, ours, theirs) == {"review"}


def test_assignment_between_imports_is_never_dropped() -> None:
    """Statements beside imports are settled or left, not lost."""
    base = "import a\n\nX = 1\n"
    ours = "import a\nimport b\n\nX = 1\nY = 2\n"
    theirs = "import a\nimport c\n\nX = 1\n"
    assert merged(imports, base, ours, theirs) == "import a\nimport b\nimport c\n\nX = 1\nY = 2\n"


def test_other_statements_stay_as_a_smaller_clash() -> None:
    """The imports of a clash are settled, what follows them is not."""
    base = "x = 0\n"
    ours = "import b\n\nV = 1\nx = 0\n"
    theirs = "import a\n\nV = 2\nx = 0\n"
    assert merged(imports, base, ours, theirs) is None
    assert tiers(imports, base, ours, theirs) == {"auto"}


def test_block_before_imports_is_taken_over() -> None:
    """A block that one side put before its imports stays before them."""
    base = "x = 0\n"
    ours = "if T:\n    import t\n\nimport b\nx = 0\n"
    theirs = "import c\nx = 0\n"
    assert merged(imports, base, ours, theirs) == "if T:\n    import t\n\nimport b\nimport c\nx = 0\n"


def test_groups_of_imports_stay_apart() -> None:
    """A statement goes to the group that it belongs to."""
    base = "import os\n\nfrom app import a\n"
    ours = "import os\nimport sys\n\nfrom app import a\nfrom app.x import b\n"
    theirs = "import json\n\nfrom app import a, c\n"
    expected = "import json\nimport sys\n\nfrom app import a, c\nfrom app.x import b\n"
    assert merged(imports, base, ours, theirs) == expected


@pytest.mark.parametrize(
    "text", ["from m import (\n", "import\n", "from m import a b\n", "import a; import b\n"]
)
def test_broken_imports_raise_nothing(text: str) -> None:
    """What cannot be read is not settled wrongly."""
    found = merged(imports, "import x\n", f"import x\n{text}", "import x\nimport y\n")
    assert found is None or dedent(text) in found
