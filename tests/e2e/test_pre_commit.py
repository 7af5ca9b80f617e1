"""The pre-commit hook, run by pre-commit itself on a scratch repository."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SNEAKY = "--output=json:stolen.Dockerfile"  # a file that anyone can add in a pull request


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scratch")
    (folder / "Dockerfile").write_text("FROM debian\nRUN sudo ls\n", encoding="utf-8")
    (folder / "app").mkdir()
    (folder / "app" / "web.dockerfile").write_text("FROM debian\n", encoding="utf-8")
    (folder / SNEAKY).write_text("FROM alpine\n", encoding="utf-8")
    (folder / "Dockerfile.md").write_text("FROM ubuntu\n", encoding="utf-8")
    (folder / "compose.yaml").write_text("services:\n  web:\n    image: nginx\n    privileged: true\n", encoding="utf-8")
    (folder / "run.sh").write_text("docker run --privileged nginx:1.27.3\n", encoding="utf-8")
    (folder / "notes.txt").write_text("FROM busybox\n", encoding="utf-8")
    for command in (["init", "-q"], ["add", "--all"], ["commit", "-q", "-m", "Start"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def tried(repository: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pre_commit", "try-repo", str(ROOT), "harden-lint", "--all-files", "--verbose"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_hook_installs_and_fails_on_findings(tried: subprocess.CompletedProcess[str]) -> None:
    assert tried.returncode == 1, tried.stdout + tried.stderr
    assert "exit code: 1" in tried.stdout
    assert "HD101" in tried.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Dockerfile", "app/web.dockerfile", SNEAKY])
def test_the_hook_takes_dockerfiles(tried: subprocess.CompletedProcess[str], name: str) -> None:
    assert f"{name}:1:6" in tried.stdout


@pytest.mark.slow
@pytest.mark.parametrize("place", ["compose.yaml:4:17", "run.sh:1:12"])
def test_the_hook_takes_services(tried: subprocess.CompletedProcess[str], place: str) -> None:
    assert place in tried.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Dockerfile.md", "notes.txt"])
def test_the_hook_leaves_other_files_alone(tried: subprocess.CompletedProcess[str], name: str) -> None:
    assert name not in tried.stdout


@pytest.mark.slow
def test_a_file_named_like_an_option_is_not_one(tried: subprocess.CompletedProcess[str], repository: Path) -> None:
    assert tried.returncode == 1
    assert not (repository / "stolen.Dockerfile").exists()


@pytest.mark.parametrize("arguments", [None, ["--fail-on", "low", "--"]], ids=["the hook's own", "a user's"])
def test_arguments_come_before_the_files(repository: Path, arguments: list[str] | None) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].split()[0] == "harden"
    command = [sys.executable, "-m", "hardener", *hook["entry"].split()[1:], *(arguments or hook["args"]), SNEAKY]
    run = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert f"{SNEAKY}:1:6" in run.stdout
    assert not (repository / "stolen.Dockerfile").exists()
