"""Who imports whom, and where a name is really defined, over files that exist only here."""

import json
import random
import subprocess
from pathlib import Path

import pytest

from pucs.code.resolving import Code, Place
from pucs.syntax.facts import ImportKind
from pucs.syntax.reading import facts


def of(files: dict[str, str]) -> Code:
    told = {path: facts(path, text.encode()) for path, text in files.items()}
    return Code({path: known for path, known in told.items() if known is not None})


def edges(repository: Code) -> list[tuple[str, str]]:
    return [(edge.importer, edge.imported) for edge in repository.edges()]


def package(*paths: str) -> dict[str, str]:
    """Return empty files, with ``__init__.py`` in every directory of them."""
    inits = {f"{path[:at]}/__init__.py" for path in paths for at in range(len(path)) if path[at] == "/"}
    return dict.fromkeys((*inits, *paths), "")


# Edges --------------------------------------------------------------------------------------------------------------


def test_each_way_of_importing_leads_to_the_file_it_loads() -> None:
    """Of names from a package, those that are modules; the package itself for the others."""
    files = package("app/one.py", "app/two.py", "app/deep/three.py")
    for statement, loaded in {
        "import app.one": ["app/one.py"],
        "import app.deep.three as t, app": ["app/__init__.py", "app/deep/three.py"],
        "from app import one, name": ["app/__init__.py", "app/one.py"],
        "from app import one, two": ["app/one.py", "app/two.py"],
        "from app.one import name": ["app/one.py"],
        "from app.deep import *": ["app/deep/__init__.py"],
        "from app import deep": ["app/deep/__init__.py"],
        "from outside import app": [],
        "import outside.app": [],
    }.items():
        assert edges(of({**files, "main.py": statement})) == [("main.py", file) for file in loaded], statement


def test_a_directory_without_init_has_only_its_modules() -> None:
    """Nothing is loaded for the directory itself, and relative imports work in it."""
    found = of({
        "space/one.py": "from . import two\nfrom .. import main\nfrom ..space import two, gone",
        "space/two.py": "from ... import beyond\nfrom .....far import x",
        "main.py": "import space\nfrom space import one",
    })
    assert edges(found) == [
        ("main.py", "space/one.py"),
        ("space/one.py", "main.py"),
        ("space/one.py", "space/two.py"),
    ]


def test_an_edge_has_its_first_line_and_its_strongest_kind() -> None:
    """What is loaded at once counts more than what may be missing, a call loads, or only a type checker reads."""
    found = of({
        "a.py": "def f():\n    import b\n    import c\nif TYPE_CHECKING:\n    import c\n    import d\n"
        "try:\n    import e\nexcept ImportError:\n    pass\nimport b\n",
        **dict.fromkeys(("b.py", "c.py", "d.py", "e.py"), ""),
    })
    assert [(edge.imported, edge.line, edge.kind) for edge in found.edges()] == [
        ("b.py", 2, ImportKind.TOP),
        ("c.py", 3, ImportKind.LAZY),
        ("d.py", 6, ImportKind.TYPING),
        ("e.py", 8, ImportKind.OPTIONAL),
    ]


def test_a_file_does_not_import_itself() -> None:
    """A package that asks for its own part, and a module for a name of itself, are no circles of one."""
    assert edges(of({"app/__init__.py": "from app import part\nfrom . import name", "app/part.py": ""})) == [
        ("app/__init__.py", "app/part.py")
    ]


def test_modules_that_change_the_import_path_find_loose_files() -> None:
    """Which directory they mean is not told; a file that alone has the name is taken for it."""
    found = of({
        "hooks/check.py": "def go(): ...",
        "tests/test_check.py": "import sys\nsys.path.insert(0, HOOKS)\nimport check\ncheck.go()",
        "tests/test_other.py": "import check",
    })
    assert edges(found) == [("tests/test_check.py", "hooks/check.py")]
    assert found.place("tests/test_check.py", "check.go") == Place("hooks/check.py", "go")


