"""The wheel: it carries its data, and works in a clean environment far from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hardener

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT)]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bin folder of an environment that holds the wheel and what it depends on, nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", str(wheel)]
    done = subprocess.run(install, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def harden(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" and not name.startswith("COVERAGE_")}
    return subprocess.run([str(installed / "harden"), *arguments], cwd=cwd, capture_output=True, text=True, check=False, env=environment)


def test_the_wheel_carries_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for top in ("rules", "policies"):
        data = {f"hardener/{top}/data/{path.relative_to(ROOT / top).as_posix()}" for path in (ROOT / top).rglob("*.yaml")}
        assert data - names == set()
    assert "hardener/py.typed" in names
    assert not any(name.startswith(("tests/", "sample-projects/", "bench/")) for name in names)


def test_it_knows_its_version(installed: Path, tmp_path: Path) -> None:
    run = harden(installed, tmp_path, "--version")
    assert (run.returncode, run.stdout.split()[-1]) == (0, hardener.__version__)


def test_it_lints(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_bytes((ROOT / "sample-projects" / "naive-node" / "Dockerfile").read_bytes())
    run = harden(installed, tmp_path, "lint")
    assert run.returncode == 1, run.stderr
    assert "Dockerfile:1:6" in run.stdout


def test_it_lists_every_rule(installed: Path, tmp_path: Path) -> None:
    run = harden(installed, tmp_path, "rules")
    assert run.returncode == 0
    ids = {path.stem.partition("-")[0] for path in (ROOT / "rules").rglob("*.yaml")}
    assert ids
    assert {rule for rule in ids if rule not in run.stdout} == set()


def test_it_explains(installed: Path, tmp_path: Path) -> None:
    run = harden(installed, tmp_path, "explain", "DL3006")
    assert run.returncode == 0
    assert "HD101" in run.stdout
