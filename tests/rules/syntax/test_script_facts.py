"""What is told of one script: imports with their kinds, exports, definitions, uses by scope, and bad input."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.syntax.definitions import SOURCE_BYTES_MAX
from pucs.syntax.facts import WHOLE, DefinitionKind, FileFacts, ImportKind, Language
from pucs.syntax.packing import packed, unpacked
from pucs.syntax.reading import facts, language, reader

TOP, OPTIONAL, LAZY, TYPING = ImportKind.TOP, ImportKind.OPTIONAL, ImportKind.LAZY, ImportKind.TYPING


def told(text: str | bytes, path: str = "a.ts") -> FileFacts:
    found = facts(path, text.encode() if isinstance(text, str) else text)
    assert found is not None
    return found


def uses(text: str, path: str = "a.tsx") -> dict[str, tuple[int, ...]]:
    return {use.name: use.lines for use in told(text, path).uses}


def test_imports_of_modules_are_told_as_written() -> None:
    """Names with what they are bound to, the module as a whole, or nothing at all."""
    found = told("""\
import a, {b as c, default as d} from './x';
import e, * as f from 'y'
import 'side'
import g = require("old");
""")
    assert [(fact.module, fact.names, fact.bound, fact.line, fact.kind) for fact in found.imports] == [
        ("./x", (("default", "a"), ("b", "c"), ("default", "d")), "", 1, TOP),
        ("y", (("default", "e"),), "", 2, TOP),
        ("y", (), "f", 2, TOP),
        ("side", (), "", 3, TOP),
        ("old", (), "g", 4, TOP),
    ]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("import type {T} from 'm'", TYPING),
        ("import {type T, type U} from 'm'", TYPING),
        ("import {type T, u} from 'm'", TOP),
        ("export type {T} from 'm'", TYPING),
        ("export type * from 'm'", TYPING),
        ("export type * as a from 'm'", TYPING),
        ("let v: import('m').T", TYPING),
        ('/// <reference path="./m" />', TYPING),
        ("const a = import('m')", LAZY),
        ("const f = async () => { await import(`m`) }", LAZY),
        ("const a = require('m')", TOP),
        ("if (x) { a = require('m').b }", TOP),
        ("try { require('m') } catch {}", OPTIONAL),
        ("function f() { return require('m') }", LAZY),
    ],
)
def test_when_an_import_is_carried_out_follows_from_where_it_stands(text: str, kind: ImportKind) -> None:
    """At the top, in a function, in ``try``, or for types only."""
    found = told(text)
    assert [(fact.module.removeprefix("./"), fact.kind) for fact in found.imports] == [("m", kind)]
    assert found.problem == ""


def test_a_file_of_declarations_imports_types_only() -> None:
    """Whatever its statements look like."""
    assert {fact.kind for fact in told("import a from 'a'; export * from 'b'", "x.d.ts").imports} == {TYPING}
    assert reader("x.d.ts") != reader("x.ts")


def test_names_of_modules_that_are_made_up_are_no_imports() -> None:
    """Nobody knows what they will be."""
    assert told("import(`./${x}`); require(y); require('a' + b); other('c')").imports == ()


def test_old_modules_bind_names_to_parts_of_what_they_require() -> None:
    """Patterns, a member, the whole."""
    found = told("const a = require('a'), {b, c: d} = require('b'), e = require('c').f", "a.js")
    assert [(fact.names, fact.bound) for fact in found.imports] == [
        ((), "a"),
        ((("b", "b"), ("c", "d")), ""),
        ((("f", "e"),), ""),
    ]
    assert found.definitions == ()


def test_what_a_file_exports_is_told_with_other_names_for_it() -> None:
    """Own definitions, own names under others, and what comes from elsewhere."""
    found = told("""\
