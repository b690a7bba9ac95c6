"""Merging two commits without a checkout, told so that who understands the files can go on where git stops."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.coordinator.records import Merged, Stages
from pucs.core.resources import ROOT, Resource, file_path, path_resource
from pucs.git.line_merge import comparing
from pucs.git.run import checked_revision

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pucs.git.run import Git

_BOTH_CHANGED = "Auto-merging"
_CONFLICT = "CONFLICT ("
_SAME_LINES = "CONFLICT (contents)"
_WHOLE = ("1", "2", "3")
"""Stages of a file that both sides have and have had: base, ours, theirs (git-merge-tree(1))."""


def lines_alone() -> dict[str, str]:
    """Return an environment in which our own driver, where it is installed, is git's line merge.

    Whoever calls here judges what is beyond lines, keeps a record of it, and asks for what a merge commit adds to git's own.
    """
    options = " ".join(["-q", *comparing(), "--marker-size=%L", "-L ours -L base -L theirs"])
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "merge.pucs.driver",
        "GIT_CONFIG_VALUE_0": f"git merge-file {options} %A %O %B || exit 1",
    }


def merge_commits(git: Git, ours: str, theirs: str) -> Merged:
    """Merge two commits three-way and tell what git did with each file that both sides changed."""
    names = (checked_revision(ours), checked_revision(theirs))
    arguments = ("merge-tree", "--write-tree", "-z", "--messages", *names)
    output = git(*arguments, ok=(0, 1), environment=lines_alone())
    tree, *fields = output.text.split("\0")
    end = fields.index("")
    said: dict[Resource, set[str]] = {}
    for paths, kind in _messages(fields[end + 1 :]):
        for path in [path_resource(path) for path in paths] or [ROOT]:
            said.setdefault(path, set()).add(kind)
    both = tuple(sorted(path for path, kinds in said.items() if kinds == {_BOTH_CHANGED}))
    if output.status == 0:
        return Merged(tree, (), both=both)
    entries: dict[Resource, dict[str, tuple[str, str]]] = {}
    for entry in fields[:end]:
        facts, _, name = entry.partition("\t")
        mode, blob, stage = facts.split(" ")
        entries.setdefault(path_resource(name), {})[stage] = (mode, blob)
    troubles = {
        path: tuple(sorted(_trouble(kind) for kind in said.get(path, ()) if kind.startswith(_CONFLICT)))
        for path in sorted(entries.keys() | said.keys())
    }
    return Merged(
        "",
        # A conflict without a file of its own, such as two renames of one directory, concerns everything.
        tuple(sorted(entries)) or (ROOT,),
        both=both,
        marked=tree,
        stages=_in_place(git, names, list(_in_lines(entries, said))),
        troubles={path: kinds for path, kinds in troubles.items() if kinds or path in entries},
    )


def _in_lines(
    entries: Mapping[Resource, Mapping[str, tuple[str, str]]], said: Mapping[Resource, set[str]]
) -> Iterator[Stages]:
    """Give the regular files that have all stages, one mode, and no trouble but lines that both sides changed."""
    for path, stages in entries.items():
        modes = {mode for mode, _ in stages.values()}
        whole = tuple(sorted(stages)) == _WHOLE and len(modes) == 1
        if whole and min(modes).startswith("100") and said.get(path) == {_BOTH_CHANGED, _SAME_LINES}:
            yield Stages(path, min(modes), *(stages[stage][1] for stage in _WHOLE))


def _messages(fields: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    """Read git's messages: how many paths, the paths, the kind, a text for people."""
    at = 0
    while at + 2 < len(fields):
        count = int(fields[at])
        yield fields[at + 1 : at + 1 + count], fields[at + 1 + count]
        at += 3 + count


def _trouble(kind: str) -> str:
    return kind.removeprefix(_CONFLICT).removesuffix(")")


def _in_place(git: Git, sides: Sequence[str], found: Sequence[Stages]) -> tuple[Stages, ...]:
    """Leave out what a side has under another name: which file it was is git's guess, and no ground to build on."""
    names = [f"{side}:{file_path(each.path)}" for each in found for side in sides]
    at = iter([blob for blob, *_ in _checked(git, names)])
    return tuple(each for each in found if (next(at), next(at)) == (each.ours, each.theirs))


def _checked(git: Git, names: Sequence[str]) -> list[tuple[str, int]]:
    """Return the id and size of each blob by any of its names; an empty id: there is none."""
    if not names:
        return []
    asked = "".join(f"{name}\0" for name in names)
    output = git("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", "-z", stdin=asked)
    # A missing name is repeated, and may hold line breaks; a blob's line never does.
    answers = _answers(output.text, names)
    found: list[tuple[str, int]] = []
    for answer in answers:
        match answer.split(" "):
            case [blob, "blob", size] if size.isdigit():
                found.append((blob, int(size)))
            case _:
                found.append(("", 0))
    return found


def _answers(text: str, names: Sequence[str]) -> Iterator[str]:
    """Take apart what ``cat-file`` said of each name, in order."""
    at = 0
    for name in names:
        for missing in (f"{name} missing\n", f"{name} ambiguous\n"):
            if text.startswith(missing, at):
                yield ""
                at += len(missing)
                break
        else:
            end = text.index("\n", at)
            yield text[at:end]
            at = end + 1


def read_blobs(git: Git, names: Sequence[str], size_max: int) -> list[bytes | None]:
    """Return the blobs of these names (ids, or ``commit:path``); None: there is none, or it is larger than ``size_max``."""
    checked = _checked(git, names)
    wanted = list(dict.fromkeys(blob for blob, size in checked if blob and size <= size_max))
    if not wanted:
        return [None] * len(names)
    output = git("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in wanted))
    # Text goes in and out as surrogate escapes, which keep every byte; sizes count bytes.
    data = output.text.encode("utf-8", "surrogateescape")
    contents: dict[str, bytes] = {}
    at = 0
    for blob in wanted:
        end = data.index(b"\n", at)
        size = int(data[at:end].split(b" ")[2])
        contents[blob] = data[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return [contents.get(blob) for blob, _ in checked]


def replace_blobs(git: Git, tree: str, files: Mapping[Resource, tuple[str, bytes]]) -> str:
    """Write a tree in which these files have this mode and content, through an index of its own; return its id."""
    entries = []
    for path, (mode, content) in files.items():
        text = content.decode("utf-8", "surrogateescape")
        blob = git("hash-object", "-w", "--stdin", stdin=text).line
        entries.append(f"{mode} {blob} 0\t{file_path(path)}\0")
    with tempfile.TemporaryDirectory(prefix="pucs-index-") as place:
        index = {"GIT_INDEX_FILE": str(Path(place, "index"))}
        git("read-tree", checked_revision(tree), environment=index)
        git("update-index", "-z", "--index-info", stdin="".join(entries), environment=index)
        return git("write-tree", environment=index).line
