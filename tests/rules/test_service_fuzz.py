"""No service rule and no reader crashes, whatever it is given: the lines of all examples mixed, cut and broken."""

import os

from hypothesis import given, settings
from hypothesis import strategies as st
from rule_examples import cases, marked
from test_service_examples import FOLDER, wrapped

from hardener import data_folder
from hardener.engine.dispatch_services import ServiceDispatch
from hardener.engine.images import stage_of
from hardener.engine.ready import Crash
from hardener.rules.context import ServiceContext
from hardener.rules.load import read, rule_files
from hardener.sources import compose, runline
from hardener.sources.service import Project
from hardener.text import Place, SourceFile

DISPATCH = ServiceDispatch(read(rule_files(data_folder("rules"))))
TEXTS = sorted({marked(wrapped(example.text))[0] for _, _, example in cases("service")})
COMPOSE = [text for text in TEXTS if "services:" in text]
LINES = [text for text in TEXTS if "services:" not in text]
PIECES = sorted({line for text in COMPOSE for line in text.split("\n") if line.strip()})
WORDS = sorted({word for text in LINES for word in text.split()})
FILES = {
    f"{FOLDER}/Dockerfile": 'FROM debian:12 AS build\nUSER 1000\nFROM build\nENTRYPOINT ["/entry.sh"]\n',
    f"{FOLDER}/.env": "TAG=1\nPASSWORD='x y'\n",
    f"{FOLDER}/other.yaml": "services:\n  web:\n    image: x\n    extends: {file: compose.yaml, service: web}\n",
}


def open_file(path: str) -> SourceFile | None:
    text = FILES.get(os.path.normpath(path))
    return None if text is None else SourceFile(path, text)


def assert_no_crash(project: Project) -> None:
    results = DISPATCH.judge(ServiceContext(project, stage_of=stage_of(open_file), file=FILES.get))
    assert [f"{result.rule.id}: {result.error}" for result in results if isinstance(result, Crash)] == []
    for result in results:
        assert not isinstance(result, Crash)
        file = result.match.file or project.file
        places = [Place(file, result.match.span)]
        places += [where if isinstance(where, Place) else Place(file, where) for where, _ in result.match.related]
        for place in places:
            assert 0 <= place.span.start <= place.span.end <= len(place.file.text), result.rule.id


def load(text: str, *, swarm: bool = False) -> Project:
    return compose.load([SourceFile("compose.yaml", text)], FOLDER, open_file, compose.Options(swarm=swarm))


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.booleans())
@settings(max_examples=300, deadline=None)
def test_lines_of_all_examples_in_any_order(lines: list[str], swarm: bool) -> None:
    assert_no_crash(load("services:\n  web:\n" + "\n".join(lines), swarm=swarm))


@given(st.sampled_from(COMPOSE), st.integers(0, 400), st.integers(0, 12), st.text("\t :-[]{}&*!|>'\"$%@#\n0a", max_size=4), st.booleans())
@settings(max_examples=400, deadline=None)
def test_broken_examples(text: str, at: int, length: int, junk: str, swarm: bool) -> None:
    assert_no_crash(load(text[:at] + junk + text[at + length :], swarm=swarm))


@given(st.sampled_from(COMPOSE), st.sampled_from(COMPOSE))
@settings(max_examples=200, deadline=None)
def test_any_example_over_any_other(first: str, second: str) -> None:
    files = [SourceFile("compose.yaml", first), SourceFile("compose.override.yaml", second)]
    assert_no_crash(compose.load(files, FOLDER, open_file))


@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(" \\\"'$`{}()-=:,\n", max_size=6)), max_size=16))
@settings(max_examples=300, deadline=None)
def test_words_of_all_run_lines_in_any_order(words: list[str]) -> None:
    assert_no_crash(runline.find(SourceFile("run.sh", "docker run " + " ".join(words)), "shell", FOLDER))
