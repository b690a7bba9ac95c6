"""Views of files that exist only here."""

from pucs.code.readiness.likeness import is_own
from pucs.code.readiness.view import View
from pucs.code.resolving import Code
from pucs.syntax.bodies import bodies
from pucs.syntax.reading import facts


def view(files: dict[str, str]) -> View:
    """Return what a family of findings looks at."""
    told = {path: facts(path, text.encode()) for path, text in files.items()}
    code = Code({path: known for path, known in told.items() if known is not None})
    own = frozenset(path for path in code.facts if is_own(path))
    return View(code, code.edges(), own, lambda path, names: bodies(files[path].encode(), names))
