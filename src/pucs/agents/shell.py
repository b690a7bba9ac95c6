"""What a shell command seems to change, read out of its text alone.

A best effort that errs on the side of saying nothing: a script, a build tool or ``python -c`` may change anything, so what
has really changed is looked at again after the command. Nothing here raises, whatever the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pucs.agents.calls import Edit
from pucs.agents.patches import parse_patch
from pucs.agents.shell_text import Mark, Redirect, Word, cut

COMMAND_CHARS_MAX = 200_000
"""Longer text is read this far: a patch in a heredoc fits, and reading it takes well under a second."""
FOUND_MAX = 500
"""Edits, uses of git and unclear words of one command, each: more says no more than "many files"."""
DEPTH_MAX = 4
"""Shells within shells that are followed."""
NESTED_MAX = 16
"""Commands that start commands (``sudo env time …``) that are followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitUse:
    """One use of git."""

    subcommand: str
    flags: tuple[str, ...] = ()
    """Words that begin with a dash, as written: ``-am``, ``--force-with-lease=main``."""
    arguments: tuple[str, ...] = ()
    """The other words, values of flags among them, up to ``--``."""
    paths: tuple[str, ...] = ()
    """Words after ``--``."""
    place: str | None = ""
    """Directory it works in, absolute or relative to the program's own; None: it cannot be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What a command seems to change."""

    edits: tuple[Edit, ...] = ()
    """With ``sure=False``, but for patches that stand in the command itself."""
    git: tuple[GitUse, ...] = ()
    unclear: tuple[str, ...] = ()
    """Words that name changed files in a way that only the shell or the disk can tell: ``src/*.py``, ``$FILE``, ``.``."""


def touched(command: str) -> Touched:
    """Return what a command seems to change; never raises."""
    reading = _Reading()
    reading.read(command[:COMMAND_CHARS_MAX])
    if len(command) > COMMAND_CHARS_MAX:
        reading.unclear.append("…")
    return Touched(
        edits=tuple(dict.fromkeys(reading.edits[:FOUND_MAX])),
        git=tuple(reading.git[:FOUND_MAX]),
        unclear=tuple(dict.fromkeys(reading.unclear[:FOUND_MAX])),
    )


# Reading one text ----------------------------------------------------------------------------------------------

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(\[[^]]*\])?\+?=")
_DIGIT = re.compile(r"[0-9]")
_WORDS_BEFORE = frozenset({
    "if",
    "then",
    "else",
    "elif",
    "do",
    "while",
    "until",
    "!",
    "{",
    "}",
    "fi",
    "done",
    "esac",
})
"""Words of the shell's own that may stand before a command."""
_WRITES = frozenset({">", ">>", ">|", "&>", "&>>", "<>"})
_NO_FILES = ("/dev/", "/proc/")


