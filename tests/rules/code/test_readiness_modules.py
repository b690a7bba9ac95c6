"""Deprecated, re-exporting, circular and unreachable modules."""

import pytest

from pucs.code.readiness.cycles import cycles
from pucs.code.readiness.deprecations import deprecations
from pucs.code.readiness.records import Finding, Kind, Location
from pucs.code.readiness.shadows import shadows
from pucs.core.severities import Severity
from tests.rules.code.readiness_views import view

NEW = "class Monitor:\n    pass\n"
OLD = '"""DEPRECATED: This module has been moved to new.place."""\nfrom new.place import Monitor\n'
PACKAGES = {"old/__init__.py": "", "new/__init__.py": "", "new/place.py": NEW}


def deprecated(files: dict[str, str]) -> Finding:
    (found,) = deprecations(view(files))
    return found


def circles(files: dict[str, str]) -> list[Finding]:
    return list(cycles(view(files)))


def test_a_deprecated_module_is_told_with_its_importers_and_successor() -> None:
    """Tests are counted apart; who merely names it under TYPE_CHECKING has to change too."""
    found = deprecated({
        **PACKAGES,
        "old/monitor.py": OLD,
        "app.py": "x = 1\nfrom old.monitor import Monitor",
        "tests/test_monitor.py": "from old import monitor",
    })
    assert (found.kind, found.severity) == (Kind.DEPRECATED_MODULE, Severity.MEDIUM)
    assert found.message == (
        "old/monitor.py is deprecated and still imported by app.py, and by 1 of the tests. Its place is taken by new.place."
    )
    assert found.locations[1:] == (Location("app.py", 2), Location("tests/test_monitor.py", 1))
    assert found.remedy.startswith(
        "Let app.py and tests/test_monitor.py import from new.place instead of old.monitor"
    )


def test_old_code_that_still_runs_is_urgent_and_what_its_successor_lacks_is_named() -> None:
    """To change the import alone would break who takes such a name."""
    found = deprecated({
        **PACKAGES,
        "old/retry.py": 'import warnings\nwarnings.warn("Use new.place instead", DeprecationWarning)\nclass Monitor: pass\nclass Retry: pass\n',
        "app.py": "from old.retry import Monitor, Retry",
    })
    assert found.severity is Severity.HIGH
    assert "code of its own (Monitor, Retry" in found.message.replace(" and ", ", ")
    assert "(it has no Retry: move or replace it first)" in found.remedy


def test_a_package_does_not_replace_its_own_module() -> None:
    """What is named may be the place of the module itself."""
    text = '"""Deprecated: use what old.monitor and old had no more."""\nclass Monitor: pass\n'
    found = deprecated({**PACKAGES, "old/monitor.py": text, "app.py": "import old.monitor"})
    assert found.remedy == "Find out what replaces old.monitor, and use it, then delete old/monitor.py."


def test_a_deprecated_module_that_nobody_imports_can_go() -> None:
    """Low, and the task is to delete it; used by tests alone it is low as well."""
    found = deprecated({**PACKAGES, "old/monitor.py": OLD})
    assert (found.severity, found.remedy.partition(",")[0]) == (Severity.LOW, "Delete old/monitor.py")
    assert (
        deprecated({**PACKAGES, "old/monitor.py": OLD, "tests/test_a.py": "import old.monitor"}).severity
        is Severity.LOW
    )


@pytest.mark.parametrize(
    "said", ["Handles deprecated settings of users.", "Finds modules that say they are deprecated."]
)
def test_a_module_about_deprecated_things_is_not_deprecated(said: str) -> None:
    """The word alone does not make it so."""
    assert list(deprecations(view({**PACKAGES, "old/settings.py": f'"""{said}"""\nX = 1\n'}))) == []


def test_a_module_that_only_passes_names_on_is_told() -> None:
    """Not so a package, nor one that defines or does something itself."""
    passing = '"""Names."""\nfrom new.place import Monitor\n__all__ = ["Monitor"]\n'
    found = deprecated({**PACKAGES, "old/monitor.py": passing, "app.py": "import old.monitor"})
    assert (found.kind, found.severity, found.locations[1]) == (
        Kind.RE_EXPORT,
        Severity.LOW,
        Location("app.py", 1),
    )
    for other in (passing + "X = 1\n", passing + "Monitor.start()\n", passing + "import os\n"):
        assert list(deprecations(view({**PACKAGES, "old/monitor.py": other}))) == []
    assert list(deprecations(view({**PACKAGES, "old/__init__.py": passing}))) == []


def test_a_circle_at_load_time_is_told_with_its_lightest_import() -> None:
    """The import that takes the fewest names is the one to take out."""
    (found,) = circles({
        "a/one.py": "from b.two import f, g, h",
        "b/two.py": "x = 1\nfrom a.one import e",
        "b/three.py": "from b.two import f",
    })
    assert (found.kind, found.severity) == (Kind.IMPORT_CYCLE, Severity.MEDIUM)
    assert found.message.startswith(
        "2 modules import each other while they are loaded: a/one.py → b/two.py → a/one.py"
    )
    assert found.locations[0] == Location("b/two.py", 2)
    assert found.remedy.startswith("Take the import of one out of b/two.py:2 (1 name)")


def test_a_circle_through_a_function_is_lighter_and_one_for_type_checkers_is_none() -> None:
    """What is imported when a function runs finds everything loaded."""
    first = {"a/one.py": "from b.two import f"}
    (found,) = circles({**first, "b/two.py": "def g():\n    from a.one import e"})
    assert (found.kind, found.severity) == (Kind.LAZY_CYCLE, Severity.LOW)
    typing = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from a.one import e"
    assert circles({**first, "b/two.py": typing}) == []
    assert circles({**first, "b/two.py": "", "tests/test_a.py": "import a.one"}) == []


def test_a_package_and_its_parts_are_a_lighter_circle() -> None:
    """The part's import is named, not what the package is made of."""
    (found,) = circles({
        "p/__init__.py": "from p.one import f",
        "p/one.py": "from p import g, h",
    })
    assert (found.severity, found.locations[0]) == (Severity.LOW, Location("p/one.py", 1))


def test_a_knot_of_many_circles_names_no_more_cuts_than_anybody_plans() -> None:
    """Every module of a full graph imports every other."""
    names = [f"m/n{number}.py" for number in range(12)]
    files = {
        path: "".join(f"import m.n{number}\n" for number in range(12) if f"m/n{number}.py" != path)
        for path in names
    }
    (found,) = circles(files)
    assert "At least 12 imports have to go" in found.message
    assert {place.file for place in found.locations} == set(names)


def test_a_module_behind_a_package_of_its_name_is_unreachable() -> None:
    """Python takes the package; without ``__init__.py`` the module wins, and nothing is wrong."""
    (found,) = shadows(view({"a/m.py": "x = 1\n", "a/m/__init__.py": "", "a/n.py": "", "a/n/part.py": ""}))
    assert (found.severity, found.locations[0].file) == (Severity.HIGH, "a/m.py")
    assert "Whoever edits it changes nothing" in found.message
