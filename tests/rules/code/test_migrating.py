"""What a move of a module or of a name makes of the files that use it: the changed places, and every other byte."""

import ast
import random

import pytest

from pucs.code.migrating import all_migrated, migrated
from pucs.code.moves import move
from pucs.code.resolving import Code, Place
from pucs.core.errors import NotFound, Usage
from pucs.syntax.facts import FileFacts
from pucs.syntax.reading import facts

HOUSE = {
    "models/__init__.py": "",
    "models/retry_handler.py": "import time\nclass RetryConfig: ...\ndef retry(): ...\ndef calculate(): ...\nSTAYS = 1\n",
    "models/other.py": "def f(): ...\n",
    "utils/__init__.py": "",
    "utils/retry.py": "import time\nclass RetryConfig: ...\nclass RetryPolicy: ...\ndef retry(): ...\ndef calculate(): ...\n",
    "flat.py": "class RetryConfig: ...\ndef retry(): ...\ndef calculate(): ...\n",
}
OLD, NEW = "models.retry_handler", "utils.retry"
NAMES = (f"{OLD}.RetryConfig", f"{NEW}.RetryPolicy")


def told(files: dict[str, str]) -> dict[str, FileFacts]:
    found = {path: facts(path, text.encode()) for path, text in files.items()}
    return {path: known for path, known in found.items() if known is not None}


def after(
    text: str, old: str = OLD, new: str = NEW, *, path: str = "app.py", files: dict[str, str] | None = None
) -> str:
    """Return what a file of the house becomes."""
    house = {**HOUSE, **(files or {}), path: text}
    return migrated(move(told(house), old, new), path, text.encode()).after.decode()


def reasons(text: str, old: str = OLD, new: str = NEW, *, path: str = "app.py") -> list[str]:
    """Return what is reported of a file of the house."""
    found = migrated(move(told({**HOUSE, path: text}), old, new), path, text.encode())
    return [f"{one.line} {one.reason}" for one in found.left]


