"""Shell text cut into words, redirections and marks, as a POSIX shell or bash would cut it.

Nothing is expanded: a word with a variable, a substitution or a glob says so. Text that no shell would take is cut anyhow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_BLANKS = " \t\r"
_ENDS_WORD = frozenset(" \t\r\n;&|()<>")
_REDIRECT = re.compile(r"\d*(&>>|&>|<<<|<<-|<<|<>|<&|>>|>\||>&|<|>)")
_MARK = re.compile(r"&&|\|\||\|&|;;&|;;|;&|[;&|()]")
_NAME = re.compile(r"\$(?:[A-Za-z_]\w*|[0-9@*#?!$-])")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command."""

    text: str
    """Without its quotes; what the shell would put in its place stands as it was written."""
    plain: bool = True
    """False: the shell makes something else of it (a variable, a glob, the home directory)."""
    inner: tuple[str, ...] = ()
    """Commands that run to make it."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """One redirection."""

    operator: str
    target: Word
    body: str = ""
    """Text of a heredoc."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands between commands."""

    text: str


Token = Word | Redirect | Mark


def cut(text: str) -> list[Token]:
    """Return the parts of shell text in their order; never raises."""
    return _Cutter(text).run()


class _Cutter:
    """Walks through the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._tokens: list[Token] = []
        self._heredocs: list[int] = []
        """Tokens that wait for their body at the end of the line."""

    def run(self) -> list[Token]:
        """Cut everything."""
        text = self._text
        while self._at < len(text):
            here = text[self._at]
            if here in _BLANKS:
                self._at += 1
            elif text.startswith("\\\n", self._at):
                self._at += 2
            elif here == "\n":
                self._at += 1
                self._tokens.append(Mark("\n"))
                self._bodies()
            elif here == "#":
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            else:
                self._part(here)
        return self._tokens

    def _part(self, here: str) -> None:
        redirect = _REDIRECT.match(self._text, self._at)
        substitution = here in "<>" and self._text.startswith("(", self._at + 1)
        if redirect and not substitution:
            self._at = redirect.end()
            while self._at < len(self._text) and self._text[self._at] in _BLANKS:
                self._at += 1
            self._tokens.append(Redirect(redirect[1], self._word()))
            if redirect[1] in {"<<", "<<-"}:
                self._heredocs.append(len(self._tokens) - 1)
            return
        mark = None if substitution else _MARK.match(self._text, self._at)
        if mark:
            self._at = mark.end()
            self._tokens.append(Mark(mark[0]))
        else:
            self._tokens.append(self._word())

    def _bodies(self) -> None:
        """Read the heredocs that begin on the next line."""
        for number in self._heredocs:
            redirect = self._tokens[number]
            assert isinstance(redirect, Redirect)
            lines: list[str] = []
            while self._at < len(self._text):
                end = self._text.find("\n", self._at)
                end = len(self._text) if end < 0 else end
                line = self._text[self._at : end].removesuffix("\r")
                self._at = end + 1
                line = line.lstrip("\t") if redirect.operator == "<<-" else line
                if line == redirect.target.text:
                    break
                lines.append(f"{line}\n")
            self._tokens[number] = Redirect(redirect.operator, redirect.target, "".join(lines))
        self._heredocs.clear()

    def _word(self) -> Word:
        """Read one word; empty where none begins."""
        parts: list[str] = []
        inner: list[str] = []
        plain, brace = True, False
        text = self._text
        while self._at < len(text):
            here = text[self._at]
            if here in "<>" and not parts and text.startswith("(", self._at + 1):
                parts.append(self._enclosed(self._at + 2, inner))
                plain = False
            elif here in _ENDS_WORD:
                break
            elif here == "'":
                parts.append(self._until("'"))
            elif here == '"':
                plain &= self._quoted(parts, inner)
            elif here == "\\":
                parts.append(text[self._at + 1 : self._at + 2].replace("\n", ""))
                self._at += 2
            elif here in "$`":
                plain &= self._expansion(parts, inner)
            else:
                brace |= here == "{"
                plain &= here not in "*?[" and not (here == "," and brace) and not (here == "~" and not parts)
                parts.append(here)
                self._at += 1
        return Word("".join(parts), plain, tuple(inner))

    def _until(self, quote: str) -> str:
        """Read what a quote encloses; to the end if it is never closed."""
        end = self._text.find(quote, self._at + 1)
        end = len(self._text) if end < 0 else end
        found = self._text[self._at + 1 : end]
        self._at = end + 1
        return found

    def _quoted(self, parts: list[str], inner: list[str]) -> bool:
        """Read a text in double quotes; tell whether it is what it will be."""
        plain = True
        text = self._text
        self._at += 1
        while self._at < len(text) and text[self._at] != '"':
            here = text[self._at]
            if here == "\\":
                after = text[self._at + 1 : self._at + 2]
                parts.append(
                    "" if after == "\n" else after if after in {"$", "`", '"', "\\"} else f"\\{after}"
                )
                self._at += 2
            elif here in "$`":
                plain &= self._expansion(parts, inner)
            else:
                parts.append(here)
                self._at += 1
        self._at += 1
        return plain

    def _expansion(self, parts: list[str], inner: list[str]) -> bool:
        """Read what begins with a dollar or a backquote; tell whether it is what it will be."""
        text, start = self._text, self._at
        if text[start] == "`":
            inner.append(self._until("`"))
        elif text.startswith("$(", start):
            self._enclosed(start + 2, inner)
        elif text.startswith("${", start):
            end = text.find("}", start)
            self._at = len(text) if end < 0 else end + 1
        elif text.startswith("$'", start):
            self._at += 1
            parts.append(self._escaped())
            return True
        elif name := _NAME.match(text, start):
            self._at = name.end()
        else:
            self._at += 1
            parts.append("" if text.startswith('$"', start) else "$")
            return True
        parts.append(text[start : self._at])
        return False

    def _escaped(self) -> str:
        """Read a text in ``$'…'``."""
        parts: list[str] = []
        text = self._text
        self._at += 1
        while self._at < len(text) and text[self._at] != "'":
            if text[self._at] == "\\":
                after = text[self._at + 1 : self._at + 2]
                parts.append(_ESCAPES.get(after, f"\\{after}"))
                self._at += 2
            else:
                parts.append(text[self._at])
                self._at += 1
        self._at += 1
        return "".join(parts)

    def _enclosed(self, start: int, inner: list[str]) -> str:
        """Read a command in brackets up to the one that closes it, and note it."""
        text = self._text
        self._at, depth = start, 1
        while self._at < len(text):
            here = text[self._at]
            if here == "'":
                self._until("'")
                continue
            if here == '"':
                self._skip_quoted()
                continue
            depth += (here == "(") - (here == ")")
            self._at += 2 if here == "\\" else 1
            if depth == 0:
                break
        found = text[start : self._at - (depth == 0)]
        if not found.startswith("("):  # "$((" is arithmetic
            inner.append(found)
        return found

    def _skip_quoted(self) -> None:
        self._at += 1
        while self._at < len(self._text) and self._text[self._at] != '"':
            self._at += 2 if self._text[self._at] == "\\" else 1
        self._at += 1
