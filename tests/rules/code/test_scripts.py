"""Which file an import of JavaScript or TypeScript means, and who uses what, over files that exist only here."""

import json

import pytest

from pucs.code.critical import users_of
from pucs.code.packages import parsed
from pucs.code.resolving import Code, Place
from pucs.code.scripts import CONFIGURATIONS_MAX, configurations
from pucs.syntax.reading import facts


def of(files: dict[str, str | dict[str, object]]) -> Code:
    """Return the code of files; what is given as a dictionary is JSON."""
    raw = {
        path: (text if isinstance(text, str) else json.dumps(text)).encode() for path, text in files.items()
    }
    told = {path: facts(path, text) for path, text in raw.items()}
    return Code(
        {path: known for path, known in told.items() if known is not None},
        texts={path: raw[path] for path in configurations(raw)},
    )


def found(
    specifier: str, files: dict[str, str | dict[str, object]], importer: str = "src/main.ts"
) -> str | None:
    return of({importer: "", **files}).scripts.imported(importer, specifier)


@pytest.mark.parametrize(
    ("specifier", "file"),
    [
        ("./a", "src/a.ts"),
        ("./a.js", "src/a.ts"),
        ("./b", "src/b.jsx"),
        ("./c.mjs", "src/c.mts"),
        ("./d", "src/d/index.tsx"),
        ("./d/", "src/d/index.tsx"),
        ("./e.js", "src/e.js"),
        ("./f.vue", "src/f.vue"),
        ("./g", "src/g.d.ts"),
        ("./h.config", "src/h.config.ts"),
        ("./a?worker", "src/a.ts"),
        ("..", "index.js"),
        ("../index", "index.js"),
        (".", "src/index.ts"),
        ("./p", "src/p/lib/main.js"),
        ("/src/a", "src/a.ts"),
        ("@/a", "src/a.ts"),
        ("~/src/a", "src/a.ts"),
        ("./gone", None),
        ("./style.css", None),
        ("../../a", None),
        ("../../../../../etc/passwd", None),
        ("a", None),
        ("https://a/b.js", None),
        ("node:fs", None),
        ("", None),
    ],
)
def test_paths_lead_to_files(specifier: str, file: str | None) -> None:
    """With and without endings, written for the output, directories, and what people agree upon."""
    paths = "a.ts b.jsx c.mts d/index.tsx e.js e.ts f.vue g.d.ts h.config.ts index.ts p/lib/main.js style.css"
    files: dict[str, str | dict[str, object]] = {f"src/{path}": "" for path in paths.split()}
    files |= {"index.js": "", "src/p/package.json": {"main": "./lib/main"}}
    assert found(specifier, files) == file


WORKSPACE: dict[str, str | dict[str, object]] = {
    "packages/core/src/index.ts": "",
    "packages/core/src/deep/part.ts": "",
    "packages/core/src/node.ts": "",
    "packages/core/package.json": {
        "name": "@us/core",
        "main": "dist/index.js",
        "exports": {
            ".": {"types": "./dist/index.d.ts", "import": "./dist/index.mjs"},
            "./node": ["./dist/node.js"],
            "./deep/*": "./dist/deep/*.js",
            "./gone": None,
        },
        "imports": {"#own/*": "./src/deep/*.ts"},
    },
    "packages/core/src/user.ts": "",
    "elsewhere/core/index.js": "",
    "elsewhere/core/package.json": {"name": "stranger"},
}


@pytest.mark.parametrize(
    ("specifier", "importer", "file"),
    [
        ("@us/core", "src/main.ts", "packages/core/src/index.ts"),
        ("@us/core/node", "src/main.ts", "packages/core/src/node.ts"),
        ("@us/core/deep/part", "src/main.ts", "packages/core/src/deep/part.ts"),
        ("@us/core/src/node", "src/main.ts", "packages/core/src/node.ts"),
        ("@us/core/none", "src/main.ts", None),
        ("@us/core/gone", "src/main.ts", None),
        ("@us/core", "packages/core/src/user.ts", "packages/core/src/index.ts"),
        ("#own/part", "packages/core/src/user.ts", "packages/core/src/deep/part.ts"),
        ("#own/part", "src/main.ts", None),
        ("stranger", "src/main.ts", None),
    ],
)
@pytest.mark.parametrize(
    "declaration",
    [
        {"package.json": {"workspaces": ["packages/*"]}},
        {"package.json": {"workspaces": {"packages": ["./packages/**", "!elsewhere/**"]}}},
        {
            "pnpm-workspace.yaml": "# ours\npackages:\n  - 'packages/*' # all\n  - \"!packages/old\"\nother:\n  - elsewhere/*\n"
        },
        {"lerna.json": {"packages": ["packages/{core,other}"]}},
    ],
    ids=["npm", "yarn", "pnpm", "lerna"],
)
def test_packages_of_a_workspace_lead_to_their_sources(
    declaration: dict[str, str | dict[str, object]], specifier: str, importer: str, file: str | None
) -> None:
    """By what they export, although that is built later; others of a repository are not meant."""
    assert found(specifier, {**WORKSPACE, **declaration}, importer) == file