@dataclass(slots=True)
class _Reading:
    """What has been found so far, and where the commands work."""

    place: str | None = ""
    """Directory of the next command; None: it cannot be told."""
    depth: int = 0
    nested: int = 0
    edits: list[Edit] = field(default_factory=list)
    git: list[GitUse] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    stack: list[str | None] = field(default_factory=list)
    """Places outside the brackets that are open."""

    def read(self, text: str) -> None:
        """Read shell text."""
        if self.depth >= DEPTH_MAX:
            self.unclear.append("…")
            return
        self.depth += 1
        words: list[Word] = []
        redirects: list[Redirect] = []
        for token in [*cut(text), Mark("\n")]:
            match token:
                case Word():
                    words.append(token)
                case Redirect():
                    redirects.append(token)
                case Mark():
                    self._command(words, redirects)
                    words, redirects = [], []
                    if token.text == "(":
                        self.stack.append(self.place)
                    elif token.text == ")" and self.stack:
                        self.place = self.stack.pop()
        self.depth -= 1

    def _command(self, words: list[Word], redirects: list[Redirect]) -> None:
        for inner in (inner for word in words for inner in word.inner):
            self.aside(inner)
        if any(word.text in {"[[", "]]", "(("} for word in words):
            return  # there ">" compares
        for redirect in redirects:
            is_copy = redirect.target.text.isdecimal() or redirect.target.text in {"", "-"}
            if redirect.operator in _WRITES or (redirect.operator == ">&" and not is_copy):
                self.change(redirect.target)
        self.run(words, redirects)

    def run(self, words: list[Word], redirects: list[Redirect]) -> None:
        """Read one command."""
        first = 0
        while first < len(words) and (
            words[first].text in _WORDS_BEFORE or _ASSIGNMENT.match(words[first].text)
        ):
            first += 1
        words = words[first:]
        if not words or self.nested >= NESTED_MAX or len(self.edits) > FOUND_MAX:
            return
        self.nested += 1
        self._known(words, redirects)
        self.nested -= 1

    def _known(self, words: list[Word], redirects: list[Redirect]) -> None:
        name = words[0].text.rpartition("/")[2]
        if name in _WRAPPERS:
            self._wrapped(name, words)
        elif name in _WITH_INPUT:
            _WITH_INPUT[name](self, words[1:], redirects)
        elif name in _COMMANDS:
            _COMMANDS[name](self, words[1:])

    def _wrapped(self, name: str, words: list[Word]) -> None:
        """Read a command that another one starts."""
        wrapper = _WRAPPERS[name]
        rest = _options(words[1:], wrapper.letters, wrapper.longs, permute=False).operands
        if wrapper.word:
            if not rest or rest[0].text not in wrapper.word:
                return
            rest = _options(rest[1:], wrapper.letters, wrapper.longs, permute=False).operands
        rest = rest[wrapper.skips :]
        if rest:
            self.run([*rest, *([Word("{}", plain=False)] if name in {"xargs", "parallel"} else [])], [])

    def aside(self, text: str) -> None:
        """Read a command that runs in a shell of its own."""
        place, stack = self.place, self.stack
        self.stack = []
        self.read(text)
        self.place, self.stack = place, stack

    def path(self, word: Word) -> str | None:
        """Return the path a word names, from the program's directory; None, and noted, if it cannot be told."""
        name = word.text
        if not name or name == "-" or name.startswith(_NO_FILES):
            return None
        known = word.plain and "{}" not in name and name.rstrip("/") not in {"", ".", ".."}
        if not known or (self.place is None and not name.startswith("/")) or "\0" in name:
            self.unclear.append(name)
            return None
        return _joined(self.place or "", name)

    def change(self, word: Word, *, deletes: bool = False) -> None:
        """Note that a file changes."""
        path = self.path(word)
        if path is not None:
            self.edits.append(Edit(path=path, deletes=deletes, sure=False))


def _joined(place: str, name: str) -> str:
    return name if name.startswith("/") or not place else f"{place.rstrip('/')}/{name.removeprefix('./')}"


# Options -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Options:
    """The words after a command's name."""

    flags: set[str] = field(default_factory=set)
    """Letters and long names, without dashes."""
    values: dict[str, Word] = field(default_factory=dict)
    operands: list[Word] = field(default_factory=list)


def _options(
    words: list[Word],
    letters: str = "",
    longs: Iterable[str] = (),
    *,
    attached: str = "",
    permute: bool = True,
) -> _Options:
    """Sort words into options and the rest.

    ``letters`` and ``longs`` take a value; ``attached`` are letters that take the rest of their word. Without ``permute`` the
    first operand ends the options.
    """
    found = _Options()
    rest = iter(words)
    for word in rest:
        text = word.text
        if text == "--" or (not permute and not (text.startswith("-") and len(text) > 1)):
            found.operands += [*([] if text == "--" else [word]), *rest]
            break
        if text.startswith("--"):
            name, equals, value = text[2:].partition("=")
            found.flags.add(name)
            if equals:
                found.values[name] = Word(value, word.plain)
            elif name in longs:
                found.values[name] = next(rest, Word(""))
        elif text.startswith("-") and len(text) > 1:
            for place, letter in enumerate(text[1:], start=2):
                found.flags.add(letter)
                if letter in letters:
                    found.values[letter] = (
                        Word(text[place:], word.plain) if text[place:] else next(rest, Word(""))
                    )
                if letter in letters + attached:
                    break
        else:
            found.operands.append(word)
    return found


# Commands that start others ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Wrapper:
    """How the command that another one starts is found."""

    letters: str = ""
    """Options with a value."""
    longs: tuple[str, ...] = ()
    skips: int = 0
    """Operands before the command."""
    word: tuple[str, ...] = ()
    """Subcommands that start another command."""


