"""What a stack deployment does with each key, measured on a real swarm manager, against the tables of the rules.

`tests/fixtures/swarm/dropped.json` holds one row for each key of a service (and some forms of keys): the value that was deployed and
what became of it, told from the created service beside one deployed without it. `HARDEN_RECORD=1` measures anew where the local
Docker is a swarm manager (`docker swarm init`); read the difference before committing it.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hardener.rules.checks.service.swarm import DROPPED, REFUSED

FIXTURE = Path(__file__).parent.parent / "fixtures" / "swarm" / "dropped.json"
STACK = "hardenprobe"
IN_FORCE, WARNED, SILENT, REFUSAL = "in force", "dropped with a warning", "dropped silently", "refused"

# Newer engines than the measured one put these in force: sources in moby's api/docs/CHANGELOG.md.
NEWER_ENGINES = {"oom_score_adj": "API 1.46", "healthcheck.start_interval": "API 1.44"}


def _docker(*words: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["docker", *words], cwd=folder, capture_output=True, text=True, check=False)


def _is_manager() -> bool:
    try:
        return _docker("info", "--format", "{{.Swarm.ControlAvailable}}").stdout.strip() == "true"
    except FileNotFoundError:
        return False


def _deployed(folder: Path, key: str, value: object, further: dict[str, object]) -> tuple[dict[str, Any] | None, str]:
    """Return the created service's settings (None when the deployment is refused) and what was said."""
    web: dict[str, object] = {"image": "probe:1", **further}
    if value is not None:
        web[key] = value
    stack: dict[str, object] = {
        "services": {"web": web, "other": {"image": "probe:1", "deploy": {"replicas": 0}}},
        "volumes": {"data": {}},
        "secrets": {"s": {"file": "secret.txt"}},
        "configs": {"c": {"file": "secret.txt"}},
    }
    if key == "networks":
        stack["networks"] = {"extra": {"driver": "overlay"}}
    (folder / "stack.json").write_text(json.dumps(stack), encoding="utf-8")
    _docker("service", "rm", f"{STACK}_web")  # its mode cannot be changed by an update
    done = _docker("stack", "deploy", "--detach=true", "--resolve-image=never", "-c", "stack.json", STACK, folder=folder)
    says = re.sub(r'time="[^"]*" level=\w+ msg="(.*)"', r"\1", done.stderr.strip())
    if done.returncode:
        return None, says
    found = json.loads(_docker("service", "inspect", f"{STACK}_web").stdout)
    spec: dict[str, Any] = found[0]["Spec"]
    return spec, says


def _measured(rows: dict[str, dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Return the fixture's content, measured anew for the keys and values of `rows`."""
    for name in ("secret.txt", "web.env", "web.labels"):
        (folder / name).write_text("NAME=value\n", encoding="utf-8")
    measured: dict[str, dict[str, object]] = {}
    try:
        for name, row in rows.items():
            key = row["key"]
            further = row.get("with", {})
            without, _ = _deployed(folder, key, row.get("beside"), further)
            spec, says = _deployed(folder, key, row["value"], further)
            if spec is None:
                verdict = REFUSAL
            elif spec != without:
                verdict = IN_FORCE
            else:
                verdict = WARNED if says else SILENT
            measured[name] = {**row, "verdict": verdict, "says": says}
    finally:
        _docker("stack", "rm", STACK)
    versions = json.loads(_docker("version", "--format", "{{json .}}").stdout)
    return {"cli": versions["Client"]["Version"], "engine": versions["Server"]["Version"], "rows": measured}


@pytest.fixture(scope="module")
def rows(recording: bool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    content = json.loads(FIXTURE.read_text(encoding="utf-8"))
    if recording and _is_manager():
        content = _measured(content["rows"], tmp_path_factory.mktemp("stack"))
        FIXTURE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    found: dict[str, dict[str, Any]] = content["rows"]
    return found


def _with_verdict(rows: dict[str, dict[str, Any]], *verdicts: str) -> set[str]:
    """Return the keys (not the forms of keys) with one of the verdicts."""
    return {name for name, row in rows.items() if name == row["key"] and row["verdict"] in verdicts}


def test_dropped_keys_are_those_of_the_rules(rows: dict[str, dict[str, Any]]) -> None:
    assert _with_verdict(rows, WARNED, SILENT) - NEWER_ENGINES.keys() == DROPPED


def test_refused_keys_are_those_of_the_rules(rows: dict[str, dict[str, Any]]) -> None:
    assert _with_verdict(rows, REFUSAL) == REFUSED


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("restart", IN_FORCE),  # and warned about all the same
        ("restart (no)", WARNED),
        ("tmpfs", SILENT),
        ("tmpfs (options)", SILENT),
        ("volumes.tmpfs.size", IN_FORCE),
        ("cap_drop", IN_FORCE),
        ("read_only", IN_FORCE),
        ("depends_on", SILENT),
        ("depends_on (long form)", REFUSAL),
        ("ports (host address)", WARNED),
        ("ports.host_ip", REFUSAL),
        ("ports.mode", IN_FORCE),
        ("networks.ipv4_address", SILENT),
        ("volumes.bind.create_host_path", SILENT),
        ("volumes (short, z)", SILENT),
        ("deploy.resources.limits.pids", IN_FORCE),
        ("deploy.mode", IN_FORCE),
        ("deploy.mode (global with replicas)", REFUSAL),
        ("deploy.endpoint_mode (dnsrr with a port)", REFUSAL),
    ],
)
def test_form(rows: dict[str, dict[str, Any]], name: str, verdict: str) -> None:
    assert rows[name]["verdict"] == verdict