def test_a_package_may_say_where_another_lies() -> None:
    """With a path for its version, relative to itself."""
    files: dict[str, str | dict[str, object]] = {
        **WORKSPACE,
        "app/package.json": {"dependencies": {"other": "file:../elsewhere/core", "more": "^1.0.0"}},
    }
    assert found("other", files, "app/a.js") == "elsewhere/core/index.js"
    assert found("more", files, "app/a.js") is None


def test_configurations_of_typescript_give_names_to_places() -> None:
    """Comments and commas, ``extends`` from elsewhere, the longest beginning first, the nearest file."""
    files: dict[str, str | dict[str, object]] = {
        "tsconfig.base.json": """{ // all
            "compilerOptions": { "baseUrl": ".", /* names */ "paths": {
                "app/*": ["src/app/*", "other/*"], "app/exact": ["src/x.ts"], "url": ["a//b"], }, }, }""",
        "web/tsconfig.json": {"extends": "../tsconfig.base"},
        "api/tsconfig.json": {"files": [], "references": [{"path": "./tsconfig.app.json"}]},
        "api/tsconfig.app.json": {"compilerOptions": {"paths": {"$lib": ["./lib/index.ts"]}}},
        "src/app/one.ts": "",
        "other/two.ts": "",
        "src/x.ts": "",
        "api/lib/index.ts": "",
        "web/a.ts": "",
        "api/deep/b.ts": "",
    }
    scripts = of(files).scripts
    assert scripts.imported("web/a.ts", "app/one") == "src/app/one.ts"
    assert scripts.imported("web/a.ts", "app/two") == "other/two.ts"
    assert scripts.imported("web/a.ts", "app/exact") == "src/x.ts"
    assert scripts.imported("web/a.ts", "src/x") == "src/x.ts"
    assert scripts.imported("api/deep/b.ts", "$lib") == "api/lib/index.ts"
    assert scripts.imported("api/deep/b.ts", "app/one") is None


def test_configurations_that_extend_each_other_come_to_an_end() -> None:
    """A circle, itself, and more of them than anybody follows."""
    files: dict[str, str | dict[str, object]] = {
        "a/tsconfig.json": {"extends": ["../b/tsconfig", "./tsconfig.json", 5]},
        "b/tsconfig.json": {"extends": "../a/tsconfig.json", "compilerOptions": {"paths": {"x": ["./x"]}}},
        "b/x.ts": "",
        **{f"c/tsconfig.{n}.json": {"extends": [f"./tsconfig.{n + 1}"] * 5} for n in range(200)},
        "c/tsconfig.json": {"extends": "./tsconfig.0"},
    }
    assert found("x", files, "a/main.ts") == "b/x.ts"
    assert found("x", files, "c/main.ts") is None


KEYS = [
    "workspaces",
    "name",
    "exports",
    "main",
    "compilerOptions",
    "extends",
    "packages",
    "references",
    "imports",
]
VALUES: tuple[object, ...] = (
    5,
    [5, {}],
    {"paths": 5},
    {"paths": {"*": 5}, "baseUrl": 5},
    {".": {"a": 5}},
    "../" * 9,
)