export {a as b} from './m'; export * from './n'; export * as o from './o'
export default class Foo {}
export const x = 1, {y, z: w} = f()
function g() {}
export {g as h, x as default2}
""")
    assert found.exports == ("b", "*", "o", "Foo", "default", "x", "y", "w", "h", "default2")
    assert found.aliases == (("default", "Foo"), ("h", "g"), ("default2", "x"))
    assert [(fact.names, fact.bound) for fact in found.imports] == [
        ((("a", "b"),), ""),
        ((("*", "*"),), ""),
        ((), "o"),
    ]


def test_what_an_old_module_exports_is_told() -> None:
    """As one thing, member by member, or another module's."""
    assert told("function f() {}\nmodule.exports = f", "a.js").aliases == ((WHOLE, "f"),)
    assert told("export = f; function f() {}").exports == (WHOLE,)
    found = told("exports.a = () => 1; module.exports.b = c; module.exports = {d, e: 1, f() {}}", "a.cjs")
    assert found.exports == ("a", "b", "d", "e", "f")
    again = told("module.exports = require('./b')", "a.js")
    assert [fact.names for fact in again.imports] == [(("*", "*"),)]


def test_definitions_have_kinds_lines_heads_and_bases() -> None:
    """Functions however they are written; interfaces and enums are classes, types and constants variables."""
    found = told("""\
export abstract class A<T> extends ns.B<T> implements C {
  @dec() m(a: number): void {}
  p = async (x) => x
  q = 1
}
@Component({}) class D {}
export interface I extends J, K<string> { a: 1 }
enum E { X }
type U = A | D
export async function f(a,
    b = 1) { return a }
const g = (x: number) => x, h = 2
export default () => 1
""")
    assert [(one.name, one.kind.value, one.line, one.last_line) for one in found.definitions] == [
        ("A", "class", 1, 5),
        ("A.m", "method", 2, 2),
        ("A.p", "method", 3, 3),
        ("D", "class", 6, 6),
        ("I", "class", 7, 7),
        ("E", "class", 8, 8),
        ("U", "variable", 9, 9),
        ("f", "function", 10, 11),
        ("g", "function", 12, 12),
        ("h", "variable", 12, 12),
        ("default", "function", 13, 13),
    ]
    by_name = {one.name: one for one in found.definitions}
    assert (by_name["A"].bases, by_name["I"].bases) == (("ns.B", "C"), ("J", "K"))
    assert by_name["f"].signature == "async function f(a, b = 1)"
    assert by_name["D"].decorators == ("Component",)


def test_names_are_used_with_what_is_taken_from_them() -> None:
    """In code, types and markup; not where something else has the name."""
    found = uses("""\
import React, {a, b, T} from 'm'
import * as ns from 'n'
const x: T = a(ns.one?.two)
function f(b, {a: c} = a) { return b + ns.three }
const el = <ns.Panel value={b}><React.Fragment/></ns.Panel>
items.map(a => a.x)
{ const b = 1; use(b) }
use({a, other: 1}, obj.b)
""")
    found.pop("x", None)
    assert found == {
        "T": (3,),
        "a": (3, 4, 8),
        "ns.one.two": (3,),
        "ns.three": (4,),
        "ns.Panel": (5,),
        "b": (5,),
        "React.Fragment": (5,),
    }


@pytest.mark.parametrize(
    ("text", "description", "deprecated"),
    [
        ("/** What it does.\n * More. */\nimport a from 'a'", "What it does.", ""),
        (
            "/**\n * @fileoverview Does it.\n * @deprecated use b\n */\nexport const a = 1",
            "Does it.",
            "use b",
        ),
        ("/** Of the function. @deprecated */\nexport function f() {}", "", ""),
        ("/** @license MIT */\n/** The file. */\n\nclass A {}", "The file.", ""),
        ("#!/usr/bin/env node\n// words\nimport a from 'a'", "", ""),
    ],
)
def test_a_file_is_described_by_its_own_doc_comment(text: str, description: str, deprecated: str) -> None:
    """Not by a licence, nor by the comment of its first definition."""
    found = told(text)
    assert (found.description, found.deprecated) == (description, deprecated)


