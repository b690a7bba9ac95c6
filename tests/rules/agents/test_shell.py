"""What shell text seems to change."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pucs.agents.shell import COMMAND_CHARS_MAX, FOUND_MAX, GitUse, touched

CHANGES = {
    "echo hi > a.txt": ["a.txt"],
    "echo hi >> 'a b.txt' 2>&1": ["a b.txt"],
    "make >build.log 2>err.log": ["build.log", "err.log"],
    "make &> all.log; make >& both.log": ["all.log", "both.log"],
    "echo x >| out": ["out"],
    "cat <<'EOF' > src/x.py\nprint(1 > 2)\nEOF\necho y > z": ["src/x.py", "z"],
    "cat > f <<-EOF\n\trm gone\n\tEOF\nrm there": ["f", "-there"],
    "printf x | tee -a log1 log2 >/dev/null": ["log1", "log2"],
    "cd src && sed -i 's/a/b/' x.py y.py": ["src/x.py", "src/y.py"],
    "cd /abs/dir; touch f": ["/abs/dir/f"],
    "(cd a && touch b) && touch c": ["a/b", "c"],
    "cd a && cd b && touch ./c": ["a/b/c"],
    "sed -i.bak -e s/a/b/ -e 's/c/d/' f1 f2": ["f1", "f2"],
    "sed -i '' 's/x/y/' f": ["f"],
    "sed --in-place=.orig 's/x/y/' f": ["f"],
    "sed -Ei 's/x/y/' f": ["f"],
    "sed -n '1,5p' f": [],
    "perl -pi -e 's/a/b/' f g": ["f", "g"],
    "perl -0777pi -e 'x' h": ["h"],
    "perl -ne 'print' h": [],
    "ruby -i -pe '$_' f": ["f"],
    "mv a b": ["-a", "b"],
    "mv x y z/": ["-x", "z/x", "-y", "z/y"],
    "mv -t dir x": ["-x", "dir/x"],
    "cp -r a b/": ["b/a"],
    "cp a b": ["b"],
    "cp ../a .": ["a"],
    "rm -rf build 'my file'": ["-build", "-my file"],
    "rm -- -odd": ["--odd"],
    "unlink f": ["-f"],
    "touch -d yesterday f": ["f"],
    "truncate -s 0 f": ["f"],
    "ln -s a b; ln -s ../c": ["b", "c"],
    "install -m 755 a bin/b": ["bin/b"],
    "install -d some/dir": [],
    "dd if=/dev/zero of=big bs=1M": ["big"],
    "patch a.py < fix.diff": ["a.py"],
    "patch -p1 <<'X'\n--- a/q/r\n+++ b/q/r\n@@ -1 +1 @@\n-a\n+b\nX": ["q/r"],
    "patch --dry-run a.py": [],
    "chmod +x run.sh; chmod -x go.sh; chmod 644 a b": ["run.sh", "go.sh", "a", "b"],
    "curl -sSo out.json http://x; wget -O - http://y": ["out.json"],
    "sort -u names -o names": ["names"],
    "ruff format src/a.py && ruff check --fix src/b.py && ruff check src/c.py": ["src/a.py", "src/b.py"],
    "black -l 100 a.py && black --check b.py": ["a.py"],
    "prettier --write x.js && prettier y.js": ["x.js"],
    "python -m black foo.py": ["foo.py"],
    "uv run black foo.py; uv run --with x isort a.py; uv sync": ["foo.py", "a.py"],
    "npx prettier --write x.ts": ["x.ts"],
    "git checkout -- a b": ["a", "b"],
    "git checkout main": [],
    "git restore --staged a; git restore b; git restore -s HEAD~1 c": ["b", "c"],
    "git rm --cached x; git rm y": ["-y"],
    "git mv a b": ["-a", "b"],
    "git -C sub checkout -- f": ["sub/f"],
    "bash -c 'cd sub; echo 1 > q'; touch r": ["sub/q", "r"],
    '/bin/bash -euo pipefail -lc "echo 1 > q"': ["q"],
    "bash <<'E'\necho > inner\nE": ["inner"],
    "eval 'rm x'": ["-x"],
    "sudo -u bob env A=1 B=2 tee f": ["f"],
    "FOO=1 time timeout -k 5 10 touch f": ["f"],
    "nohup nice -n 5 rm x &": ["-x"],
    "if [[ $a > 3 ]]; then echo x > out; fi": ["out"],
    "while read l; do touch f; done < list": ["f"],
    'echo $(rm foo) `touch bar` "$(touch baz)"': ["-foo", "bar", "baz"],
    "diff <(sort -o one a) b": ["one"],
    "# rm everything\nls # > x": [],
    "echo '> not a file' \"rm x\"": [],
    "echo a \\\n  > b": ["b"],
    "f() { rm x; }; f": ["-x"],
    "echo $'it\\'s' > f": ["f"],
    "python3 - <<'E'\nopen('x','w')\nE": [],
    "ls -la; cat f; grep -r x . 2>/dev/null": [],
    "exec > f": ["f"],
    "for i in 1 2; do rm x; done": ["-x"],
    "test 1 -gt 0 && rm x || true": ["-x"],
}  # fmt: skip


@pytest.mark.parametrize(("command", "changes"), CHANGES.items())
def test_commands_name_what_they_change(command: str, changes: list[str]) -> None:
    """Each line of daily work gives its files; deletions are marked here by a dash."""
    edits = touched(command).edits
    assert [("-" if edit.deletes else "") + edit.path for edit in edits] == changes
    assert not any(edit.sure for edit in edits)


@pytest.mark.parametrize(
    ("command", "unclear"),
    [
        ("rm -f *.pyc", "*.pyc"),
        ("echo x > $FILE", "$FILE"),
        ("touch {a,b}.py", "{a,b}.py"),
        ("rm ~/x", "~/x"),
        ("cd $DIR && rm x", "x"),
        ("cd - && rm x", "x"),
        ("ls | xargs sed -i s/a/b/", "{}"),
        ("find . -name '*.py' -exec sed -i s/a/b/ {} \\;", "{}"),
        ("find . -name '*.py' -delete", "find . -name *.py -delete"),
        ("black .", "."),
        ("ruff format", "."),
        ("git checkout .", "."),
        ("git apply fix.diff", "git apply"),
        ("patch -p1 < fix.diff", "patch"),
        ("mv *.py src/", "src/*.py"),
        ("rm -rf /", "/"),
        ('for f in a b; do sed -i s/x/y/ "$f"; done', "$f"),
        ("bash -c \"bash -c \\\"bash -c 'bash -c \\'rm x\\''\\\"\"; eval eval eval eval eval rm x", "…"),
    ],
)  # fmt: skip
def test_what_only_the_shell_can_tell_is_unclear(command: str, unclear: str) -> None:
    """Globs, variables and unknown directories are not guessed."""
    found = touched(command)
    assert unclear in found.unclear
    assert unclear not in [edit.path for edit in found.edits]


def test_a_patch_in_a_heredoc_is_read_whole() -> None:
    """Such an edit is as good as one of the tool itself, also behind ``cd``."""
    command = "cd shop && apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: cart.py\n@@\n-a\n+b\n*** End Patch\nEOF"
    (edit,) = touched(command).edits
    assert (edit.path, edit.hunks, edit.sure) == ("shop/cart.py", "@@\n-a\n+b\n", True)
    argument = "apply_patch '*** Begin Patch\n*** Delete File: x\n*** End Patch'"
    assert [(edit.path, edit.deletes) for edit in touched(argument).edits] == [("x", True)]


def test_uses_of_git_are_told_apart() -> None:
    """Subcommand, flags, arguments and place, behind all that may stand before."""
    found = touched(
        "cd sub && git -c user.name=x commit -am 'msg' && sudo git -C /repo push --force origin main; git log -- f"
    )
    assert found.git == (
        GitUse(subcommand="commit", flags=("-am",), arguments=("msg",), place="sub"),
        GitUse(subcommand="push", flags=("--force",), arguments=("origin", "main"), place="/repo"),
        GitUse(subcommand="log", paths=("f",), place="sub"),
    )
    assert touched("cd $X; git status").git == (GitUse(subcommand="status", place=None),)
    assert touched("git; git --version; echo git push").git == ()


def test_what_is_found_is_bounded() -> None:
    """Endless text is read so far and says so."""
    many = touched("rm " + " ".join(f"f{number}" for number in range(FOUND_MAX * 2)))
    assert len(many.edits) == FOUND_MAX
    long = touched("#" * COMMAND_CHARS_MAX + "\nrm x")
    assert (long.edits, long.unclear) == ((), ("…",))


@pytest.mark.parametrize(
    "chars", [COMMAND_CHARS_MAX // 8, pytest.param(COMMAND_CHARS_MAX, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("part", ["env ", "A=1 ", "$(", "`", "(", "eval ", "<<", "'", '"', "\\", "bash -c ", "sudo -u "])  # fmt: skip
def test_repeated_parts_are_no_trap(part: str, chars: int) -> None:
    """Text made to be deep is read like any other, within the limit of time of a test."""
    touched(part * (chars // len(part)))


_PARTS = ("a", " ", "'", '"', "\\", "$", "(", ")", "`", "<", ">", "|", "&", ";", "\n", "#", "{", "}", "EOF", "-i", "=",
          "sed", "git", "bash", "-c", "cd", "env", "xargs", "rm", "mv", "cp", "patch", "-p", "9", "tee", "--", "*", "~",
          "apply_patch", "*** Begin Patch\n*** Update File: x\n", "ruff", "format", "find", "-exec", "\0", "é")  # fmt: skip


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.sampled_from(_PARTS), max_size=40).map("".join) | st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Nothing is ever raised, and no path holds what no path can."""
    found = touched(text)
    assert all(edit.path and "\0" not in edit.path for edit in found.edits)
