"""Which file a Python import means, told from the names of files alone."""

import pytest

from pucs.code.modules import Modules, is_python


def modules(*paths: str, roots: tuple[str, ...] = ()) -> Modules:
    return Modules(paths, roots=roots)


@pytest.mark.parametrize(
    ("path", "python"),
    [
        ("a.py", True),
        ("a.pyi", True),
        ("a.ipynb", True),
        ("a.pyc", False),
        ("py", False),
        ("a.py/b.txt", False),
    ],
)
def test_python_files_are_known_by_their_ending(path: str, python: bool) -> None:  # noqa: FBT001 - a case
    """Sources, stubs and notebooks."""
    assert is_python(path) is python


def test_a_package_wins_over_a_module_of_its_name() -> None:
    """As at run time; the module is told as shadowed. A bare directory shadows nothing."""
    found = modules(
        "app/metrics.py", "app/metrics/__init__.py", "app/plain.py", "app/plain/inner.py", "app/__init__.py"
    )
    assert found.absolute("main.py", "app.metrics") == "app/metrics/__init__.py"
    assert found.absolute("main.py", "app.plain") == "app/plain.py"
    assert found.shadowed() == {"app/metrics.py": "app/metrics/__init__.py"}


def test_directories_without_init_are_packages_too() -> None:
    """At any depth; such a directory alone is a package without a file."""
    found = modules("space/inner/deep/mod.py")
    assert found.absolute("main.py", "space.inner.deep.mod") == "space/inner/deep/mod.py"
    assert found.absolute("main.py", "space.inner") == "space/inner/"
    assert found.absolute("main.py", "space.nothing") is None


def test_imports_start_at_the_root_of_the_importers_own_package() -> None:
    """Two projects in one repository, each with a package of the same name: each finds its own."""
    found = modules(
        *("one/app/__init__.py", "one/app/main.py", "one/app/part.py"),
        *("two/app/__init__.py", "two/app/main.py", "two/app/part.py"),
    )
    assert found.absolute("one/app/main.py", "app.part") == "one/app/part.py"
    assert found.absolute("two/app/main.py", "app.part") == "two/app/part.py"
    assert found.absolute("scripts/run.py", "app.part") is None  # which of both nobody can say


@pytest.mark.parametrize("root", ["", "src/", "lib/", "python/"])
def test_usual_roots_are_searched(root: str) -> None:
    """The repository itself, and directories that hold source by custom."""
    found = modules(f"{root}app/__init__.py", f"{root}app/part.py", "tests/test_part.py")
    assert found.absolute("tests/test_part.py", "app.part") == f"{root}app/part.py"


def test_a_package_anywhere_is_found_by_its_name_if_it_is_the_only_one() -> None:
    """In ``backend/shop`` too; never one that is called like a part of the standard library."""
    found = modules(
        "backend/shop/__init__.py", "backend/shop/cart.py", "backend/json/__init__.py", "tools/run.py"
    )
    assert found.absolute("tools/run.py", "shop.cart") == "backend/shop/cart.py"
    assert found.absolute("tools/run.py", "json") is None


def test_packages_of_tests_and_installed_ones_are_not_found_by_name_alone() -> None:
    """A copy of a library that tests bring along is not what the product imports."""
    found = modules(
        *("product/main.py", "tests/fakes/grpc/__init__.py", "env/lib/site-packages/rich/__init__.py"),
        "env/lib/site-packages/rich/table.py",
    )
    assert found.absolute("product/main.py", "grpc") is None
    assert found.absolute("tests/test_main.py", "grpc") == "tests/fakes/grpc/__init__.py"
    assert found.absolute("tests/test_main.py", "rich") is None
    assert (
        found.absolute("env/lib/site-packages/rich/table.py", "rich")
        == "env/lib/site-packages/rich/__init__.py"
    )


def test_further_roots_are_searched_first() -> None:
    """Directories that somebody puts on ``sys.path``; one that does not exist finds nothing."""
    found = modules("hooks/deep/check.py", "check.py", roots=("hooks/deep", "gone"))
    assert found.absolute("tests/test_check.py", "check") == "hooks/deep/check.py"


