"""The gate itself: CI forgives no skip, and `.ci/run` shows everything and says at its end what failed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

SUITE = """
import pytest

def test_passes():
    assert True

def test_needs_a_kernel():
    pytest.skip("kernel: no user namespaces")

@pytest.mark.skipif(True, reason="peer: hadolint is not installed")
def test_needs_a_peer():
    assert True

@pytest.mark.xfail(reason="known")
def test_known():
    assert False
"""


def outcomes(folder: Path, **settings: str) -> str:
    """Return the closing line of pytest for a small suite under our conftest."""
    shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q"]
    environment = os.environ | settings | {"PYTHONPATH": str(ROOT / "tests" / "support")}
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    return run.stdout.splitlines()[-1]


def test_a_skip_fails_in_ci_unless_the_kernel_lacks_something(tmp_path: Path) -> None:
    assert outcomes(tmp_path, HARDEN_CI="1").startswith("1 passed, 1 skipped, 1 xfailed, 1 error")


def test_a_skip_is_a_skip_elsewhere(tmp_path: Path) -> None:
    assert outcomes(tmp_path).startswith("1 passed, 2 skipped, 1 xfailed")


def test_a_module_that_skips_itself_fails_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text('import pytest\npytest.importorskip("no_such_module")\n', encoding="utf-8")
    assert "1 error" in outcomes(tmp_path, HARDEN_CI="1")


CLOSING = "=== 3 passed in 0.10s ==="
CHECK_FAILED = "ci: 'check' failed; repeat it: make check"
TEST_FAILED = "ci: 'test' failed; repeat it: make test"


@pytest.mark.parametrize(
    ("fails", "code", "closing"),
    [
        ("", 0, [CLOSING]),
        ("check", 1, [CHECK_FAILED, CLOSING]),
        ("check test", 1, [CHECK_FAILED, TEST_FAILED, CLOSING]),
    ],
)
def test_ci_goes_on_and_closes_with_what_failed(tmp_path: Path, fails: str, code: int, closing: list[str]) -> None:
    make = tmp_path / "make"
    make.write_text(
        f'#!/bin/sh\necho "making $1"\n[ "$1" = test ] && echo "{CLOSING}" && echo "TOTAL 97%"\n'
        f'case " {fails} " in *" $1 "*) exit 2;; esac\nexit 0\n',
        encoding="utf-8",
    )
    make.chmod(0o755)
    (tmp_path / "project" / ".ci").mkdir(parents=True)
    script = shutil.copy(ROOT / ".ci" / "run", tmp_path / "project" / ".ci" / "run")
    environment = os.environ | {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "CI": "true"}
    run = subprocess.run(["bash", script], capture_output=True, text=True, check=False, env=environment, stdin=subprocess.DEVNULL)
    lines = run.stdout.splitlines()
    assert run.returncode == code
    assert {"making check", "making test"} <= set(lines)
    assert lines[-len(closing) :] == closing
