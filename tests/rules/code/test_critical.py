"""Critical files: who really uses what a file defines, and how much hangs on it."""

from __future__ import annotations

from pucs.code.critical import CRITICAL_FILES_MAX, critical_files, subclasses_of, users_of
from pucs.code.records import CriticalFile, Risk
from tests.rules.code.trees import tree

BEHIND = {
    "models/__init__.py": "from models.risk import Risk\nfrom models.other import *\n",
    "models/risk.py": "class Risk: pass\n",
    "models/other.py": "def other(): pass\n",
}


def rated(files: dict[str, str], changes: dict[str, int] | None = None) -> dict[str, CriticalFile]:
    """Return the critical files of a repository whose streams are its top directories, in their order."""
    found = critical_files(
        tree(files),
        stream_of=lambda path: path.partition("/")[0] if "/" in path else "",
        changes=changes or {},
    )
    return {each.path: each for each in found}


def test_users_are_found_through_what_passes_a_name_on() -> None:
    """Whoever uses a name from a package uses the file that defines it, not the package."""
    code = tree(
        BEHIND
        | {
            "one/a.py": "from models import Risk, other\nRisk()\nother()\n",
            "two/b.py": "import models.risk as r\nr.Risk()\n",
            "three/c.py": "from models import Risk as Own\nclass Mine(Own): pass\n",
            "four/d.py": "from models import Risk\n",
        }
    )
    users = users_of(code)
    assert users["models/risk.py"] >= {"one/a.py", "two/b.py", "three/c.py"}
    assert "one/a.py" in users["models/other.py"]
    assert not {"one/a.py", "two/b.py"} & users.get("models/__init__.py", set())
    assert subclasses_of(code) == {"models/risk.py": {"Risk": {"three/c.py::Mine"}}}


def test_score_is_users_elsewhere_and_tests_by_streams_by_changes() -> None:
    """Users in a file's own stream need no coordination between streams."""
    files = {
        "core/base.py": "def use(): pass\n",
        **{
            f"{place}.py": "from core.base import use\nuse()\n"
            for place in ("core/own", "a/one", "a/two", "b/x")
        },
        "tests/test_base.py": "from core.base import use\nuse()\n",
    }
    found = rated(files, {"core/base.py": 3})["core/base.py"]
    assert found.score == (3 + 1) * (1 + 2) * (1 + 3)
    assert found.users == ("a/one.py", "a/two.py", "b/x.py", "core/own.py")
    assert found.tests == ("tests/test_base.py",)
    assert found.streams == ("a", "b", "core")
    assert found.reason == "4 files use it, 2 other streams, changed 3 times"


def test_files_that_only_tests_or_one_file_use_are_not_critical() -> None:
    """Nobody has to coordinate for them."""
    use = "from {} import thing\nthing()\n"
    files = {
        "a/once.py": "def thing(): pass\n",
        "a/tested.py": "def thing(): pass\n",
        "tests/helping.py": "def thing(): pass\n",
        "b/x.py": use.format("a.once") + use.format("tests.helping"),
        "c/x.py": use.format("tests.helping"),
        "tests/test_a.py": use.format("a.tested"),
        "tests/test_b.py": use.format("a.tested"),
    }
    assert not rated(files)


def test_risk_says_how_far_a_change_reaches() -> None:
    """The first three and what three streams use are high; much used files and base classes in the middle; others low."""
    many = {f"own/u{n}.py": "from own.many import f\nf()\n" for n in range(10)}
    files = {
        "hub/h.py": "def f(): pass\n",
        **{f"s{n}/x.py": "from hub.h import f\nf()\n" for n in range(3)},
        "own/many.py": "def f(): pass\n",
        "z/user.py": "from own.many import f\nfrom low.l import f as g\nfrom fam.base import Base\nf()\ng()\nBase()\n",
        **many,
        "fam/base.py": "class Base: pass\n",
        "fam/one.py": "from fam.base import Base\nclass One(Base): pass\n",
        "fam/two.py": "from fam.base import Base\nclass Two(Base): pass\n",
        "low/l.py": "def f(): pass\n",
        "low/m.py": "from low.l import f\nf()\n",
        **{f"top{n}/x.py": "def f(): pass\n" for n in range(3)},
        **{f"y{n}/x.py": "".join(f"from top{m}.x import f as f{m}\nf{m}()\n" for m in range(3)) for n in range(2)},
    }  # fmt: skip
    found = rated(files, {f"top{n}/x.py": 50 for n in range(3)})
    risks = {path: each.risk for path, each in found.items()}
    assert list(risks)[:3] == ["top0/x.py", "top1/x.py", "top2/x.py"]
    assert set(list(risks.values())[:3]) == {Risk.HIGH}
    assert risks["hub/h.py"] is Risk.HIGH
    assert risks["own/many.py"] is Risk.MEDIUM
    assert risks["fam/base.py"] is Risk.MEDIUM
    assert found["fam/base.py"].reason.endswith("2 classes inherit from Base")
    assert risks["low/l.py"] is Risk.LOW


def test_base_classes_are_listed_even_where_only_their_own_stream_uses_them() -> None:
    """Who changes one changes all that inherit from it."""
    files = {
        "fam/base.py": "class Base: pass\n",
        "fam/helper.py": "def help(): pass\n",
        "fam/one.py": "from fam.base import Base\nfrom fam.helper import help\nclass One(Base): help()\n",
        "fam/two.py": "from fam.base import Base\nfrom fam.helper import help\nclass Two(Base): help()\n",
    }
    found = rated(files)
    assert list(found) == ["fam/base.py"]
    assert (found["fam/base.py"].score, found["fam/base.py"].risk) == (0, Risk.HIGH)


def test_of_very_many_the_most_critical_are_listed() -> None:
    """Nobody watches more, and files alike come in the order of their names."""
    count = CRITICAL_FILES_MAX + 5
    hubs = {f"hub{n:02}/h.py": "def f(): pass\n" for n in range(count)}
    text = "".join(f"from hub{n:02}.h import f as f{n}\nf{n}()\n" for n in range(count))
    found = rated({**hubs, "a/x.py": text, "b/x.py": text}, {"hub24/h.py": 1})
    assert list(found) == ["hub24/h.py", *(f"hub{n:02}/h.py" for n in range(CRITICAL_FILES_MAX - 1))]