def test_files_beside_a_script_are_found_by_their_bare_names() -> None:
    """A script imports its neighbours, unless the standard library has the name."""
    found = modules("scripts/run.py", "scripts/steps.py", "scripts/types.py")
    assert found.absolute("scripts/run.py", "steps") == "scripts/steps.py"
    assert found.absolute("scripts/run.py", "types") is None


def test_neighbours_inside_a_package_are_not_found_by_bare_names() -> None:
    """``import part`` in a package is somebody else's ``part``."""
    found = modules("app/__init__.py", "app/main.py", "app/part.py")
    assert found.absolute("app/main.py", "part") is None


def test_loose_files_are_known_by_name_as_long_as_no_other_has_it() -> None:
    """Parts of packages and names of the standard library are never meant."""
    found = modules(
        "hooks/check.py", "a/twice.py", "b/twice.py", "app/__init__.py", "app/part.py", "c/json.py"
    )
    assert found.loose("check") == "hooks/check.py"
    assert [found.loose(name) for name in ("twice", "part", "app", "json", "none")] == [None] * 5


@pytest.mark.parametrize(
    ("level", "module", "meant"),
    [
        (1, "part", "app/core/part.py"),
        (1, "", "app/core/__init__.py"),
        (2, "side", "app/side.py"),
        (2, "", "app/"),
        (3, "", "/"),
        (3, "app.side", "app/side.py"),
        (4, "", None),
        (9, "app", None),
        (2, "nothing", None),
    ],
)
def test_relative_imports_count_directories(level: int, module: str, meant: str | None) -> None:
    """With or without ``__init__.py``; beyond the repository there is nothing."""
    found = modules("app/core/__init__.py", "app/core/main.py", "app/core/part.py", "app/side.py")
    assert found.relative("app/core/main.py", level, module) == meant


def test_names_of_modules_begin_at_the_root_of_their_package() -> None:
    """Where the topmost ``__init__.py`` lies; a loose file is its own name."""
    found = modules(
        "src/app/__init__.py", "src/app/core/__init__.py", "src/app/core/part.py", "scripts/run.py"
    )
    assert found.name_of("src/app/core/part.py") == "app.core.part"
    assert found.name_of("src/app/core/__init__.py") == "app.core"
    assert found.name_of("scripts/run.py") == "run"
    assert found.root_of("src/app/core/part.py") == "src"


def test_directories_without_init_inside_a_package_belong_to_it() -> None:
    """Their modules have its name before theirs; two packages of one name are told apart there too."""
    found = modules(
        *("one/app/__init__.py", "one/app/part.py", "one/app/bare/mod.py", "one/app/bare/side.py"),
        *("two/app/__init__.py", "two/app/part.py", "two/app/bare/mod.py"),
    )
    assert found.name_of("one/app/bare/mod.py") == "app.bare.mod"
    assert found.absolute("one/app/bare/mod.py", "app.part") == "one/app/part.py"
    assert found.absolute("two/app/bare/mod.py", "app.part") == "two/app/part.py"
    assert found.absolute("one/app/bare/mod.py", "side") == "one/app/bare/side.py"


def test_stubs_stand_in_where_there_is_no_source() -> None:
    """A compiled module is known by its stub; beside its source the stub is not what runs."""
    found = modules("app/__init__.py", "app/fast.pyi", "app/both.py", "app/both.pyi", "typed/__init__.pyi")
    assert found.absolute("main.py", "app.fast") == "app/fast.pyi"
    assert found.absolute("main.py", "app.both") == "app/both.py"
    assert found.absolute("main.py", "typed") == "typed/__init__.pyi"


def test_notebooks_are_never_imported() -> None:
    """They only import."""
    found = modules("notes.ipynb", "app.py")
    assert found.absolute("app.py", "notes") is None
    assert found.absolute("notes.ipynb", "app") == "app.py"
