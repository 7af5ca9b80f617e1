"""Our reading of `docker create` lines beside what a real daemon stored for them.

Recorded from docker 28.2 (client) and 20.10 (daemon). HARDEN_RECORD=1 records again, where docker runs; it creates containers of a tiny
image of its own and removes them.
"""

import json
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from inspect_shape import recorded, shape_of

from hardener.engine.dispatch_services import ServiceDispatch
from hardener.engine.ready import Judged
from hardener.finding import Severity
from hardener.rules.context import ServiceContext
from hardener.rules.load import builtin
from hardener.sources import runline
from hardener.text import SourceFile

FIXTURE = Path(__file__).parents[1] / "fixtures" / "runline" / "docker-create.json"
IMAGE = "hardener/tiny:1"
STORED: list[dict[str, Any]] = json.loads(FIXTURE.read_text())


def _docker(*words: str, folder: str | None = None) -> str:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=True, cwd=folder).stdout.strip()


def _record(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as outer:
        folder = f"{outer}/project"
        os.mkdir(folder)
        subprocess.run("echo > file && tar -c file | docker import - " + IMAGE, shell=True, check=True, cwd=folder, capture_output=True)
        plain, other = _docker("create", IMAGE, "x"), _docker("create", "--name", "h-other", IMAGE, "x")
        made = [plain, other]
        names = {"host": platform.node(), other: "h-other", folder: "/project", outer: ""}
        out: list[dict[str, Any]] = []
        try:
            base = json.loads(_docker("inspect", plain))[0]
            base["Config"]["Image"] = base["Config"]["Cmd"] = None
            for case in cases:
                done = subprocess.run(case["line"], shell=True, capture_output=True, text=True, check=False, cwd=folder)
                if done.returncode:
                    said = done.stderr.strip().splitlines()[0].removeprefix("docker: ").removeprefix("Error response from daemon: ")
                    out.append({"line": case["line"], "refused": said.replace(outer, "")})
                    continue
                identity = done.stdout.strip().splitlines()[-1]
                made.append(identity)
                out.append({"line": case["line"], "stored": recorded(json.loads(_docker("inspect", identity))[0], base, names)})
        finally:
            _docker("rm", "--force", "--volumes", *made)
            _docker("volume", "rm", "--force", "h-data", "h-named", "h-vol")
            _docker("rmi", IMAGE)
        return out


if os.environ.get("HARDEN_RECORD"):
    STORED = _record(STORED)
    FIXTURE.write_text(json.dumps(STORED, indent=1, ensure_ascii=False) + "\n")


def _id(case: dict[str, Any]) -> str:
    return str(case["line"]).removeprefix("docker create ").replace(IMAGE, "").strip()[:60]


@pytest.mark.parametrize("case", [case for case in STORED if "stored" in case], ids=_id)
def test_a_line_means_what_the_daemon_stored(case: dict[str, Any]) -> None:
    project = runline.find(SourceFile("line.sh", case["line"]), "shell", "/project")
    assert [problem.message for problem in project.problems] == []
    (service,) = project.services
    assert shape_of(service) == case["stored"]


@pytest.fixture(scope="module")
def rules() -> ServiceDispatch:
    """Return the rules on what an engine refuses."""
    return ServiceDispatch([source for source in builtin() if "correctness" in source.rule.tags])


def _refusals(rules: ServiceDispatch, line: str) -> list[str]:
    project = runline.find(SourceFile("line.sh", line), "shell", "/project")
    found = [judged for judged in rules.judge(ServiceContext(project)) if isinstance(judged, Judged)]
    return [judged.rule.id for judged in found if judged.rule.severity >= Severity.MEDIUM]


@pytest.mark.parametrize("case", [case for case in STORED if "refused" in case], ids=_id)
def test_a_line_that_docker_refuses_is_a_finding(case: dict[str, Any], rules: ServiceDispatch) -> None:
    assert _refusals(rules, case["line"]), case["refused"]


@pytest.mark.parametrize("case", [case for case in STORED if "stored" in case], ids=_id)
def test_a_line_that_docker_takes_is_none(case: dict[str, Any], rules: ServiceDispatch) -> None:
    assert _refusals(rules, case["line"]) == []


def test_there_are_enough_lines() -> None:
    assert sum("stored" in case for case in STORED) >= 80
    assert sum("refused" in case for case in STORED) >= 40