@pytest.mark.parametrize("path", ["package.json", "tsconfig.json", "pnpm-workspace.yaml", "lerna.json"])
def test_damaged_configurations_say_nothing(path: str) -> None:
    """Of another form, deep, never closed: what can be found without them still is."""
    texts = [
        "",
        "[]",
        "{",
        "\0",
        "5",
        '{"a": ' * 9_000,
        "/*" * 9_000,
        '"' * 9_001,
        "packages:\n - " + "*a" * 90,
    ]
    texts += [json.dumps({key: value}) for key in KEYS for value in VALUES]
    for text in texts:
        scripts = of({path: text, "src/a.ts": ""}).scripts
        assert scripts.imported("src/main.ts", "./a") == "src/a.ts", text
        assert scripts.imported("src/main.ts", "elsewhere") is None, text


def test_a_huge_configuration_is_not_read() -> None:
    """It is no configuration of a project."""
    assert parsed(b'{"name": "' + b"a" * 1_000_000 + b'"}') == {}
    assert parsed(b'\xef\xbb\xbf{"a": "// no comment, }", /* c */ "b": [1,],}') == {
        "a": "// no comment, }",
        "b": [1],
    }


def test_configurations_are_asked_for_where_there_are_scripts() -> None:
    """A bounded number of them, those nearest to the root first, and none of installed packages."""
    several = [
        "x/package.json",
        "package.json",
        "node_modules/a/package.json",
        "conf/tsconfig/base.json",
        "a.json",
    ]
    assert configurations([*several, "a.py"]) == []
    assert configurations([*several, "a.js"]) == ["package.json", "x/package.json", "conf/tsconfig/base.json"]
    many = [f"{n}/package.json" for n in range(CONFIGURATIONS_MAX + 9)]
    assert len(configurations([*many, "a.ts"])) == CONFIGURATIONS_MAX


def test_edges_of_all_languages_are_told_together() -> None:
    """Each between files of one language, and what is outside has a name."""
    code = of({
        "a.py": "import b",
        "b.py": "",
        "a.ts": "import type {B} from './b'\nimport './b'\nimport x from '@scope/x/y'\nimport './a.css'",
        "b.ts": "export * from './c'; import('./a')",
        "c.js": "const b = require('./b')",
    })
    assert [(edge.importer, edge.imported, edge.line, edge.kind.value) for edge in code.edges()] == [
        ("a.py", "b.py", 1, "top"),
        ("a.ts", "b.ts", 1, "top"),
        ("b.ts", "a.ts", 1, "lazy"),
        ("b.ts", "c.js", 1, "top"),
        ("c.js", "b.ts", 1, "top"),
    ]
    assert [code.external("a.ts", fact) for fact in code.facts["a.ts"].imports] == ["", "", "@scope/x", ""]


def test_names_are_followed_to_where_they_are_defined() -> None:
    """Through named and starred exports, other names, defaults, modules as a whole, and old ones."""
    code = of({
        "main.ts": """\
import {A, renamed, ns, gone} from './index'
import def, * as all from './impl'
import old from './old.js'
import one = require('./one.js')
""",
        "index.ts": "export * from './impl'; export {g as renamed} from './impl'; export * as ns from './old'\nexport * from './index'",
        "impl.ts": "export class A { static make() {} }\nfunction f() {}\nexport {f as g}\nexport default class D {}",
        "old.js": "module.exports = {x, y: 1}\nfunction x() {}",
        "one.js": "class One {}\nmodule.exports = One",
    })
    for name, place in {
        "A.make": Place("impl.ts", "A.make"),
        "renamed": Place("impl.ts", "f"),
        "ns.x": Place("old.js", "x"),
        "gone": None,
        "def": Place("impl.ts", "D"),
        "all.g": Place("impl.ts", "f"),
        "all.A": Place("impl.ts", "A"),
        "old.x": Place("old.js", "x"),
        "old.y": Place("old.js", "y"),
        "one": Place("one.js", "One"),
    }.items():
        assert code.place("main.ts", name) == place, name


def test_who_hands_something_on_is_no_user_of_it() -> None:
    """Users are those who take it in the end; of what cannot be followed, the file that is imported is used."""
    users = users_of(
        of({
            "a.ts": "import {x} from './index'; x()",
            "b.ts": "import './setup'; const c = await import('./index')",
            "index.ts": "export {x} from './x'",
            "x.ts": "export const x = () => 1",
            "setup.ts": "",
        })
    )
    assert users == {"x.ts": {"a.ts"}, "setup.ts": {"b.ts"}, "index.ts": {"b.ts"}}