MODULES = {
    "import a.b with uses": (
        "import models.retry_handler\nmodels.retry_handler.retry(models.retry_handler.RetryConfig)\n",
        "import utils.retry\nutils.retry.retry(utils.retry.RetryConfig)\n",
    ),
    "import a.b as c": (
        "import os, models.retry_handler as rh  # why\nrh.retry()\n",
        "import os, utils.retry as rh  # why\nrh.retry()\n",
    ),
    "the package is still read": (
        "import models.retry_handler\nmodels.retry_handler.retry()\nmodels.f()\n",
        "import utils.retry, models\nutils.retry.retry()\nmodels.f()\n",
    ),
    "another import binds the package": (
        "import models.other\nimport models.retry_handler\nmodels.retry_handler.retry()\nmodels.other.f()\n",
        "import models.other\nimport utils.retry\nutils.retry.retry()\nmodels.other.f()\n",
    ),
    "a use through the package alone": (
        "import models\nmodels.retry_handler.retry()\n",
        "import models, utils.retry\nutils.retry.retry()\n",
    ),
    "from a import b": (
        "from models import retry_handler\nretry_handler.retry()\n",
        "from utils import retry\nretry.retry()\n",
    ),
    "from a import b, other": (
        "from models import other, retry_handler as rh\nrh.retry()\n",
        "from models import other\nfrom utils import retry as rh\nrh.retry()\n",
    ),
    "from a.b import names": (
        "from models.retry_handler import RetryConfig as C, retry\nC, retry\n",
        "from utils.retry import RetryConfig as C, retry\nC, retry\n",
    ),
    "only some names are there": (
        "from models.retry_handler import RetryConfig, STAYS, retry\n",
        "from models.retry_handler import STAYS\nfrom utils.retry import RetryConfig, retry\n",
    ),
    "the last name stays out": (
        "from models.retry_handler import (STAYS, retry)\n",
        "from models.retry_handler import (STAYS)\nfrom utils.retry import retry\n",
    ),
    "parentheses and comments": (
        "from models.retry_handler import (  # all\n    RetryConfig,  # one\n    # two\n    retry,\n)  # end\n",
        "from utils.retry import (  # all\n    RetryConfig,  # one\n    # two\n    retry,\n)  # end\n",
    ),
    "parentheses and comments divided": (
        "if x:\n    from models.retry_handler import (\n        RetryConfig,  # one\n        STAYS,  # two\n    )\n    y\n",
        (
            "if x:\n    from models.retry_handler import (\n        STAYS,  # two\n    )\n"
            "    from utils.retry import (\n        RetryConfig,  # one\n    )\n    y\n"
        ),
    ),
    "a line continued": (
        "from models.retry_handler \\\n    import retry, \\\n    STAYS\n",
        "from models.retry_handler \\\n    import \\\n    STAYS\nfrom utils.retry import retry\n",
    ),
    "in functions, for type checkers, optional": (
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from models.retry_handler import RetryConfig\n"
            "try:\n    import models.retry_handler as r\nexcept ImportError:\n    r = None\n"
            "def f():\n\tfrom models.retry_handler import retry; retry()\n"
        ),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from utils.retry import RetryConfig\n"
            "try:\n    import utils.retry as r\nexcept ImportError:\n    r = None\n"
            "def f():\n\tfrom utils.retry import retry; retry()\n"
        ),
    ),
    "one line with others": (
        "if x: from models.retry_handler import retry, STAYS\n",
        "if x: from models.retry_handler import STAYS; from utils.retry import retry\n",
    ),
    "strings": (
        'patch(\'models.retry_handler.RetryConfig\', """models.retry_handler.time.sleep""", r\'models.retry_handler\')\n',
        'patch(\'utils.retry.RetryConfig\', """utils.retry.time.sleep""", r\'utils.retry\')\n',
    ),
    "the new import is there": (
        "from models.retry_handler import RetryConfig, calculate\nfrom utils.retry import RetryConfig\ncalculate\n",
        "from utils.retry import RetryConfig, calculate\ncalculate\n",
    ),
    "the new import is there in several lines": (
        "from utils.retry import (\n    RetryConfig,  # one\n)\nx = 1\nfrom models.retry_handler import calculate\n",
        "from utils.retry import (\n    RetryConfig,  # one\n    calculate,\n)\nx = 1\n",
    ),
    "the new module is there": (
        "import utils.retry\nimport models.retry_handler\nmodels.retry_handler.retry()\n",
        "import utils.retry\nutils.retry.retry()\n",
    ),
    "exports": (
        "from models.retry_handler import retry\n__all__ = ['retry']\n",
        "from utils.retry import retry\n__all__ = ['retry']\n",
    ),
}


@pytest.mark.parametrize("name", MODULES)
def test_users_of_a_module_follow_it(name: str) -> None:
    """Each form of import keeps its form and its place."""
    before, expected = MODULES[name]
    assert after(before) == expected


