"""Small compose projects and what the real Docker Compose makes of them.

Each folder of `tests/fixtures/compose` is a project: its files, `options.json` for what is said beside them (files, profiles, env_files,
environment), and `expected.json`, what `docker compose config --format json` printed. With HARDEN_RECORD=1 the tests record that anew,
where DOCKER_COMPOSE (a command line), `docker-compose` or `docker compose` is at hand.
"""

import json
import os
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

from hardener.sources import compose
from hardener.sources.compose import discover
from hardener.sources.service import Project
from hardener.text import SourceFile

FOLDER: Final = Path(__file__).parent.parent / "fixtures" / "compose"
REFUSED: Final = FOLDER.with_name("compose_refused")
OWN: Final = ("expected.json", "options.json")
RECORD: Final = os.environ.get("HARDEN_RECORD") == "1"  # read at once: the tests run in an empty environment
NAMED: Final = os.environ.get("DOCKER_COMPOSE", "")
PROJECT: Final = "/project"  # where the fixtures pretend to be


def fixtures(folder: Path = FOLDER) -> list[Path]:
    """Return the folders of the projects."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and (recording() or (path / "expected.json").exists()))


def recording() -> bool:
    """Whether to ask the real tool again."""
    return RECORD and tool() is not None


@cache
def tool() -> tuple[str, ...] | None:
    """Return the command of a Docker Compose 2 or later; None when there is none."""
    for command in shlex.split(NAMED), ["docker-compose"], ["docker", "compose"]:
        if command and shutil.which(command[0]):
            done = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
            if done.returncode == 0 and int(done.stdout.strip().lstrip("v").split(".")[0]) >= 2:
                return tuple(command)
    return None


def options(folder: Path) -> dict[str, Any]:
    """Return what is said beside the files of a fixture."""
    path = folder / "options.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def record(folder: Path, scratch: Path) -> None:
    """Write `expected.json`."""
    command = tool()
    assert command is not None
    root = scratch / "project"
    shutil.copytree(folder, root, ignore=shutil.ignore_patterns(*OWN))
    told = options(folder)
    arguments = [f"--file={name}" for name in told.get("files", ())]
    arguments += [f"--env-file={name}" for name in told.get("env_files", ())]
    arguments += [f"--profile={name}" for name in told.get("profiles", ["*"])]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/home/user", **told.get("environment", {})}
    run = [*command, *arguments, "config", "--format", "json"]
    done = subprocess.run(run, cwd=root, env=environment, capture_output=True, text=True, check=False)
    # The package from PyPI exits with 0 whatever happens.
    expected: object = json.loads(done.stdout) if done.stdout.strip() else {"error": done.stderr.strip().splitlines()[-1]}
    text = json.dumps(expected, indent=2, ensure_ascii=False).replace(str(root.resolve()), PROJECT)
    text = text.replace(str(scratch.resolve()), "")  # what lies beside the project's folder
    (folder / "expected.json").write_text(text + "\n", encoding="utf-8")


def expected(folder: Path) -> dict[str, Any]:
    """Return what Docker Compose makes of a fixture."""
    text = (folder / "expected.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text.replace("$$", "$"))  # what is printed is a compose file again: dollar signs are doubled
    return found


def load(folder: Path) -> Project:
    """Return what we make of a fixture."""
    told = options(folder)
    names = told.get("files")
    if names is None:
        present = {path.name for path in folder.iterdir()}
        names = next(iter(discover.candidates(present)))
    files = [_file(folder, f"{PROJECT}/{name}") for name in names]
    assert all(isinstance(file, SourceFile) for file in files)
    profiles = told.get("profiles")
    env_files = told.get("env_files")
    return compose.load(
        [file for file in files if file is not None],
        PROJECT,
        lambda path: _file(folder, path),
        compose.Options(
            profiles=None if profiles is None else tuple(profiles),
            env_files=None if env_files is None else tuple(f"{PROJECT}/{name}" for name in env_files),
            environment=told.get("environment"),
        ),
    )


def _file(folder: Path, path: str) -> SourceFile | None:
    real = folder / path.removeprefix(f"{PROJECT}/")
    return SourceFile(path, real.read_bytes().decode("utf-8")) if path.startswith(f"{PROJECT}/") and real.is_file() else None
