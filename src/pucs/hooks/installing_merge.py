"""git's merge driver: a section in git's configuration that says how, and lines of attributes that say for which files.

Both are blocks between marks in files of the person's, so that taking them out leaves every other byte as it was. What the
repository or the person says about merging a file goes on counting: ``merge=union`` for a changelog stays.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pucs.core.errors import Usage
from pucs.hooks.installing_files import Plan, Write, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.coordinator.merge_settings import MergeSettings

SCRIPT = "pucs-merge"
PATTERNS: Final = (
    *("*.py", "*.pyi"),
    *("*.json", "*.jsonc", "*.yaml", "*.yml", "*.toml", "*.cfg", "*.ini"),
    *(
        "*.md",
        "*.markdown",
        "*.rst",
        "CHANGES",
        "CHANGES.txt",
        "CHANGELOG",
        "CHANGELOG.txt",
        "NEWS",
        "NEWS.txt",
    ),
    *("requirements*.txt", "requirements*.in", "constraints*.txt", ".gitignore", "CODEOWNERS", "MANIFEST.in"),
)
"""Files that are merged by what is in them: of what ``merge.languages`` knows, the names that repositories have."""
BEGIN = "# >>> pucs merge install >>>"
END = "# <<< pucs merge install <<<"
WHAT = (
    "What it does: where git's own merge of one of these files finds a conflict, PUCS looks at what is in the file, and settles\n"
    "what it can prove; the rest stays a conflict. Merges without conflicts are git's, as before."
)
_OUT = "# Put here by PUCS. Take it out with: pucs merge uninstall"
_MADE = "# The file was made for it."
_ENDED = "# So was the end of the line above."
_PARTS: Final = (
    "pucs",
    "tree_sitter",
    "tree_sitter_python",
    "tree_sitter_json",
    "pyflakes",
    "msgspec",
    "yaml",
)
"""Packages that a merge may load, beside the standard library."""
_DRIVER = re.compile(r'^\s*driver = "((?:[^"\\]|\\.)*)"$', re.MULTILINE)


def install(at: MergeSettings, *, accept: str, patterns: Sequence[str], everywhere: bool) -> Plan:
    """Return what installing would change; no ``patterns``: all that PUCS knows.

    Raises:
        Usage: a pattern cannot be one.
    """
    lines = [_line(pattern) for pattern in patterns or PATTERNS]
    kept = list(_kept(at.others))
    if kept:
        lines += ["# Said elsewhere, where it would count no more:", *kept]
    out = f"{_OUT} --global" if everywhere else _OUT
    section = [
        out,
        '[merge "pucs"]',
        "\tname = PUCS: merges by what is in the file",
        f"\tdriver = {_quoted(command(accept))}",
        "\trecursive = text",
    ]
    # Of lines in one file the last counts: the person's own stand behind ours.
    changes = [
        _with(Path(at.config), section, first=False),
        _with(Path(at.attributes), [out, *lines], first=True),
    ]
    return Plan(
        program="merge",
        what=WHAT,
        changes=tuple(change for change in changes if change is not None),
        next=(f"To take it out again: pucs merge uninstall{' --global' if everywhere else ''}",),
    )


def uninstall(at: MergeSettings) -> Plan:
    """Return what uninstalling would change: our blocks go, and files that were made for them."""
    changes = [_without(Path(place)) for place in (at.attributes, at.config)]
    return Plan(
        program="merge",
        what="What it does: git merges as it did before.",
        changes=tuple(change for change in changes if change is not None),
    )


def installed(at: MergeSettings) -> str | None:
    """Return the command line that git is told to run, with its placeholders; None: none of ours."""
    _, ours, _ = _parts(_text(Path(at.config)))
    found = _DRIVER.search(ours)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def accepts(at: MergeSettings) -> str:
    """Return the tier that is accepted by what is installed: ``auto`` where nothing is."""
    return "review" if " review %O " in (installed(at) or "") else "auto"


def patterns_of(at: MergeSettings) -> tuple[str, ...]:
    """Return the patterns that are installed."""
    _, ours, _ = _parts(_text(Path(at.attributes)))
    return tuple(
        line.removesuffix(" merge=pucs") for line in ours.splitlines() if line.endswith(" merge=pucs")
    )


def command(accept: str) -> str:
    """Return the shell line for git: git's own merge where this installation is gone."""
    script = shlex.quote(str(Path(__file__).resolve().parent / SCRIPT))
    python = shlex.quote(sys.executable)
    calling = f"{script} {python} {shlex.quote(_imports())}".replace("%", "%%")
    return (
        f"test ! -r {script.replace('%', '%%')} || exec sh {calling} {accept} %O %A %B %L %P %S %X %Y;"
        " git merge-file --marker-size=%L -L ours -L base -L theirs %A %O %B || exit 1"
    )