def test_scripts_of_components_keep_their_lines() -> None:
    """Both of them, whatever they are written in; the component is the default export."""
    found = told(
        "<template>\n<a/></template>\n<script setup lang='ts'>\nimport A from './A.vue'\n</script>\n", "C.vue"
    )
    assert [(fact.module, fact.line) for fact in found.imports] == [("./A.vue", 4)]
    assert "default" in found.exports
    assert [one.name for one in found.definitions] == ["default"]
    assert language("C.vue") is Language.JAVASCRIPT
    assert told("<h1>No script</h1>", "x.svelte").imports == ()


def test_what_stands_around_a_mistake_is_told() -> None:
    """With the line of the mistake, also where newer syntax is unknown to the parser."""
    found = told("import a from './a'\nconst = = 5 {\nexport type * as B from './b'\n")
    assert found.problem == "line 2: not understood as TypeScript"
    assert [fact.module for fact in found.imports] == ["./a", "./b"]


def test_javascript_with_types_is_read_all_the_same() -> None:
    """As people write it who let a tool take the types away."""
    found = told("import type {T} from './t'\nexport function f(a: T): number { return 1 }\n", "a.js")
    assert (found.problem, found.language, [fact.kind for fact in found.imports]) == (
        "",
        Language.JAVASCRIPT,
        [TYPING],
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"import a from 'a'\n\0\nimport b from 'b'", "holds a zero byte"),
        ("import a from 'a'; import b from 'b'".encode("utf-16"), ""),
        ("// é\nimport a from 'a'; import b from 'b'".encode("latin-1"), ""),
        (b"\xef\xbb\xbfimport a from 'a'; import b from 'b'", ""),
        (
            b"import a from 'a'\nrequire('b')\n" + b" " * SOURCE_BYTES_MAX,
            f"larger than {SOURCE_BYTES_MAX} bytes",
        ),
        (b"import a from 'a'\nimport b from 'b'\n" + b"f(" * 5000, "nested too deeply, or no script"),
    ],
)
def test_odd_bytes_lose_no_imports(text: bytes, problem: str) -> None:
    """Other encodings, zero bytes, too large, too deep."""
    found = told(text)
    assert found.problem == problem
    assert [fact.module for fact in found.imports] == ["a", "b"]


def test_of_dense_files_uses_are_not_told() -> None:
    """A program wrote them; imports and exports count all the same."""
    text = "import {a} from './a';" + "".join(
        f"export function f{n}(){{return a({n})}};" for n in range(1000)
    )
    found = told(text, "a.min.js")
    assert (len(found.exports), found.uses, len(found.imports)) == (1000, (), 1)
    assert all(one.kind is DefinitionKind.FUNCTION for one in found.definitions)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.sampled_from([
            "import",
            "export",
            "from",
            "type",
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            "=>",
            "=",
            ",",
            ";",
            "*",
            "as",
            "default",
            "class",
            "extends",
            "a",
            "b",
            "'./m'",
            "require",
            "`${",
            "\n",
            "<",
            ">",
            "/",
            ".",
            "?",
            ":",
            "@",
            "é",
            "\x00",
            "�",
        ]),
        max_size=30,
    ),
    st.sampled_from(["a.js", "a.ts", "a.tsx", "a.d.ts", "a.vue"]),
)
def test_no_text_is_too_odd(words: list[str], path: str) -> None:
    """Never an error, and what is told can be kept."""
    found = told(" ".join(words).encode("utf-8", "surrogatepass"), path)
    assert unpacked(packed(found)) == found


def test_the_parser_is_loaded_for_scripts_only() -> None:
    """It takes a while that who has none need not wait."""
    program = (
        "import sys, pucs.code.resolving; from pucs.syntax.reading import facts; facts('a.py', b''); "
        "print([name for name in sys.modules if 'tree_sitter' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