_WRAPPERS = {
    "sudo": _Wrapper("ugChprtTUD", ("user", "group", "chdir", "host", "prompt")),
    "doas": _Wrapper("uC"),
    "env": _Wrapper("uCS", ("unset", "chdir")),
    "xargs": _Wrapper("adEILnPs", ("arg-file", "delimiter", "max-args", "max-procs", "max-lines", "replace")),
    "parallel": _Wrapper("jINn", ("jobs",)),
    "time": _Wrapper("fo", ("format", "output")),
    "timeout": _Wrapper("sk", ("signal", "kill-after"), 1),
    "nice": _Wrapper("n", ("adjustment",)),
    "ionice": _Wrapper("cn", ("class", "classdata")),
    "stdbuf": _Wrapper("ioe", ("input", "output", "error")),
    "taskset": _Wrapper("", (), 1),
    "flock": _Wrapper("wE", ("timeout", "wait"), 1),
    "npx": _Wrapper("p", ("package",)),
    "uv": _Wrapper("p", ("with", "python", "extra", "group", "project"), 0, ("run",)),
    "poetry": _Wrapper("", (), 0, ("run",)),
    "pdm": _Wrapper("", (), 0, ("run",)),
    "hatch": _Wrapper("", (), 0, ("run",)),
    "pnpm": _Wrapper("", (), 0, ("exec", "dlx")),
    "yarn": _Wrapper("", (), 0, ("exec", "dlx")),
    "bundle": _Wrapper("", (), 0, ("exec",)),
} | dict.fromkeys(
    ("nohup", "setsid", "command", "builtin", "chronic", "noglob", "exec", "uvx"), _Wrapper("a")
)


def _shell(reading: _Reading, words: list[Word], redirects: list[Redirect]) -> None:
    options = _options(words, "coO", permute=False)
    if "c" in options.values:
        reading.aside(options.values["c"].text)
    elif not options.operands or "s" in options.flags:
        for redirect in redirects:
            reading.aside(redirect.target.text if redirect.operator == "<<<" else redirect.body)


def _eval(reading: _Reading, words: list[Word]) -> None:
    reading.read(" ".join(word.text for word in words))


def _python(reading: _Reading, words: list[Word]) -> None:
    options = _options(words, "mcWX", permute=False)
    if "m" in options.values:
        reading.run([options.values["m"], *options.operands], [])


def _find(reading: _Reading, words: list[Word]) -> None:
    texts = [word.text for word in words]
    if "-delete" in texts:
        reading.unclear.append(" ".join(["find", *texts])[:200])
    for place, text in enumerate(texts):
        if text in {"-exec", "-execdir", "-ok", "-okdir"}:
            ends = [end for end in range(place, len(texts)) if texts[end] in {";", "+"}]
            reading.run(words[place + 1 : ends[0] if ends else None], [])


def _cd(reading: _Reading, words: list[Word]) -> None:
    operands = _options(words).operands
    target = operands[0] if operands else Word("~", plain=False)
    known = target.plain and target.text != "-" and (reading.place is not None or target.text.startswith("/"))
    reading.place = _joined(reading.place or "", target.text) if known else None


# Commands that change files ------------------------------------------------------------------------------------


def _every(letters: str = "", *longs: str, deletes: bool = False) -> Callable[[_Reading, list[Word]], None]:
    """Make the reading of a command that changes all its operands."""

    def read(reading: _Reading, words: list[Word]) -> None:
        for operand in _options(words, letters, longs).operands:
            reading.change(operand, deletes=deletes)

    return read


def _output(letters: str, wanted: str, long: str) -> Callable[[_Reading, list[Word]], None]:
    """Make the reading of a command that writes where an option says."""

    def read(reading: _Reading, words: list[Word]) -> None:
        values = _options(words, letters, (long,)).values
        target = values.get(wanted) or values.get(long)
        if target is not None:
            reading.change(target)

    return read


def _copied(*, moves: bool = False, links: bool = False) -> Callable[[_Reading, list[Word]], None]:
    """Make the reading of a command with sources and a target."""

    def read(reading: _Reading, words: list[Word]) -> None:
        longs = ("target-directory", "suffix", "mode", "owner", "group")
        options = _options(words, "tSmog" if not moves and not links else "tS", longs)
        sources = options.operands
        target = options.values.get("t") or options.values.get("target-directory")
        into = target is not None
        if target is None:
            if len(sources) > 1:
                *sources, target = sources
            elif links:
                target, into = Word("."), True
            else:
                return
        into = into or len(sources) > 1 or target.text.endswith("/") or target.text in {".", ".."}
        for source in sources:
            if moves:
                reading.change(source, deletes=True)
            reading.change(_inside(target, source) if into else target)

    return read