RENAMES = {
    "uses are renamed": (
        "from models.retry_handler import RetryConfig\nx: RetryConfig = RetryConfig()\n",
        "from utils.retry import RetryPolicy\nx: RetryPolicy = RetryPolicy()\n",
    ),
    "a name of the file's own stays": (
        "from models.retry_handler import RetryConfig as C\nC()\n",
        "from utils.retry import RetryPolicy as C\nC()\n",
    ),
    "exported names stay": (
        "from models.retry_handler import RetryConfig\n__all__ = ['RetryConfig']\n",
        "from utils.retry import RetryPolicy as RetryConfig\n__all__ = ['RetryConfig']\n",
    ),
    "quoted names stay": (
        "from models.retry_handler import RetryConfig, retry\ndef f(x: 'list[RetryConfig]'): ...\n",
        (
            "from models.retry_handler import retry\nfrom utils.retry import RetryPolicy as RetryConfig\n"
            "def f(x: 'list[RetryConfig]'): ...\n"
        ),
    ),
    "a clash": (
        "from models.retry_handler import RetryConfig\nRetryPolicy = RetryConfig\n",
        "from utils.retry import RetryPolicy as RetryConfig\nRetryPolicy = RetryConfig\n",
    ),
    "through the module": (
        "import models.retry_handler as rh\nrh.RetryConfig, rh.retry\n",
        "import models.retry_handler as rh, utils.retry\nutils.retry.RetryPolicy, rh.retry\n",
    ),
    "through the module alone": (
        "from models import retry_handler\nretry_handler.RetryConfig()\n",
        "import utils.retry\nutils.retry.RetryPolicy()\n",
    ),
    "strings": ("x = 'models.retry_handler.RetryConfig.load'\n", "x = 'utils.retry.RetryPolicy.load'\n"),
}


@pytest.mark.parametrize("name", RENAMES)
def test_users_of_a_name_follow_it_and_its_new_name(name: str) -> None:
    """Where others may rely on the old name in a file, it is kept by ``as``."""
    before, expected = RENAMES[name]
    assert after(before, *NAMES) == expected


def test_a_name_renamed_in_its_module_is_renamed_in_its_users() -> None:
    """The module stays; only the name changes."""
    new = f"{OLD}.retry"
    text = "import models.retry_handler as m\nfrom models.retry_handler import calculate\nm.calculate(calculate)\n"
    assert after(text, f"{OLD}.calculate", new) == (
        "import models.retry_handler as m\nfrom models.retry_handler import retry\nm.retry(retry)\n"
    )


def test_relative_imports_stay_relative_inside_a_package_and_become_absolute_outside() -> None:
    """As a person would write them."""
    deep = {"models/deep/__init__.py": "", "models/deep/new.py": "class RetryConfig: ...\n"}
    inits = "from .retry_handler import RetryConfig\nfrom . import other, retry_handler\n"
    assert after(inits, OLD, "models.deep.new", path="models/__init__.py", files=deep) == (
        "from .deep.new import RetryConfig\nfrom . import other\nfrom .deep import new as retry_handler\n"
    )
    text = "from ..retry_handler import RetryConfig\n"
    assert (
        after(text, OLD, "models.deep.new", path="models/deep/x.py", files=deep)
        == "from .new import RetryConfig\n"
    )
    assert after(text, path="models/deep/x.py", files=deep) == "from utils.retry import RetryConfig\n"
    assert after(text, OLD, "flat", path="models/deep/x.py", files=deep) == "from flat import RetryConfig\n"
    assert after("from .retry_handler import RetryConfig\n", *NAMES, path="models/__init__.py") == (
        "from utils.retry import RetryPolicy as RetryConfig\n"
    )


def test_a_module_at_the_top_has_no_package_to_be_imported_from() -> None:
    """It is imported itself, under the name that the file knows."""
    text = "from models import other, retry_handler\nretry_handler.retry()\n"
    assert (
        after(text, OLD, "flat")
        == "from models import other\nimport flat as retry_handler\nretry_handler.retry()\n"
    )
    assert (
        after("import models.retry_handler\nmodels.retry_handler.retry\n", OLD, "flat")
        == "import flat\nflat.retry\n"
    )


def test_likenesses_are_nothing_to_it() -> None:
    """Another module of the name, a part of a name, a sentence, a name of the file's own."""
    text = (
        "from other.models.retry_handler import x\nmy_retry_handler = 'the models.retry_handler is old'\n"
        "retry_handler = 1\nimport os\nos.retry_handler\n"
    )
    assert after(text) == text
    assert not reasons(text)


