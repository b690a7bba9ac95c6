"""Git's hooks: ``pre-commit``, ``commit-msg`` and ``pre-push`` for agents' commits, beside whatever hooks there are.

A hook that is there already is kept as ``NAME.before-pucs`` and called first. What we add judges commits only where an
agent makes them: in a worktree that PUCS made for one, on a branch ``pucs/…``, or by a process that PUCS launched. That
is found out in shell, so that a person's commits cost one call of git; and where ``pucs`` is missing, all commits pass.
"""

from __future__ import annotations

import re
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pucs.core.errors import Refused
from pucs.hooks.installing_files import Change, Keep, Plan, PutBack, Write

if TYPE_CHECKING:
    from pucs.hooks.installing import Site

PROGRAM = "git"
NAMES = ("pre-commit", "commit-msg", "pre-push")
KEPT = ".before-pucs"
"""Ending of the name of a hook that was there before."""
BEGIN = "# >>> pucs install git >>>"
END = "# <<< pucs install git <<<"
_SHEBANG = "#!/bin/sh"
_BY_ITS_NAME = re.compile(rb"basename[^\n]*\$\{?0|\$\{0##|File\.basename|husky")
"""Hooks that look at their own file name, or are written anew by a program, and so cannot be kept under another."""

_KEPT_CALL = """\
pucs_kept="${0%/*}/@NAME@@KEPT@"
# pre-commit, installed again over this hook, calls it as an older one: then its own run goes on already.
if [ -n "$PRE_COMMIT_RUNNING_LEGACY" ] && grep -q 'pre-commit.com' "$pucs_kept" 2>/dev/null; then pucs_kept=; fi
if [ -z "$PUCS_PROBE" ] && [ -x "$pucs_kept" ]; then @CALL@ || exit $?; fi
"""
_PLAIN_CALL = '"$pucs_kept" "$@"'
_PUSH_CALL = '{ [ -z "$pucs_refs" ] || printf "%s\\n" "$pucs_refs"; } | "$pucs_kept" "$@"'
_PUSH_HEAD = "pucs_refs=$(cat)\n"
_WHOSE = """\
pucs_agents() {  # is this an agent's? PUCS's own commits were judged before
  [ -z "$PUCS_OWN_COMMIT" ] || return 1
  [ -z "$PUCS_LAUNCH$PUCS_PROBE" ] || return 0
  pucs_dir=$(git rev-parse --git-dir 2>/dev/null) || return 1
  [ ! -e "$pucs_dir/pucs-agent" ] || return 0
  read -r pucs_head <"$pucs_dir/HEAD"
  case $pucs_head in "ref: refs/heads/pucs/"*) return 0 ;; esac
  return 1
}
"""
_COMMIT = """\
pucs_judged() {  # a merge brings others' work with it, which was judged where it landed
  ! git rev-parse -q --verify MERGE_HEAD >/dev/null || return 0
  pucs=@PUCS@
  [ -x "$pucs" ] || pucs=$(command -v pucs) || return 0
  @CHECK@
  case $? in 0 | 126 | 127) return 0 ;; esac
  return 1
}
if pucs_agents; then pucs_judged "$@" || exit 1; fi
"""
_CHECKS = {
    "pre-commit": 'if [ -n "$PUCS_PROBE" ]; then "$pucs" check files .git/probe; else "$pucs" check files --staged; fi',
    "commit-msg": '"$pucs" check message "$1"',
}
_PUSH = """\
if [ -z "$PUCS_PUSH" ]; then
  while read -r pucs_local pucs_new pucs_remote pucs_old; do
    case "$pucs_local:$pucs_remote" in refs/heads/pucs/* | refs/pucs/* | *:refs/heads/pucs/* | *:refs/pucs/*)
      echo "PUCS: branches pucs/... and refs/pucs/... are the session's own and are not pushed. Bring the result onto" >&2
      echo "your branch with pucs finalize and push that, or push with PUCS_PUSH=1." >&2
      exit 1 ;;
    esac
  done <<PUCS_REFS
$pucs_refs
PUCS_REFS
  if [ -n "$pucs_refs" ] && pucs_agents; then
    echo "PUCS: agents do not push: their work leaves by pucs land. A person pushes from here with PUCS_PUSH=1." >&2
    exit 1
  fi
fi
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """What is at a hook's place."""

    data: bytes | None
    """Its content; None: there is nothing."""
    link: bool = False

    @property
    def ours(self) -> bool:
        return self.data is not None and not self.link and BEGIN.encode() in self.data


