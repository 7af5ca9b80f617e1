"""The GitHub action and the GitLab template: their own scripts, run with a stand-in for the environment they meet there."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BAD = "FROM debian\nRUN sudo ls\n"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def step(name: str) -> str:
    """Return the script of a step of the action."""
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (found,) = (step["run"] for step in action["runs"]["steps"] if step.get("name") == name)
    return str(found)


class Runner:
    """A folder that looks to a script like a CI runner."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.work.mkdir()
        self.output = folder / "output"
        self.output.touch()
        self.sarif = folder / "harden.sarif"
        self.bin = folder / "harden-venv" / "bin"
        script(self.bin / "harden", f'#!/bin/sh\nexec "{sys.executable}" -m hardener "$@"\n')
        self.environment = os.environ | {
            "PATHS": ".",
            "FAIL_ON": "medium",
            "CONFIG": "",
            "ARGS": "",
            "VENV": str(folder / "harden-venv"),
            "SARIF": str(self.sarif),
            "GITHUB_OUTPUT": str(self.output),
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script the way GitHub runs `shell: bash`."""
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        return subprocess.run(command, cwd=self.work, capture_output=True, text=True, check=False, env=self.environment | environment)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def test_the_action_annotates_and_writes_sarif(runner: Runner) -> None:
    (runner.work / "Dockerfile").write_text(BAD, encoding="utf-8")
    run = runner.run(step("Lint"))
    assert run.returncode == 1, run.stderr
    assert "::" in run.stdout
    assert "HD101" in run.stdout
    assert runner.output.read_text(encoding="utf-8").splitlines() == ["exit-code=1", f"sarif={runner.sarif}"]
    assert json.loads(runner.sarif.read_text(encoding="utf-8"))["version"] == "2.1.0"


def test_the_action_lints_paths_with_blanks(runner: Runner) -> None:
    (runner.work / "my app").mkdir()
    (runner.work / "my app" / "Dockerfile").write_text(BAD, encoding="utf-8")
    (runner.work / "other").mkdir()
    (runner.work / "other" / "Dockerfile").write_text(BAD, encoding="utf-8")
    run = runner.run(step("Lint"), PATHS="my app\n\nother\n")
    assert run.returncode == 1, run.stderr
    assert "my app/Dockerfile" in run.stdout
    assert "other/Dockerfile" in run.stdout


def test_the_threshold_and_further_arguments_reach_the_program(runner: Runner) -> None:
    (runner.work / "Dockerfile").write_text("FROM debian\nUSER 1000\n", encoding="utf-8")
    run = runner.run(step("Lint"), FAIL_ON="critical", ARGS="--show\ncritical")
    assert run.returncode == 0, run.stderr
    assert "HD101" not in run.stdout


@pytest.mark.parametrize("name", ["PATHS", "FAIL_ON", "CONFIG", "ARGS"])
@pytest.mark.parametrize("value", ["$(touch pwned)", "`touch pwned`", "; touch pwned", '"; touch pwned; "', "' ; touch pwned ; '"])
def test_no_input_becomes_a_command(runner: Runner, name: str, value: str) -> None:
    (runner.work / "Dockerfile").write_text(BAD, encoding="utf-8")
    run = runner.run(step("Lint"), **{name: value})
    assert run.returncode == 2
    assert not (runner.work / "pwned").exists()


@pytest.mark.parametrize(
    ("version", "shellcheck", "requirement"),
    [
        ("", "true", "/action[shell]"),
        ("", "false", "/action"),
        ("0.1.0", "true", "hardener[shell]==0.1.0"),
        ("1.0rc1", "false", "hardener==1.0rc1"),
    ],
)
def test_what_the_action_installs(runner: Runner, version: str, shellcheck: str, requirement: str) -> None:
    python = script(runner.bin / "python", '#!/bin/sh\nprintf "%s\\n" "$@"\n')
    run = runner.run(step("Install hardener"), PYTHON=str(python), ACTION="/action", VERSION=version, SHELLCHECK=shellcheck)
    assert run.returncode == 0
    assert run.stdout.splitlines()[-1] == requirement


@pytest.mark.parametrize("version", ["$(touch pwned)", "1.0 --index-url=x", "1.0\n", "../x", "1.0; touch pwned"])
def test_a_version_that_is_none_is_refused(runner: Runner, version: str) -> None:
    run = runner.run(step("Install hardener"), PYTHON="false", ACTION="/action", VERSION=version, SHELLCHECK="true")
    assert run.returncode == 2
    assert not (runner.work / "pwned").exists()


def test_the_gitlab_job_writes_a_code_quality_report(runner: Runner) -> None:
    (runner.work / "Dockerfile").write_text(BAD, encoding="utf-8")
    job = yaml.safe_load((ROOT / "docs" / "gitlab-ci.yml").read_text(encoding="utf-8"))["harden"]
    (lint,) = (line for line in job["script"] if line.startswith("harden "))
    run = runner.run(lint, **job["variables"])
    assert run.returncode == 1, run.stderr
    report = json.loads((runner.work / job["artifacts"]["reports"]["codequality"]).read_text(encoding="utf-8"))
    assert report
    assert {"description", "check_name", "fingerprint", "severity", "location"} <= report[0].keys()