def test_a_module_at_the_top_moves_into_a_package() -> None:
    """What is read through its name is read through the new one, which another name of the file may be in the way of."""
    assert (
        after("import flat\nflat.retry(flat)\n", "flat", NEW)
        == "import utils.retry\nutils.retry.retry(utils.retry)\n"
    )
    assert after("import flat as f\nf.retry(f)\n", "flat", NEW) == "import utils.retry as f\nf.retry(f)\n"
    assert after("from flat import retry\n", "flat", NEW) == "from utils.retry import retry\n"
    text = "import flat\ndef f(utils):\n    flat.retry()\n"
    assert after(text, "flat", NEW) == text
    assert reasons(text, "flat", NEW)
    text = "try:\n    import flat\nexcept ImportError:\n    import models.other as flat\nflat.retry()\n"
    assert after(text, "flat", NEW) == text
    assert reasons(text, "flat", NEW)


def test_the_parts_of_a_package_move_with_it() -> None:
    """Those that its new place has."""
    files = {
        f"{top}/{file}": "x = 1\n"
        for top in ("was", "now")
        for file in ("__init__.py", "part.py", "deep/one.py")
    }
    files["was/lost.py"] = ""
    text = "import was.part\nfrom was.deep.one import x\nfrom was import part, lost\nfrom was import x as y\nwas.part.x\n"
    assert after(text, "was", "now", files=files) == (
        "import now.part\nfrom now.deep.one import x\nfrom was import lost\nfrom now import part\nfrom now import x as y\nnow.part.x\n"
    )


def test_what_cannot_be_changed_without_a_doubt_is_left_and_reported() -> None:
    """With its line and what to do."""
    for text, said in {
        "from models.retry_handler import *\n": "1 takes everything from models.retry_handler",
        "import models.retry_handler\nutils = models.retry_handler.retry\n": "1 utils is the name of something else",
        "import models.retry_handler as m\nm.STAYS\n": "2 STAYS stays: utils.retry has no such name",
        "def f():\n  import models.retry_handler\ndef g():\n  models.retry_handler.retry()\n": "2 models is imported in one",
        "x = 'models.retry_handler.STAYS'\n": "1 'models.retry_handler.STAYS' stays",
        "x = f'models.retry_handler.{y}'\n": "1 names models.retry_handler in a formatted string",
        "x = ('models.retry_'\n 'handler')\n": "1 'models.retry_handler' is not written in one piece",
        "x: 'list[models.retry_handler.RetryConfig]'\n": "1 names models.retry_handler in a quoted",
        "import models.retry_handler\nprint 1\n": "2 is not parsed",
    }.items():
        found = reasons(text)
        assert len(found) == 1, (text, found)
        assert found[0].startswith(said), text
        assert after(text) == text


def test_the_new_module_never_imports_itself() -> None:
    """A new place that still takes its code from the old one is reported."""
    text = "from models.retry_handler import retry\nclass RetryConfig: ...\n"
    assert reasons(text, path="utils/retry.py")[0].startswith("1 is utils.retry itself")
    assert after(text, path="utils/retry.py") == text


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: b"# coding: latin-1\n" + text.encode("latin-1"),
        lambda text: text.rstrip("\n").encode(),
        lambda text: b"#!/usr/bin/python\n\x0c\n" + text.encode(),
    ],
)
def test_every_other_byte_stays(wrapped: object) -> None:
    """Line ends, marks, encodings and a missing last line end are those that were there."""
    before = "x = 'é\t' ; from models.retry_handler import retry\ny = 'ü'; retry()  \nfrom models.retry_handler import (\n  STAYS,\n  retry as q,\n)\n"
    expected = "x = 'é\t' ; from utils.retry import retry\ny = 'ü'; retry()  \nfrom models.retry_handler import (\n  STAYS,\n)\nfrom utils.retry import retry as q\n"
    source = wrapped(before)  # type: ignore[operator]
    found = migrated(move(told({**HOUSE, "app.py": before}), OLD, NEW), "app.py", source)
    assert found.after == wrapped(expected)  # type: ignore[operator]


