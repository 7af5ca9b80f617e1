"""Whatever the file holds, no rule crashes and every finding lies in it: generated Dockerfiles, mutated samples, random text."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardener import data_folder
from hardener.engine.dispatch import Dispatch
from hardener.engine.ready import Crash
from hardener.rules.context import Context, Settings
from hardener.rules.load import parse_rule, read, rule_files
from hardener.sources.dockerfile import parse
from hardener.text import SourceFile, Span

FILES = rule_files(data_folder("rules"))
DISPATCH = Dispatch(read(FILES))
SETTINGS = Settings(("docker.io", "*.example.com"), {"org.opencontainers.image.source": "url", "x": "semver"}, True)
SAMPLES = sorted(path for path in (Path(__file__).parents[2] / "sample-projects").rglob("*ockerfile*") if path.is_file())


def _examples() -> list[str]:
    texts: list[str] = []
    for path in FILES:
        _, (fires, silent) = parse_rule(SourceFile(path, Path(path).read_text(encoding="utf-8")))
        texts += [example.text.replace("«", "").replace("»", "") for example in (*fires, *silent)]
    return texts


LINES = sorted({line for text in _examples() for line in text.split("\n")})
NEIGHBOURS = {".dockerignore": "*\n!src\n", "entrypoint.sh": '#!/bin/sh\nexec gosu app "$@"\n', "package.json": "{}"}


def assert_no_crash(text: str) -> None:
    results = DISPATCH.judge(Context(parse(SourceFile("Dockerfile", text)), SETTINGS, NEIGHBOURS.get))
    assert [f"{result.rule.id}: {result.error}" for result in results if isinstance(result, Crash)] == []
    for result in results:
        assert not isinstance(result, Crash)
        for span in (result.match.span, *(place for place, _ in result.match.related)):
            assert isinstance(span, Span)
            assert 0 <= span.start <= span.end <= len(text), result.rule.id


@given(st.lists(st.sampled_from(LINES), max_size=12), st.sampled_from(["\n", "\r\n", " \\\n"]))
@settings(max_examples=300, deadline=None)
def test_lines_of_all_examples_in_any_order(lines: list[str], newline: str) -> None:
    assert_no_crash("FROM debian:12\n" + newline.join(lines))


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=20)), max_size=10))
@settings(max_examples=200, deadline=None)
def test_examples_among_random_text(lines: list[str]) -> None:
    assert_no_crash("\n".join(lines))


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_random_bytes(data: bytes) -> None:
    assert_no_crash(data.decode("utf-8", errors="replace"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: "/".join(path.parts[-3:]))
def test_mutated_samples(path: Path) -> None:
    text = path.read_bytes().decode("utf-8")
    chance = random.Random(11)
    for _ in range(12):
        at, end = sorted(chance.sample(range(len(text) + 1), 2))
        piece = chance.choice(["", "\\\n", "<<E ", '"', "'", "$(", "\n", "${X:-", " | ", "[", "ONBUILD "])
        assert_no_crash(text[:at] + piece + text[chance.choice([at, at + 1, end]) :])