def _inside(directory: Word, source: Word) -> Word:
    name = source.text.rstrip("/").rpartition("/")[2]
    text = name if directory.text in {".", "./"} else f"{directory.text.rstrip('/')}/{name}"
    return Word(text, directory.plain and source.plain)


def _in_place(letters: str, scripts: str, attached: str) -> Callable[[_Reading, list[Word]], None]:
    """Make the reading of an editor of streams that changes its files with ``-i``."""

    def read(reading: _Reading, words: list[Word]) -> None:
        words = [word for word in words if word.text]  # BSD's sed takes -i ''
        longs = ("expression", "file", "line-length")
        options = _options(words, letters, longs, attached=attached)
        if not options.flags & {"i", "in-place"}:
            return
        has_script = bool(options.values.keys() & {*scripts, "expression", "file"})
        for operand in options.operands[0 if has_script else 1 :]:
            reading.change(operand)

    return read


def _chmod(reading: _Reading, words: list[Word]) -> None:
    options = _options(words, "", ("reference",))
    mode_is_flag = bool(options.flags & {*"rwxXst", "reference"})
    for operand in options.operands[0 if mode_is_flag else 1 :]:
        reading.change(operand)


def _install(reading: _Reading, words: list[Word]) -> None:
    if not _options(words, "tSmog").flags & {"d", "directory"}:
        _copied()(reading, words)


def _dd(reading: _Reading, words: list[Word]) -> None:
    for word in words:
        if word.text.startswith("of="):
            reading.change(Word(word.text[3:], word.plain))


def _patch(reading: _Reading, words: list[Word], redirects: list[Redirect]) -> None:
    options = _options(words, "pidoDBrVFgYz", ("input", "strip", "directory", "output"))
    if "dry-run" in options.flags:
        return
    target = options.values.get("o") or options.values.get("output") or next(iter(options.operands), None)
    if target is not None:
        reading.change(target)
        return
    level = (options.values.get("p") or options.values.get("strip") or Word("1")).text
    stripped = int(level) if _DIGIT.fullmatch(level) else 0
    names = re.findall(r"(?m)^\+\+\+ ([^\t\n]+)", "\n".join(redirect.body for redirect in redirects))
    for name in names:
        reading.change(Word(name.split("/", stripped)[-1]))
    if not names:
        reading.unclear.append("patch")


def _apply_patch(reading: _Reading, words: list[Word], redirects: list[Redirect]) -> None:
    texts = [
        *(redirect.body or redirect.target.text for redirect in redirects),
        *(word.text for word in words),
    ]
    for edit in parse_patch("\n".join(texts)):
        path = reading.path(Word(edit.path))
        if path is not None:
            reading.edits.append(replace(edit, path=path))


@dataclass(frozen=True, slots=True)
class _Formatter:
    """When a formatter writes."""

    needs: frozenset[str] = frozenset()
    """Flags of which one makes it write; empty: it always does."""
    word: str = ""
    """Subcommand that writes."""


_LOOK_ONLY = frozenset({"check", "diff", "dry-run", "list-different", "stdin-filename", "version", "help"})
_FORMATTER_LETTERS = "ltc"
_FORMATTER_LONGS = ("line-length", "target-version", "config", "select", "ignore", "extend-select", "profile", "style", "parser", "ext", "exclude")  # fmt: skip
_IN_PLACE = frozenset({"i", "in-place"})
_FORMATTERS = {
    "black": (_Formatter(),),
    "isort": (_Formatter(),),
    "rustfmt": (_Formatter(),),
    "pyupgrade": (_Formatter(),),
    "autopep8": (_Formatter(_IN_PLACE),),
    "autoflake": (_Formatter(_IN_PLACE),),
    "yapf": (_Formatter(_IN_PLACE),),
    "clang-format": (_Formatter(_IN_PLACE),),
    "prettier": (_Formatter(frozenset({"write", "w"})),),
    "gofmt": (_Formatter(frozenset({"w"})),),
    "goimports": (_Formatter(frozenset({"w"})),),
    "shfmt": (_Formatter(frozenset({"w", "write"})),),
    "eslint": (_Formatter(frozenset({"fix"})),),
    "ruff": (_Formatter(word="format"), _Formatter(frozenset({"fix", "fix-only", "add-noqa"}), word="check")),
    "biome": (_Formatter(frozenset({"write", "fix", "apply"}), word="format"), _Formatter(frozenset({"write", "fix", "apply"}), word="check")),
}  # fmt: skip