def test_both_sides_are_looked_for() -> None:
    """What leads nowhere is named, with what may have been meant."""
    house = told({**HOUSE, "app.py": "from models.gone import retry\n"})
    with pytest.raises(NotFound, match=r"no utils\.retri.*utils\.retry"):
        move(house, OLD, "utils.retri")
    with pytest.raises(NotFound, match="no file imports it"):
        move(house, "models.never", NEW)
    with pytest.raises(Usage, match="is a module and"):
        move(house, OLD, f"{NEW}.retry")
    with pytest.raises(Usage, match="no dotted name"):
        move(house, "models/retry_handler.py", NEW)
    with pytest.raises(Usage, match="Both sides"):
        move(house, OLD, OLD)
    assert after("from models.gone import retry\n", "models.gone") == "from utils.retry import retry\n"


def test_a_new_place_that_is_to_come_can_be_forced() -> None:
    """Nothing is then known of what it has."""
    text = "from models.retry_handler import STAYS\n"
    house = told({**HOUSE, "app.py": text})
    forced = move(house, OLD, "utils.to_come", force=True)
    assert migrated(forced, "app.py", text.encode()).after == b"from utils.to_come import STAYS\n"


PIECES = (
    "import models.retry_handler\n",
    "import models.retry_handler as rh, os\n",
    "import models\n",
    "from models import retry_handler, other\n",
    "from models.retry_handler import retry\n",
    "from models.retry_handler import (\n    RetryConfig as K,  # k\n    calculate,\n)\n",
    "from utils.retry import RetryConfig\n",
    "def f():\n    from models import retry_handler as inner\n    return inner.retry\n",
    "try:\n    from models.retry_handler import calculate as c\nexcept ImportError:\n    c = 0\n",
)
USES = (
    "models.retry_handler.retry()",
    "rh.retry",
    "retry_handler.RetryConfig",
    "retry",
    "K()",
    "calculate",
    "'models.retry_handler.retry'",
    "1 +  1 # é",
    "print( 'x' )",
)


@pytest.mark.parametrize("seed", range(40))
def test_nothing_of_the_old_module_is_left_in_made_up_files(seed: int) -> None:
    """Whatever is not about it stays as it is, byte for byte; what is told again leads to the new place only."""
    chance = random.Random(seed)  # noqa: S311 - made-up files
    lines = chance.sample(PIECES, chance.randint(1, len(PIECES)))
    uses = [f"{use}\n" for use in chance.sample(USES, chance.randint(1, len(USES)))]
    text = "".join([*lines, *uses])
    house = {**HOUSE, "app.py": text}
    found = migrated(move(told(house), OLD, NEW), "app.py", text.encode())
    result = found.after.decode()
    ast.parse(result)
    for line in text.splitlines(keepends=True):
        if "retry" not in line and "import" not in line:
            assert line in result
    code = Code(told({**house, "app.py": result}))
    assert not found.left
    assert ("app.py", "models/retry_handler.py") not in {(one.importer, one.imported) for one in code.edges()}
    known = code.facts["app.py"]
    for use in known.uses:
        place = code.place("app.py", use.name) or Place("", "")
        assert place.path != "models/retry_handler.py", use
    assert not any(OLD in one.name for one in known.strings)
    again = migrated(move(told({**house, "app.py": result}), OLD, NEW), "app.py", found.after)
    assert again.after == found.after


def test_files_that_do_not_name_it_are_passed_over() -> None:
    """And those that it does not change."""
    files = {**HOUSE, "a.py": "import os\n", "b.py": "from models.retry_handler import retry\n"}
    found = all_migrated(move(told(files), OLD, NEW), [(path, text.encode()) for path, text in files.items()])
    assert [one.path for one in found] == ["b.py"]
    assert [(one.line, one.kind, one.before, one.after) for one in found[0].changes] == [
        (1, "import", "from models.retry_handler import retry", "from utils.retry import retry")
    ]
