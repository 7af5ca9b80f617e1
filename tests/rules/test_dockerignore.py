"""Which paths an ignore file leaves out: a table after github.com/moby/patternmatcher."""

import pytest

from hardener.rules.dockerignore import read


@pytest.mark.parametrize(
    ("patterns", "path", "found"),
    [
        ("a.env", "a.env", "a.env"),
        ("/a.env", "a.env", "/a.env"),
        ("a/", "a/b/c", "a/"),
        ("./a", "a", "./a"),
        ("a/../b", "b", "a/../b"),
        ("*.env", "a.env", "*.env"),
        ("*.env", "sub/a.env", ""),
        ("**/*.env", "a.env", "**/*.env"),
        ("**/*.env", "x/y/a.env", "**/*.env"),
        ("x/**/z", "x/z", "x/**/z"),
        ("x/**/z", "x/1/2/z/deep", "x/**/z"),
        ("x/**", "x/1", "x/**"),
        ("x/**", "x", ""),
        ("**", "a", "**"),
        ("a?c", "abc", "a?c"),
        ("a?c", "ac", ""),
        ("*/b", "a/b", "*/b"),
        ("*/b", "b", ""),
        ("a*b*c", "axxbyyc", "a*b*c"),
        ("a*b*c", "axxbyy", ""),
        ("# a", "# a", ""),
        ("\ufeffa\r\n  b  \r\n", "b", "b"),
        ("\ufeffa\r\n", "a", "a"),
        ("*.json", "package*.json", "*.json"),
        ("package-?.json", "package-*.json", ""),
        ("[ab].c", "a.c", ""),  # classes are not followed
        ("a", "b", ""),
    ],
)
def test_pattern(patterns: str, path: str, found: str) -> None:
    ignored = read(patterns)
    assert ignored is not None
    assert ignored.pattern(path) == found


@pytest.mark.parametrize(("patterns", "whole"), [("*", "*"), ("**", "**"), ("**/*", "**/*"), ("*.c", ""), ("a", "")])
def test_patterns_that_leave_everything_out(patterns: str, whole: str) -> None:
    ignored = read(patterns)
    assert ignored is not None
    assert ignored.whole == whole


def test_exceptions_make_a_file_undecided() -> None:
    assert read("*\n !src\n") is None


def test_a_hostile_pattern_costs_no_more_than_its_length() -> None:
    ignored = read("*a" * 40 + "b")
    assert ignored is not None
    assert ignored.pattern("a" * 5000) == ""