def _formatted(formatters: tuple[_Formatter, ...]) -> Callable[[_Reading, list[Word]], None]:
    """Make the reading of a formatter."""

    def read(reading: _Reading, words: list[Word]) -> None:
        options = _options(words, _FORMATTER_LETTERS, _FORMATTER_LONGS)
        for formatter in formatters:
            operands = options.operands
            if formatter.word:
                if not operands or operands[0].text != formatter.word:
                    continue
                operands = operands[1:]
            writes = not formatter.needs or formatter.needs & options.flags
            if writes and not options.flags & _LOOK_ONLY:
                for operand in operands or [Word(".")]:
                    reading.change(operand)

    return read


# Git -----------------------------------------------------------------------------------------------------------


def _git(reading: _Reading, words: list[Word]) -> None:
    longs = ("git-dir", "work-tree", "namespace", "config-env")
    options = _options(words, "Cc", longs, permute=False)
    if not options.operands:
        return
    outside = reading.place
    if "C" in options.values:
        _cd(reading, [options.values["C"]])
    subcommand, *rest = options.operands
    before, after = _divided(rest)
    use = GitUse(
        subcommand=subcommand.text,
        flags=tuple(word.text for word in before if word.text.startswith("-")),
        arguments=tuple(word.text for word in before if not word.text.startswith("-")),
        paths=tuple(word.text for word in after),
        place=reading.place,
    )
    reading.git.append(use)
    _git_edits(reading, use.subcommand, rest, after)
    reading.place = outside


def _divided(words: list[Word]) -> tuple[list[Word], list[Word]]:
    """Return the words before ``--`` and after it."""
    for place, word in enumerate(words):
        if word.text == "--":
            return words[:place], words[place + 1 :]
    return words, []


def _git_edits(reading: _Reading, subcommand: str, words: list[Word], paths: list[Word]) -> None:
    options = _options(words, "s", ("source", "pathspec-from-file"))
    match subcommand:
        case "checkout":
            for path in paths or [word for word in options.operands if word.text == "."]:
                reading.change(path)
        case "restore" if not options.flags & {"staged", "S"} or options.flags & {"worktree", "W"}:
            for path in options.operands:
                reading.change(path)
        case "rm" if not options.flags & {"cached", "n", "dry-run"}:
            for path in options.operands:
                reading.change(path, deletes=True)
        case "mv" if not options.flags & {"n", "dry-run"}:
            _copied(moves=True)(reading, words)
        case "apply" if not options.flags & {"check", "stat", "numstat", "cached"}:
            reading.unclear.append("git apply")
        case _:
            pass


_COMMANDS: dict[str, Callable[[_Reading, list[Word]], None]] = {
    "cd": _cd,
    "pushd": _cd,
    "popd": lambda reading, _words: _cd(reading, [Word("-")]),
    "chmod": _chmod,
    "cp": _copied(),
    "curl": _output("oHXdubAeFTmx", "o", "output"),
    "dd": _dd,
    "eval": _eval,
    "find": _find,
    "git": _git,
    "install": _install,
    "ln": _copied(links=True),
    "mv": _copied(moves=True),
    "perl": _in_place("eE", "eE", "iIMmFx"),
    "rm": _every(deletes=True),
    "ruby": _in_place("e", "e", "iIrF"),
    "sed": _in_place("efl", "ef", "i"),
    "gsed": _in_place("efl", "ef", "i"),
    "sort": _output("oktST", "o", "output"),
    "tee": _every(),
    "touch": _every("dtr", "date", "reference"),
    "truncate": _every("sr", "size", "reference"),
    "unlink": _every(deletes=True),
    "wget": _output("OoPUt", "O", "output-document"),
} | {name: _formatted(formatters) for name, formatters in _FORMATTERS.items()}
_COMMANDS |= dict.fromkeys(
    ("python", "python3", "python3.11", "python3.12", "python3.13", "python3.14"), _python
)
_WITH_INPUT: dict[str, Callable[[_Reading, list[Word], list[Redirect]], None]] = {
    "patch": _patch,
    "apply_patch": _apply_patch,
    "applypatch": _apply_patch,
    **dict.fromkeys(("sh", "bash", "zsh", "dash", "ksh"), _shell),
}