def filled(command: str, values: Mapping[str, str]) -> str:
    """Return a command line with its placeholders filled in; those without a value stay, as git leaves them."""
    return re.sub("%[%A-Z]", lambda found: values.get(found[0], found[0]), command)


def _imports() -> str:
    """Return where the packages lie that a merge loads: its Python starts without looking for any."""
    found = [find_spec(name) for name in _PARTS]
    places = [Path(spec.origin).parents[1] for spec in found if spec is not None and spec.origin is not None]
    return os.pathsep.join(dict.fromkeys(map(str, places)))


def _line(pattern: str) -> str:
    """Return the line of attributes for a pattern.

    Raises:
        Usage: it is none.
    """
    if not pattern.strip() or pattern.startswith(("!", "[", "#", '"')) or not pattern.isprintable():
        raise Usage(f"{pattern!r} is no pattern of files.", remedy="Such as '*.py' or 'src/**/*.py'.")
    return f"{_named(pattern)} merge=pucs"


def _named(pattern: str) -> str:
    """Return a pattern as attributes have it: in quotation marks if it has a space."""
    if not any(character in pattern for character in ' \t"'):
        return pattern
    escaped = pattern.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t")
    return f'"{escaped}"'


def _kept(others: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield the lines of other files of attributes that say how to merge, as they have to be in a file for everything."""
    macros = {"binary": "-merge"}
    for directory, text in others:
        for line in text.splitlines():
            pattern, words = _split(line.strip())
            said = [macros.get(word, word) for word in words]
            said = [word for word in said if re.fullmatch(r"[-!]?merge|merge=\S+", word)]
            if pattern.startswith("[attr]"):
                if said:
                    macros[pattern.removeprefix("[attr]")] = said[-1]
            elif said and said[-1] != "merge=pucs":
                yield f"{_named(_below(directory, pattern))} {said[-1]}"


def _split(line: str) -> tuple[str, list[str]]:
    """Return the pattern and the attributes of a line."""
    if not line or line.startswith("#"):
        return "", []
    quoted = re.match(r'"((?:[^"\\]|\\.)*)"\s', line)
    if quoted:
        return re.sub(r"\\(.)", r"\1", quoted[1]), line[quoted.end() :].split()
    pattern, *words = line.split()
    return pattern, words


def _below(directory: str, pattern: str) -> str:
    """Return a pattern of a file in a directory as it reads from the top."""
    if not directory:
        return pattern
    place = re.sub(r"([*?\[\\])", r"\\\1", directory)
    return place + (pattern.lstrip("/") if "/" in pattern.rstrip("/") else f"**/{pattern}")


def _quoted(value: str) -> str:
    """Return a value as git's configuration has it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _with(path: Path, lines: Sequence[str], *, first: bool) -> Write | None:
    """Return the change that puts a block into a file, in the place of the one that is there."""
    before = read(path)
    text = _decoded(before)
    head, ours, rest = _parts(text)
    notes = [note for note in (_MADE, _ENDED) if f"{note}\n" in ours]
    if not ours:
        notes = [_MADE] if before is None else []
        if first:
            head, rest = "", text
        elif text and not text.endswith("\n"):
            head, notes = text + "\n", [_ENDED]
    block = "\n".join([BEGIN, *notes, *lines, END])
    after = f"{head}{block}\n{rest}".encode("utf-8", "surrogateescape")
    return None if after == before else Write(path=path, before=before, after=after)


def _without(path: Path) -> Write | None:
    """Return the change that takes the block out of a file."""
    before = read(path)
    head, ours, rest = _parts(_decoded(before))
    if not ours:
        return None
    if f"{_ENDED}\n" in ours and not rest:
        head = head.removesuffix("\n")
    gone = f"{_MADE}\n" in ours and not head + rest
    after = None if gone else (head + rest).encode("utf-8", "surrogateescape")
    return Write(path=path, before=before, after=after)


def _parts(text: str) -> tuple[str, str, str]:
    """Return what is before our block, the block, and what is behind it; without one everything is before."""
    head, begin, rest = text.partition(f"{BEGIN}\n")
    inner, end, tail = rest.partition(f"{END}\n")
    return (head, begin + inner + end, tail) if begin and end else (text, "", "")


def _text(path: Path) -> str:
    return _decoded(path.read_bytes() if path.is_file() else None)


def _decoded(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