def test_imports_from_outside_are_told_by_their_top() -> None:
    """What the repository has not; never what is relative."""
    found = of({"a.py": "import numpy.linalg\nimport b\nfrom . import gone", "b.py": ""})
    assert [found.external("a.py", fact) for fact in found.facts["a.py"].imports] == ["numpy", "", ""]


def test_broken_files_have_edges_by_their_lines() -> None:
    """A file of Python 2 is part of the picture."""
    assert edges(of({"old.py": "from lib import cut\nprint 'x'\n", "lib.py": ""})) == [("old.py", "lib.py")]


def test_notebooks_import() -> None:
    """Their code cells are read, magics and other cells left out."""
    cells = [
        {"cell_type": "markdown", "source": "import nothing"},
        {
            "cell_type": "code",
            "source": ["%matplotlib inline\n", "if True:\n", "    !ls\n", "from app import part\n"],
        },
        {"cell_type": "code", "source": "%%bash\nimport app"},
        {"cell_type": "code", "source": "part.run?"},
    ]
    found = of({**package("app/part.py"), "notes/a.ipynb": json.dumps({"cells": cells}), "b.ipynb": "{"})
    assert edges(found) == [("notes/a.ipynb", "app/part.py")]
    assert (found.facts["notes/a.ipynb"].problem, found.facts["b.ipynb"].problem) == (
        "",
        "no notebook that can be read",
    )


# Places -------------------------------------------------------------------------------------------------------------


def test_a_name_leads_through_re_exports_to_its_definition() -> None:
    """Over several packages, under other names, and to methods."""
    found = of({
        "app/__init__.py": "from .deep import Breaker as Switch\n",
        "app/deep/__init__.py": "from .core import Breaker\n",
        "app/deep/core.py": "class Breaker:\n    def trip(self): ...\n",
        "main.py": "from app import Switch\nimport app\nimport app.deep.core as core\n",
    })
    core = "app/deep/core.py"
    assert found.place("main.py", "Switch") == Place(core, "Breaker")
    assert found.place("main.py", "Switch.trip") == Place(core, "Breaker.trip")
    assert found.place("main.py", "Switch.unknown.more") == Place(core, "Breaker")
    assert found.place("main.py", "app.Switch") == Place(core, "Breaker")
    assert found.place("main.py", "app.deep.core.Breaker") == Place(core, "Breaker")
    assert found.place("main.py", "core") == Place(core, "")
    assert found.place("main.py", "core.unknown") is None
    assert found.place("main.py", "unknown") is None


def test_star_imports_hand_on_what_their_module_offers() -> None:
    """``__all__`` where it is written out, else every name without an underscore, through further stars."""
    found = of({
        "main.py": "from shop import *\n",
        "shop.py": "from cart import *\nfrom bank import *\n",
        "cart.py": "__all__ = ['Cart', '_kept']\nclass Cart: ...\nclass Hidden: ...\ndef _kept(): ...\n",
        "bank.py": "def pay(): ...\ndef _private(): ...\n",
    })
    assert found.place("shop.py", "Cart") == Place("cart.py", "Cart")
    assert found.place("shop.py", "_kept") == Place("cart.py", "_kept")
    assert found.place("shop.py", "Hidden") is None
    assert found.place("shop.py", "_private") is None
    assert found.place("main.py", "pay") == Place("bank.py", "pay")


def test_circles_of_re_exports_end() -> None:
    """Names that lead in a circle lead nowhere; so do circles of stars."""
    found = of({
        "a.py": "from b import x\nfrom c import *\nimport a as own\n",
        "b.py": "from a import x\n",
        "c.py": "from a import *\n",
    })
    assert found.place("a.py", "x") is None
    assert found.place("a.py", "y") is None
    assert found.place("a.py", "own.own.own") == Place("a.py", "")