def install(site: Site) -> Plan:
    """Return what installing would change.

    Raises:
        Refused: the hooks are committed, or one cannot be kept under another name; the remedy says what to add to it.
    """
    folder = Path(site.repository.hooks_directory())
    _refuse_committed(site, folder)
    changes: list[Change] = []
    for name in NAMES:
        path, kept = folder / name, folder / (name + KEPT)
        found = _at(path)
        if found.ours:
            assert found.data is not None, "it has our mark"
            head, _, rest = _parts(found.data.decode("utf-8", "surrogateescape"))
            text = head + block(name, site.pucs) + rest
        else:
            text = f"{_SHEBANG}\n{block(name, site.pucs)}"
            if found.data is not None or found.link:
                changes += _kept(path, kept, found)
        data = text.encode("utf-8", "surrogateescape")
        if data != found.data:
            changes.append(Write(path=path, before=found.data, after=data, executable=True))
    outside = not any(
        folder.is_relative_to(place) for place in (site.repository.root, site.repository.common_dir)
    )
    note = f"core.hooksPath says {folder}: these hooks count for every repository that uses it."
    return Plan(
        program=PROGRAM,
        changes=tuple(changes),
        notes=(note,) if outside else (),
        next=("See that the hooks block: pucs doctor",),
    )


def uninstall(site: Site) -> Plan:
    """Return what uninstalling would change: our part goes, kept hooks get their names back, lines of others stay."""
    folder = Path(site.repository.hooks_directory())
    changes: list[Change] = []
    for name in NAMES:
        path, kept = folder / name, folder / (name + KEPT)
        found = _at(path)
        if not found.ours or found.data is None:
            continue
        head, _, rest = _parts(found.data.decode("utf-8", "surrogateescape"))
        others = any(line.strip() for line in (head + rest).splitlines() if not line.startswith("#!"))
        if others:
            # Somebody wrote more into the file, so the kept hook cannot have its place; it is still called.
            call = _kept_call(name) if _there(kept) else ""
            left = (head + call + rest).encode("utf-8", "surrogateescape")
            changes.append(Write(path=path, before=found.data, after=left, executable=True))
        elif _there(kept):
            changes.append(PutBack(path=kept, to=path))
        else:
            changes.append(Write(path=path, before=found.data, after=None))
    return Plan(program=PROGRAM, changes=tuple(changes))


def installed(site: Site) -> list[Path]:
    """Return the hooks that have our part."""
    folder = Path(site.repository.hooks_directory())
    return [folder / name for name in NAMES if _at(folder / name).ours]


def block(name: str, pucs: str) -> str:
    """Return our part of a hook."""
    body = _kept_call(name) + _WHOSE
    body += _PUSH if name == "pre-push" else _COMMIT.replace("@CHECK@", _CHECKS[name])
    text = "# Judges what agents do, and nothing else. Take it out with: pucs uninstall git\n" + body
    return f"{BEGIN}\n{text.replace('@PUCS@', shlex.quote(pucs))}{END}\n"


def _kept_call(name: str) -> str:
    pushes = name == "pre-push"
    text = (_PUSH_HEAD if pushes else "") + _KEPT_CALL
    return (
        text
        .replace("@CALL@", _PUSH_CALL if pushes else _PLAIN_CALL)
        .replace("@NAME@", name)
        .replace("@KEPT@", KEPT)
    )


def _kept(path: Path, kept: Path, found: _Found) -> list[Change]:
    """Return the change that keeps a hook of the person's beside ours.

    Raises:
        Refused: it cannot be kept.
    """
    if found.data is not None and _BY_ITS_NAME.search(found.data):
        raise Refused(
            f"{path} looks at its own file name, or is written anew by a program, so it cannot be kept beside another hook;"
            " nothing was changed.",
            remedy=f"Call PUCS from it yourself, or from what it calls: {by_hand(path.name)}",
        )
    if not _there(kept):
        return [Keep(path=path, to=kept)]
    if _at(kept) == found:
        return []
    raise Refused(
        f"{path} and {kept} are there both, and differ; nothing was changed.",
        remedy="One of them was the hook before. Join them into the first, remove the second, and call this again.",
    )


def by_hand(name: str) -> str:
    """Return the line that does in a hook of the person's what ours would do."""
    return {
        "pre-commit": "pucs check files --staged || exit 1",
        "commit-msg": 'case $(git symbolic-ref -q HEAD) in refs/heads/pucs/*) pucs check message "$1" || exit 1;; esac',
        "pre-push": "! grep -q refs/heads/pucs/ || exit 1",
    }[name]


def _refuse_committed(site: Site, folder: Path) -> None:
    root = Path(site.repository.root)
    if folder == root or not folder.is_relative_to(root) or folder.is_relative_to(site.repository.common_dir):
        return
    name = str(folder.relative_to(root))
    if site.repository.tracks(name):
        raise Refused(
            f"git looks for hooks in {name}, which is committed, so that ours would come to everybody; nothing was changed.",
            remedy=f"Call PUCS from them yourself: {'; '.join(by_hand(hook) for hook in NAMES[:2])}",
        )


def _parts(text: str) -> tuple[str, str, str]:
    """Return what is before our part, our part, and what is behind it."""
    head, begin, rest = text.partition(BEGIN)
    inner, end, tail = rest.partition(END + "\n")
    return (head, begin + inner + end, tail) if end else (head, begin + rest, "")


def _there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _at(path: Path) -> _Found:
    if path.is_dir():
        raise Refused(f"{path} is a directory; nothing was changed.", remedy="Move it away.")
    try:
        link = stat.S_ISLNK(path.lstat().st_mode)
    except FileNotFoundError:
        return _Found(None)
    return _Found(path.read_bytes() if path.exists() else None, link)
