"""Which uses of git an agent may make by itself; one table, so that it can be read at a glance.

A launched agent may look at everything and commit on its own branch: landing takes its commits from there. What reaches
beyond its worktree is refused: remotes, other branches, and what all worktrees share. A person's agent may do what its
person may, but not destroy the branches and refs that others' work is on. Text is a guess, so nothing rests on this alone:
the branch is looked at before each edit, and what lands is judged by what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pucs.agents.shell import GitUse

OWN_REFS = "refs/pucs/"
"""Below it PUCS keeps work that lost out."""
_LOOKING = frozenset({
    "blame",
    "cat-file",
    "describe",
    "diff",
    "grep",
    "log",
    "ls-files",
    "ls-tree",
    "merge-base",
    "rev-list",
    "rev-parse",
    "shortlog",
    "show",
    "show-ref",
    "status",
})
_COMMIT_INSTEAD = "Commit in your own worktree as you like; landing brings your work to the others."
_SHARED = "All worktrees of the repository share it."


@dataclass(frozen=True, slots=True)
class _Rule:
    """When a subcommand is refused to a launched agent."""

    applies: Callable[[GitUse, str], bool]
    """Takes the use and the agent's own branch."""
    why: str
    """What is wrong with it, and what to do instead."""


def refusal(use: GitUse, *, own_branch: str) -> str:
    """Return why a launched agent may not use git like this, empty if it may."""
    rule = _LAUNCHED.get(use.subcommand)
    if rule is None or not rule.applies(use, own_branch):
        return ""
    return f"git {use.subcommand} is not for an agent in a worktree of its own. {rule.why}"


def looks(use: GitUse) -> bool:
    """Tell whether a use of git changes nothing, wherever it works."""
    return use.subcommand in _LOOKING


def put_back(use: GitUse) -> tuple[str, ...]:
    """Return the files that a use of git sets back to the last commit, as seen from the program's own directory.

    That is no change of theirs: it undoes one.
    """
    sources = {flag.partition("=")[2] for flag in use.flags if flag.startswith("--source=")}
    match use.subcommand:
        case "checkout" if use.arguments in {(), ("HEAD",)} and not use.flags:
            names = use.paths
        case "restore" if (
            sources <= {"HEAD"} and not _has(use, "sp", "patch") and "--source" not in use.flags
        ):
            names = (*use.arguments, *use.paths)
        case _:
            names = ()
    if use.place is None:
        return ()
    place = use.place.rstrip("/")
    return tuple(
        name if name.startswith("/") or not place else f"{place}/{name.removeprefix('./')}" for name in names
    )


def destroys(use: GitUse, protected: Callable[[str], bool]) -> str:
    """Return the branch or ref of PUCS that a use of git would delete or overwrite, empty if none.

    ``protected`` tells this of a branch name or full ref.
    """
    names = [_bare(word) for word in _victims(use)]
    return next((name for name in names if name.startswith(OWN_REFS) or protected(name)), "")


def _bare(word: str) -> str:
    """Return what a refspec or ref name writes to: a branch without its prefix, any other ref as it is."""
    return word.removeprefix("+").rpartition(":")[2].removeprefix("refs/heads/")


def _victims(use: GitUse) -> tuple[str, ...]:
    words = (*use.arguments, *use.paths)
    match use.subcommand:
        case "push":
            everything = _has(use, "fd", "force", "force-with-lease", "delete", "mirror", "prune")
            return tuple(word for word in words if everything or word.startswith(("+", ":")))
        case "branch" if _has(use, "dDfmMC", "delete", "force", "move"):
            return words
        case "update-ref":
            return words
        case "checkout" | "switch" if _has(use, "BC", "force-create"):
            return words[:1]
        case _:
            return ()


def _has(use: GitUse, letters: str, *longs: str) -> bool:
    """Tell whether a use has one of these options; letters stand alone or among others, ``-df``."""
    for flag in use.flags:
        if flag.startswith("--"):
            if flag[2:].partition("=")[0] in longs:
                return True
        elif set(flag[1:]) & set(letters):
            return True
    return False