def test_many_stars_in_circles_are_each_followed_once() -> None:
    """Thirty modules that all import everything of each other would be walked through for ever otherwise."""
    names = [f"m{number}" for number in range(30)]
    text = "".join(f"from {name} import *\n" for name in names)
    found = of({**{f"{name}.py": text for name in names}, "m29.py": f"{text}def far(): ...\n"})
    assert found.place("m0.py", "far") == Place("m29.py", "far")
    assert found.place("m0.py", "missing") is None


def test_definitions_of_a_file_come_before_its_imports() -> None:
    """A package that defines what a part of it also does is meant itself."""
    found = of({"app/__init__.py": "def run(): ...\n", "app/run.py": "", "main.py": "from app import run\n"})
    assert found.place("app/__init__.py", "run") == Place("app/__init__.py", "run")
    assert found.place("main.py", "run") == Place("app/__init__.py", "run")


def test_a_part_of_a_package_is_found_without_being_imported_there() -> None:
    """``import app`` and ``app.part.f``; the part may come from somebody else's import."""
    found = of({"app/__init__.py": "", "app/part.py": "def f(): ...\n", "main.py": "import app\n"})
    assert found.place("main.py", "app.part.f") == Place("app/part.py", "f")


# Beside another tool ------------------------------------------------------------------------------------------------

NAMES = ("alpha", "beta", "gamma", "delta", "types", "json")


def tree(chance: random.Random, *, namespaces: bool) -> dict[str, str]:
    """Return files of packages of all kinds at the root and in ``src`` that import each other in every way.

    Where directories lack ``__init__.py`` no import is relative: ruff does not follow those.
    """
    paths: set[str] = set()

    def grow(at: str, depth: int) -> None:
        if not namespaces or chance.random() < 0.7:
            paths.add(f"{at}/__init__.py")
        paths.update(f"{at}/{name}.py" for name in chance.sample(NAMES, chance.randint(1, 3)))
        for name in chance.sample(NAMES, chance.randint(0, 2) if depth < 3 else 0):
            if not namespaces or f"{at}/{name}.py" not in paths:
                grow(f"{at}/{name}", depth + 1)

    for name in ("shop", "bank", "tests", "scripts"):
        grow(chance.choice(("", "src/")) + name, 0)
    paths.update(f"{name}.py" for name in ("main", "conftest"))
    everything = sorted(paths)
    return {
        path: "".join(statement(chance, chance.choice(everything), relative=not namespaces) for _ in range(4))
        for path in everything
    }


def statement(chance: random.Random, path: str, *, relative: bool) -> str:
    """Return an import of a file, or a relative one that may lead anywhere."""
    name = path.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
    above, _, last = name.rpartition(".")
    dots, one, other = "." * chance.randint(1, 4), chance.choice(NAMES), chance.choice(NAMES)
    ways = [
        f"import {name}\n",
        f"import {name} as short\n",
        f"from {above or name} import {last}\n",
        f"from {name} import anything\n",
        f"from {name} import *\n",
        f"def f():\n    import {name}\n",
    ]
    if relative:
        ways += [f"from {dots} import {one}\n", f"from {dots}{one} import {other}\n"]
    return chance.choice(ways)


@pytest.mark.process
@pytest.mark.parametrize("namespaces", [False, True])
def test_edges_are_those_that_ruff_finds(tmp_path: Path, namespaces: bool) -> None:  # noqa: FBT001 - a case
    """On packages at two roots, modules beside packages of their name, namesakes of the standard library."""
    ruff = pytest.importorskip("ruff").find_ruff_bin()
    for seed in range(3):
        root = tmp_path / str(seed)
        files = tree(random.Random(seed), namespaces=namespaces)  # noqa: S311 - the same trees every time
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        call = [ruff, "analyze", "graph", "--isolated", "--config", "respect-gitignore=false", "."]
        answer = json.loads(subprocess.run(call, cwd=root, capture_output=True, check=True).stdout)
        theirs = {(importer, each) for importer, all_ in answer.items() for each in all_ if each != importer}
        assert len(theirs) > 20
        assert set(edges(of(files))) == theirs
