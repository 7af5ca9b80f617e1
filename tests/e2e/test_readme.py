"""The README and the demo against the program: every command line in them is one that it understands."""

import functools
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hardener.cli import split_line

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("harden ")
]


@functools.cache
def usage(*command: str) -> str:
    run = subprocess.run([sys.executable, "-m", "hardener", *command, "--help"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_readme_exists(line: str) -> None:
    _, command, *arguments = shlex.split(line)
    arguments = split_line(arguments)[0]  # what follows `--` is another program's
    options = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
    known = usage(command, *arguments[: command == "image"])  # the subcommands of that family have options of their own
    assert {option for option in options if not re.search(rf"{option}\b", known)} == set()


def test_the_readme_shows_the_rule_as_it_is(recording: bool) -> None:
    (shown,) = re.findall(r"```yaml\n(id: HD101\n.*?)```", README, re.DOTALL)
    rule = (ROOT / "rules" / "dockerfile" / "HD101-untagged-base-image.yaml").read_text(encoding="utf-8")
    if recording:
        (ROOT / "README.md").write_text(README.replace(shown, rule), encoding="utf-8")
        shown = rule
    assert shown == rule


def test_the_ignore_comments_of_the_readme_ignore_what_they_say(tmp_path: Path) -> None:
    (example,) = (block for block in re.findall(r"```dockerfile\n(.*?)```", README, re.DOTALL) if "harden: ignore" in block)
    (tmp_path / "Dockerfile").write_text(re.sub(r"expires=\S+", "expires=2999-12-31", example), encoding="utf-8")
    command = [sys.executable, "-m", "hardener", "lint", "--no-shellcheck", "--format", "concise", "--warn-ignores", "Dockerfile"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode in {0, 1}, run.stderr
    assert "ignore" not in run.stdout + run.stderr  # none is unused, expired or without a reason


def test_the_configuration_of_the_readme_is_valid(tmp_path: Path) -> None:
    (config,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("# .harden.yaml"))
    (tmp_path / ".harden.yaml").write_text(config, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM debian\n", encoding="utf-8")
    run = subprocess.run([sys.executable, "-m", "hardener", "lint", "."], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr


def test_the_policy_of_the_readme_is_valid(tmp_path: Path) -> None:
    (policy,) = (block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if block.startswith("# company.policy.yaml"))
    (tmp_path / "company.policy.yaml").write_text(policy, encoding="utf-8")
    (tmp_path / "Dockerfile").write_text("FROM debian\n", encoding="utf-8")
    command = [sys.executable, "-m", "hardener", "gate", "--policy", "company.policy.yaml", "--environment", "production", "Dockerfile"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stderr


def test_the_demo_runs_to_its_end() -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run = subprocess.run(
        ["sh", "sample-projects/demo.sh"], cwd=ROOT, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path}
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_make_lists_its_targets() -> None:
    run = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = re.findall(r"^  make (\w+)", run.stdout, re.MULTILINE)
    assert {"demo", "test", "check", "bench"} <= set(targets)
    assert {target for target in ("demo", "test", "check", "bench") if f"make {target}" not in README} == set()
