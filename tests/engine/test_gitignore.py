"""Our reading of .gitignore against git's own."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.engine.gitignore import Patterns


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    return root


def git_verdicts(root: Path, paths: list[str]) -> dict[str, bool | None]:
    """Ask git which pattern, if any, decides about each path itself; a trailing slash makes it a folder.

    `--no-index` with `--verbose` names the deciding pattern, negated ones included.
    """
    for path in paths:
        folder = root / path if path.endswith("/") else (root / path).parent
        folder.mkdir(parents=True, exist_ok=True)
    command = ["git", "-C", str(root), "-c", "core.excludesFile=/dev/null", "-c", "core.ignoreCase=false"]
    command += ["check-ignore", "--no-index", "--verbose", "--non-matching", "-z", "--stdin"]
    asked = "\0".join(path.rstrip("/") for path in paths) + "\0"
    answer = subprocess.run(command, input=os.fsencode(asked), capture_output=True, check=False)
    assert answer.returncode in (0, 1), answer.stderr
    fields = os.fsdecode(answer.stdout).split("\0")
    verdicts: dict[str, bool | None] = {}
    for index, path in enumerate(paths):
        pattern = fields[index * 4 + 2]
        verdicts[path] = None if not pattern else not pattern.startswith("!")
    return verdicts


def ours(text: str, path: str) -> bool | None:
    """Return the verdict on a path, that of the first ignored folder on the way included, as git gives it."""
    patterns = Patterns(text.split("\n"))
    parts = path.rstrip("/").split("/")
    for count in range(1, len(parts)):
        if patterns.match("/".join(parts[:count]), is_folder=True):
            return True
    return patterns.match(path.rstrip("/"), is_folder=path.endswith("/"))


PATHS = [
    "a/",
    "b",
    "ab",
    "dir/b",
    "dir/sub/foo",
    "foo.txt",
    "x y",
    "dir/a",
    "dir/sub/a",
    "dir/sub/deep/foo.txt",
    "dir/foo/bar",
    "foo/bar/baz",
    "#a",
    "!a",
    "dir/",
    "dir/sub/",
    "foo/",
    "dir/foo/",
    "a b/",
    "a b/c",
    "]",
    "a]",
    "[a]",
    "a-",
    "a*b",
    "1",
    "A/",
    "A/a",
    ".hidden",
    "dir/.hidden",
    "axb",
    "a/b",
    "a/x/b",
    "a/x/y/b",
    "abc/x",
    "abc/",
    "x/abc/y/z",
    "trail ",
    "dir/trail ",
    "back\\slash",
    "a.b",
    "aa/b.c/dd",
    "Dockerfile",
    "sub/Dockerfile",
]

TABLE = [
    "a",
    "/a",
    "a/",
    "/dir",
    "dir/",
    "dir/sub",
    "/dir/sub",
    "sub/a",
    "*",
    "/*",
    "*/",
    "*.txt",
    "foo*",
    "*o*",
    "?",
    "??",
    "f?o",
    "dir/*",
    "dir/*/",
    "**",
    "/**",
    "**/",
    "**/a",
    "**/foo",
    "**/sub/a",
    "dir/**",
    "dir/**/",
    "dir/**/a",
    "a/**/b",
    "a/**",
    "**/abc/**",
    "a**b",
    "**b",
    "***/a",
    "dir/**/**/a",
    "**/**/a",
    "dir/***/a",
    "\\#a",
    "\\!a",
    "#a",
    "!a",
    "[ab]",
    "[!ab]",
    "[^ab]",
    "[a-c]",
    "[c-a]",
    "[!c-a]",
    "[a-\\",
    "[\\",
    "[",
    "[]]",
    "[]a]",
    "[a-]",
    "[]-a]",
    "[[:digit:]]",
    "[[:upper:]]",
    "[[:alpha:][:digit:]]",
    "[[:nope:]]",
    "[[:a]",
    "[",
    "[a",
    "a[/]b",
    "a?b",
    "a[!x]b",
    "a\\*b",
    "\\a",
    "a\\",
    "\\",
    "back\\\\slash",
    "trail\\ ",
    "trail ",
    "trail\\\\ ",
    "  ",
    "x\\ y",
    "x y",
    "x y  ",
    "*\n!a",
    "*\n!*/\n!foo.txt",
    "/*\n!/dir\n/dir/*\n!/dir/sub",
    "foo\n!foo/bar",
    "dir/*\n!dir/sub\n",
    "*.txt\n!foo.txt\nfoo.txt",
    "!a\na",
    "a\r\nb\r",
    "//a",
    "a//b",
    "/",
    "//",
    "!",
    "!/",
    "dir/sub/deep/",
    "dir\\/sub",
    "sub/*/foo.txt",
    "*/*/*",
    "*/*/*/*",
    "a/*/b",
    "a/*/*/b",
    "**/b.c/",
    "aa/*.c/dd",
    "docker*",
    "[D-d]ockerfile",
    "[[:space:]]",
    "x[[:space:]]y",
    "x[[:blank:]]y",
    "[[:punct:]]",
    "[[:print:]]",
    "[[:graph:]]a",
    "[[:cntrl:]]",
    "[[:xdigit:]]",
    "[[:alnum:]]",
    "[[:lower:]]",
    "[\\]]",
    "[a\\-]",
    "[*]",
    "a[*]b",
    "*[*]*",
    "[--a]",
    "[!-a]",
    "\t",
    "a\t",
    "#",
    "\\#",
    "*a*b*",
    "*?",
    "?*",
    "**?",
    "**/*",
    "*/**",
    "dir/**/*",
    ".*",
    "[.]*",
]


@pytest.mark.parametrize("text", TABLE)
def test_agrees_with_git(repository: Path, text: str) -> None:
    (repository / ".gitignore").write_bytes(text.encode())
    expected = git_verdicts(repository, PATHS)
    assert {path: ours(text, path) for path in PATHS} == expected


PIECES = st.sampled_from(
    ["a", "b", "foo", ".", "*", "**", "?", "/", "/**/", "[ab]", "[!a]", "[a-", "]", "\\", "!", "#", " ", "-", "x", "[[:alpha:]]", "\\*"]
)
# git reads `a**/b` as `a` and then `**/b` (it compares the literal beginning apart); its manual says the stars are ordinary, and so do we.
PATTERN = st.lists(PIECES, min_size=1, max_size=7).map("".join).filter(lambda text: re.search(r"[^/!*]\*\*", text) is None)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(PATTERN, min_size=1, max_size=5).map("\n".join))
def test_agrees_with_git_on_anything(repository: Path, text: str) -> None:
    (repository / ".gitignore").write_bytes(text.encode())
    expected = git_verdicts(repository, PATHS)
    assert {path: ours(text, path) for path in PATHS} == expected


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 60 + "b", "a" * 4000),
        ("**/" + "*a" * 30 + "b", "/".join(["a" * 50] * 80)),
        ("/".join(["**", "a"] * 20) + "/b", "/".join(["a"] * 2000)),
        ("x/" + "**/*a*/" * 20 + "b", "x/" + "/".join(["aa"] * 1000)),
    ],
)
def test_no_pattern_backtracks(pattern: str, path: str) -> None:
    # Backtracking would not end within any test run; no clock is needed to notice.
    assert Patterns([pattern]).match(path) is None


@pytest.mark.parametrize(
    ("lines", "path", "covered"),
    [
        (["vendor/"], "vendor/Dockerfile", True),
        (["vendor"], "a/vendor/b/Dockerfile", True),
        (["/vendor"], "a/vendor/Dockerfile", False),
        (["services/*/legacy"], "services/api/legacy/Dockerfile", True),
        (["*", "!Dockerfile"], "Dockerfile", False),
        (["*", "!Dockerfile"], "a/Dockerfile", True),
        ([], "Dockerfile", False),
    ],
)
def test_covers(lines: list[str], path: str, covered: bool) -> None:
    assert Patterns(lines).covers(path) is covered
