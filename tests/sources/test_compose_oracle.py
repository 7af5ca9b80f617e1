"""What we read is what Docker Compose reads: merging, interpolation, `extends`, `include`, profiles, env files."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import compose_oracle
import pytest

from hardener.sources.expansion import HOLE
from hardener.sources.service import Build, Service, Setting, Variable, Words
from hardener.sources.unknown import UNKNOWN

FIXTURES = compose_oracle.fixtures()
PASSED_ON = {"PASSED"}
TROUBLE = {
    "invalid-yaml", "not-a-mapping", "invalid-interpolation", "invalid-env-file", "unseen-file", "extends-missing-service", "extends-cycle",
    "include-cycle", "include-conflict", "wrong-type", "unknown-key",
}  # fmt: skip


@pytest.fixture(params=FIXTURES, ids=lambda folder: folder.name)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    found: Path = request.param
    if compose_oracle.recording():
        compose_oracle.record(found, tmp_path.resolve())
    return found


def test_same_as_docker_compose(folder: Path) -> None:
    """The fields that merging is about, of every service."""
    expected = compose_oracle.expected(folder)
    project = compose_oracle.load(folder)
    assert "error" not in expected
    assert not {problem.code for problem in project.problems} & TROUBLE
    assert project.name == expected["name"]
    assert sorted(service.name for service in project.services) == sorted(expected["services"])
    for service in project.services:
        theirs = expected["services"][service.name]
        for field, ours in _ours(service).items():
            assert ours == _theirs(theirs, field), f"{service.name}.{field}"


def test_enough_projects() -> None:
    assert len(FIXTURES) >= 60


def _text(setting: Setting[str] | None) -> str | None:
    """Return a setting as compose prints it: it makes what nothing sets empty."""
    return None if setting is None else setting.text.replace(HOLE, "")


def _texts(settings: Iterable[Setting[str]]) -> list[str] | None:
    return [setting.text.replace(HOLE, "") for setting in settings] or None


def _words(words: Words | None) -> list[str] | None:
    return None if words is None else [word.text.replace(HOLE, "") for word in words.words]


def _test(words: Words | None) -> list[str] | None:
    found = _words(words)
    return None if words is None or found is None else ["CMD-SHELL" if words.shell else "CMD", *found]


def _variables(variables: Iterable[Variable], *, bare: str | None) -> dict[str, str | None] | None:
    return {item.name: bare if item.value is None else _text(item.value) for item in variables} or None


def _build(build: Build | None) -> dict[str, object] | None:
    if build is None:
        return None
    return {
        "context": _value(build.context),
        "target": _text(build.target),
        "args": _variables(build.args, bare=None),
    }


def _value(setting: Setting[Any] | None) -> Any:
    return None if setting is None or setting.value is UNKNOWN else setting.value


def _ours(service: Service) -> dict[str, Any]:
    logging, health, deploy = service.logging, service.healthcheck, service.deploy
    return {
        "image": _text(service.image),
        "user": _text(service.user),
        "hostname": _text(service.hostname),
        "restart": _text(service.restart),
        "privileged": _value(service.privileged) or None,
        "read_only": _value(service.read_only) or None,
        "mem_limit": _value(service.memory) if deploy is None else None,
        "pids_limit": _value(service.pids_limit),
        "environment": _variables(service.environment, bare=None),
        "labels": _variables(service.labels, bare=""),
        "annotations": _variables(service.annotations, bare=""),
        "sysctls": _variables(service.sysctls, bare=""),
        "command": _words(service.command),
        "entrypoint": _words(service.entrypoint),
        "healthcheck": None if health is None else _test(health.test),
        "logging": None if logging is None else (_text(logging.driver), _variables(logging.options, bare="")),
        "replicas": None if deploy is None else _value(deploy.replicas),
        "build": _build(service.build),
        "cap_add": _texts(service.cap_add),
        "cap_drop": _texts(service.cap_drop),
        "security_opt": _texts(service.security_opt),
        "group_add": _texts(service.group_add),
        "dns": _texts(service.dns),
        "expose": _texts(service.expose),
        "profiles": _texts(service.profiles),
        "extra_hosts": sorted(host.text.replace("=", ":", 1).partition(":")[::2] for host in service.extra_hosts) or None,
        "ulimits": {limit.name: (limit.soft, limit.hard) for limit in service.ulimits} or None,
        "devices": {(item.source, item.target or item.source, item.permissions or "rwm") for item in service.devices} or None,
        "depends_on": {item.name: (item.condition, item.required) for item in service.depends_on} or None,
        "networks": {item.name: item.aliases for item in service.networks} or None,
        "secrets": {(item.source, item.target) for item in service.secrets} or None,
        "configs": {item.source for item in service.configs} or None,
        "ports": {(port.host_ip, port.published or None, port.target, port.protocol) for port in service.ports} or None,
        "volumes": {(item.type, item.source, item.target, item.read_only) for item in service.mounts if item.type != "tmpfs"} or None,
        "tmpfs": {item.target for item in service.mounts if item.type == "tmpfs"} or None,
    }


def _theirs(service: dict[str, Any], field: str) -> Any:
    read = _READ.get(field)
    found = service.get(field)
    if read is not None:
        return read(service, found)
    return found or None if isinstance(found, dict | list) else found


_READ: dict[str, Callable[[dict[str, Any], Any], Any]] = {
    # A name alone passes on a variable of whoever starts the project; here that stays open.
    "environment": lambda service, found: {name: None if name in PASSED_ON else value for name, value in (found or {}).items()} or None,
    "mem_limit": lambda service, found: None if found is None else int(found),
    "healthcheck": lambda service, found: None if found is None else found.get("test"),
    "logging": lambda service, found: None if found is None else (found.get("driver"), found.get("options")),
    "replicas": lambda service, found: service.get("deploy", {}).get("replicas"),
    "build": lambda service, found: None if found is None else {key: found.get(key) for key in ("context", "target", "args")},
    "extra_hosts": lambda service, found: sorted(host.replace("=", ":", 1).partition(":")[::2] for host in found or ()) or None,
    "ulimits": lambda service, found: (
        {name: (limit["soft"], limit["hard"]) if isinstance(limit, dict) else (limit, limit) for name, limit in (found or {}).items()}
        or None
    ),
    "devices": lambda service, found: {(item["source"], item["target"], item["permissions"]) for item in found or ()} or None,
    "depends_on": lambda service, found: {name: (item["condition"], item["required"]) for name, item in (found or {}).items()} or None,
    "networks": lambda service, found: (
        {name: tuple((item or {}).get("aliases", ())) for name, item in (found or {}).items() if name != "default"} or None
    ),
    "secrets": lambda service, found: {(item["source"], _secret_target(item)) for item in found or ()} or None,
    "configs": lambda service, found: {item["source"] for item in found or ()} or None,
    "ports": lambda service, found: (
        {(item.get("host_ip"), item.get("published"), str(item["target"]), item["protocol"]) for item in found or ()} or None
    ),
    "volumes": lambda service, found: (
        {
            (item["type"], item.get("source"), item["target"], item.get("read_only", False))
            for item in found or ()
            if item["type"] != "tmpfs"
        }
        or None
    ),
    "tmpfs": lambda service, found: set(found or ()) or None,
}


def _secret_target(item: dict[str, Any]) -> str:
    target = item.get("target") or item["source"]
    return target if target.startswith("/") else f"/run/secrets/{target}"