def _always(_use: GitUse, _own: str) -> bool:
    return True


def _unless(*harmless: str) -> Callable[[GitUse, str], bool]:
    """Refuse a subcommand of subcommands but for those that only look."""

    def applies(use: GitUse, _own: str) -> bool:
        return not (use.arguments and use.arguments[0] in harmless)

    return applies


def _switches(use: GitUse, own: str) -> bool:
    return not (
        use.arguments == (own,) and not _has(use, "cCdt", "create", "force-create", "detach", "orphan")
    )


def _leaves(use: GitUse, own: str) -> bool:
    """Tell whether a checkout goes to another branch rather than putting files back."""
    if _has(use, "bBdt", "orphan", "detach", "track"):
        return True
    if use.paths or use.arguments in {(), (own,), ("HEAD",)}:
        return False
    # Without "--" the text does not tell a file from a branch; files mostly have a dot in their name.
    return "." not in use.arguments[-1].rpartition("/")[2]


def _renames(use: GitUse, _own: str) -> bool:
    return _has(use, "dDfmMcC", "delete", "force", "move", "copy")


def _rewinds(use: GitUse, own: str) -> bool:
    return _has(use, "", "hard", "keep", "merge") and bool(set(use.arguments) - {"HEAD", own})


def _configures(use: GitUse, _own: str) -> bool:
    if _has(use, "l", "list", "get", "get-all", "get-regexp", "get-urlmatch"):
        return False
    words = [word for word in use.arguments if word not in {"get", "list"}]
    return len(words) > 1 or _has(use, "e", "unset", "unset-all", "add", "edit", "remove-section")


_LAUNCHED: Mapping[str, _Rule] = {
    "push": _Rule(_always, f"Nothing is pushed from it. {_COMMIT_INSTEAD}"),
    "switch": _Rule(_switches, f"It stays on its branch. {_COMMIT_INSTEAD}"),
    "checkout": _Rule(
        _leaves, f"It stays on its branch; to put a file back, run: git checkout -- FILE. {_COMMIT_INSTEAD}"
    ),
    "branch": _Rule(
        _renames, f"Branches are not deleted, moved or renamed while work is on them. {_COMMIT_INSTEAD}"
    ),
    "reset": _Rule(
        _rewinds,
        "It would leave out what was merged into your branch. To undo a commit, run: git revert COMMIT.",
    ),
    "stash": _Rule(_unless("list", "show"), f"{_SHARED} Put work aside by a commit instead."),
    "worktree": _Rule(_unless("list"), "Work in your own worktree."),
    "update-ref": _Rule(_always, f"Refs are moved by landing alone. {_COMMIT_INSTEAD}"),
    "symbolic-ref": _Rule(
        lambda use, _own: len(use.arguments) > 1 or _has(use, "d", "delete"), "It stays on its branch."
    ),
    "reflog": _Rule(
        lambda use, _own: use.arguments[:1] in {("expire",), ("delete",)},
        f"{_SHARED} Nothing is thrown away.",
    ),
    "gc": _Rule(_always, f"{_SHARED} Nothing is thrown away while agents work."),
    "prune": _Rule(_always, f"{_SHARED} Nothing is thrown away while agents work."),
    "repack": _Rule(_always, f"{_SHARED} Leave it to the owner of the repository."),
    "maintenance": _Rule(_always, f"{_SHARED} Leave it to the owner of the repository."),
    "filter-branch": _Rule(_always, f"History is not rewritten. {_COMMIT_INSTEAD}"),
    "config": _Rule(_configures, f"{_SHARED} For one command, write: git -c NAME=VALUE ..."),
    "remote": _Rule(
        lambda use, _own: bool(use.arguments) and use.arguments[0] not in {"show", "get-url"}, _SHARED
    ),
}
