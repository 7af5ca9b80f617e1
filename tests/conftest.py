"""What every test stands on: a scrubbed environment, and no silent skips in CI."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from cli_runner import Harden, runner
from hypothesis import HealthCheck, settings

# No test may fail because the machine is slow: neither by a deadline nor because it takes long to think of an example.
settings.register_profile("steady", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# What a developer's shell or a CI runner sets and the program or its tools could read. COVERAGE_*, PIP_* and certificate
# settings stay: the test run itself needs them.
SCRUBBED_PREFIXES = (
    "GIT_",
    "XDG_",
    "HARDEN_",
    "GITHUB_",
    "GITLAB_",
    "CI_",
    "RUNNER_",
    "PRE_COMMIT",
    "PYTEST_ADDOPTS",
    "LC_",
    "SHELLCHECK_",
)
SCRUBBED = ("CI", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES", "COLORTERM", "LANGUAGE", "PAGER", "EDITOR")

IN_CI = os.environ.get("HARDEN_CI") == "1"
RECORDING = os.environ.get("HARDEN_RECORD") == "1"


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the session a home of its own, a plain terminal, and a git that reads no one's configuration."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as it is in what a shell runs in the background, and in all it starts
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name in SCRUBBED or name.startswith(SCRUBBED_PREFIXES):
                patch.delenv(name)
        home = tmp_path_factory.mktemp("home")
        patch.setenv("HOME", str(home))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.setenv("HARDENER_ROOT", str(home / "hardener"))
        patch.setenv("TERM", "dumb")
        patch.setenv("TZ", "UTC")
        patch.setenv("LC_ALL", "C.UTF-8")
        patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        for role in ("AUTHOR", "COMMITTER"):
            patch.setenv(f"GIT_{role}_NAME", "Test")
            patch.setenv(f"GIT_{role}_EMAIL", "test@example.org")
        yield


@pytest.fixture
def harden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Harden:
    """Run `harden` in `tmp_path`."""
    return runner(tmp_path, monkeypatch, capsys)


@pytest.fixture(scope="session")
def recording() -> bool:
    """Tell whether golden files are to be written instead of compared (HARDEN_RECORD=1)."""
    return RECORDING


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name a case after its bytes only where a person can read them: compressed ones hold the time, and workers must agree on names."""
    return "bytes" if isinstance(val, bytes) and not val.isascii() else None


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    reason = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return reason.removeprefix("Skipped: ")


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    # "kernel:" is the one thing that CI cannot install. An expected failure is reported as a skip too: it has `wasxfail`.
    if not IN_CI or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    reason = _reason(report)
    if not reason.startswith("kernel:"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where nothing may be missing: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI, unless the kernel is what is missing."""
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Do the same for a module that skips itself as a whole."""
    report = yield
    _forbid_skip(report)
    return report
