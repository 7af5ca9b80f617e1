"""Whatever a file holds, reading it ends soon and never raises; every place lies in its file."""

import time
from pathlib import Path

import compose_oracle
import pytest
from compose_projects import problems, project
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hardener.sources.compose import Options, load
from hardener.sources.service import Project
from hardener.text import Place, SourceFile

TEXTS = tuple(
    path.read_bytes().decode("utf-8") for path in sorted(Path(compose_oracle.FOLDER).rglob("*.y*ml")) if path.stat().st_size < 1500
)
PIECES = (
    "\n", " ", "  ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "<<: *a", "!reset ", "!override ", "null", "${", "${A:-", "}", "$", "'",
    '"', "#", "|\n", "x:\n", "\t", "\ufeff", "---\n", "extends: web\n", "include: [compose.yaml]\n", "1", "true", "\r\n",
)  # fmt: skip


def _check(found: Project) -> None:
    places: list[Place] = [problem.place for problem in found.problems]
    for service in found.services:
        places += [service.place, service.whole, *service.keys.values()]
        places += [variable.key for variable in service.environment] + [port.place for port in service.ports]
        places += [place for mount in service.mounts for place in (mount.place, mount.source_place, mount.target_place)]
        if service.image is not None:
            places += [service.image.place, *(place for place, _ in service.image.history)]
    for place in places:
        assert 0 <= place.span.start <= place.span.end <= len(place.file.text)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(TEXTS),
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(PIECES)), max_size=4),
)
def test_mutated_projects(text: str, over: str, edits: list[tuple[float, int, str]]) -> None:
    for where, length, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + length :]
    files = {"compose.yaml": text, "over.yaml": over, "base.yaml": over, "sub/compose.yaml": text, ".env": "TAG=1\nA=${B\n"}
    _check(project(files, "compose.yaml", "over.yaml"))
    _check(project(files))


def test_readers_may_fail() -> None:
    def read(path: str) -> SourceFile | str | None:
        raise PermissionError(13, "Permission denied")

    text = "include: [a.yaml]\nservices: {web: {image: a, extends: {file: b.yaml, service: b}, env_file: c.env}}\n"
    found = load([SourceFile("compose.yaml", text)], "/project", read, Options(env_files=("/project/x.env",)))
    assert {problem.code for problem in found.problems} == {"unseen-file"}
    assert len(found.problems) == 4


def test_alias_bomb() -> None:
    levels = "".join(f"x-{index}: &a{index} [{', '.join([f'*a{index - 1}'] * 9)}]\n" for index in range(1, 12))
    started = time.perf_counter()
    found = project({"compose.yaml": f"x-0: &a0 [x]\n{levels}services: {{web: {{image: a}}}}\n"})
    assert problems(found, "invalid-yaml") != []
    assert time.perf_counter() - started < 2


@pytest.mark.parametrize(
    "text",
    [
        "services: {web: {image: '" + "${A:-" * 20_000 + "'}}",
        "services: {web: {image: '" + "${A:-{" * 10_000 + "}" * 10_000 + "'}}",
        "services: {web: {image: '" + "${A}" * 50_000 + "'}}",
        "services: {web: {image: '" + "$" * 200_000 + "'}}",
        "services: {web: {image: a, environment: [" + ", ".join(f"A{index}=x" for index in range(5_000)) + "]}}",
        "services: {" + ", ".join(f"s{index}: {{extends: s0, image: a}}" for index in range(1, 2_000)) + ", s0: {image: a}}",
    ],
    ids=["open defaults", "braces", "variables", "dollars", "long list", "many extend one"],
)
def test_large_files_take_linear_time(text: str) -> None:
    started = time.perf_counter()
    project({"compose.yaml": text})
    assert time.perf_counter() - started < 2
