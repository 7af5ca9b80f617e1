"""Constructs of compose files and run lines on which other linters are silent, wrong, or see only one of several spellings.

Each row is what stands in a file, marked with «» where exactly one finding of the rule must stand, and near misses of which the rule
must say nothing. Everything goes through the command line, with all rules switched on.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cli_runner import Harden

OPTIONS = ("lint", "--format", "json", "--isolated", "--no-shellcheck", "--profile", "all", "--jobs", "1")
HEAD = "services:\n  app:\n"
IMAGE = "    image: registry.example.org/app:1.4.2\n"


class Case(NamedTuple):
    """A rule, bodies of a service in which it fires once for each mark, and bodies of which it says nothing."""

    rule: str
    fires: tuple[str, ...]
    silent: tuple[str, ...] = ()


CASES = (
    # what gives the container the Docker API
    Case("HS122", ("use_api_socket: «true»", "use_api_socket: «yes»\nuser: '1000'"), ("use_api_socket: false", "use_api_socket: ${API}")),
    Case(
        "HS301",
        (
            "volumes: ['«/var/run/docker.sock»:/var/run/docker.sock']",
            "volumes: ['«/run/docker.sock»:/d:ro']",
            "volumes: [{type: bind, source: «/var/run/docker.sock», target: /d}]",
            "volumes:\n  - type: bind\n    target: /d\n    read_only: true\n    source: «/var/../run/docker.sock»",
            "volumes: ['«/var/run/»:/host-run']",
            "volumes: ['«/run/containerd/containerd.sock»:/c']",
            "volumes: ['«/run/podman/podman.sock»:/c']",
            "volumes: ['«/var/run/crio/crio.sock»:/c']",
        ),
        ("volumes: ['/var/run/dockerd.log:/d']", "volumes: ['docker.sock:/d']", "volumes: ['./docker.sock.d/:/d']"),
    ),
    # the whole `build:` section
    Case("HS621", ("build: {context: ., privileged: «true»}",), ("build: {context: ., privileged: false}",)),
    Case("HS622", ("build: {context: ., network: «host»}",), ("build: {context: ., network: none}", "build: {context: ., network: hosts}")),
    Case(
        "HS623",
        ("build: {context: ., entitlements: [«security.insecure»]}", "build:\n  context: .\n  entitlements:\n    - «network.host»"),
        ("build: {context: ., entitlements: [device]}",),
    ),
    Case(
        "HS508",
        ("build: {context: ., args: {DB_PASSWORD: «kuhSaft77»}}", "build: {context: ., args: [DB_PASSWORD=«kuhSaft77»]}"),
        ("build: {context: ., args: {DB_PASSWORD: '${DB_PASSWORD}'}}", "build: {context: ., args: [DB_PASSWORD]}"),
    ),
    Case("HD202", ("build:\n  context: .\n  dockerfile_inline: |\n    FROM debian:12.8\n    RUN true\n    USER «root»",)),
    Case("HD507", ("build:\n  dockerfile_inline: |\n    FROM debian:12.8\n    RUN curl «-k» https://example.org/x -o /x\n    USER app",)),
    # namespaces
    Case("HS204", ("uts: «host»",), ("uts: ${UTS}",)),
    Case("HS205", ("userns_mode: «host»", "userns_mode: «'host'»"), ("userns_mode: ''",)),
    Case("HS206", ("cgroup: «host»",), ("cgroup: private",)),
    Case("HS208", ("network_mode: «container:web»",), ("network_mode: none", "network_mode: bridge")),
    Case("HS202", ("pid: «host»",), ("pid: 'service:app2'", "pid: ${PID_MODE}")),
    # security options, in both spellings
    Case("HS116", ("security_opt: [«systempaths=unconfined»]",)),
    Case(
        "HS115",
        (
            "security_opt: [«label=type:spc_t»]",
            "security_opt: [«label:type:spc_t»]",
            "security_opt: [«label=disable»]",
            "security_opt: [«label:disable»]",
        ),
        ("security_opt: ['label=type:container_t']", "security_opt: ['label:level:s0:c1,c2']"),
    ),
    Case(
        "HS113",
        (
            "security_opt: [«seccomp:unconfined»]",
            "security_opt: [«'seccomp=unconfined'»]",
            "security_opt:\n  - apparmor=x\n  - «seccomp=unconfined»",
        ),
        ("security_opt: ['seccomp=./unconfined.json']", "security_opt: ['seccomp=unconfined', 'seccomp=./profile.json']"),
    ),
    Case("HS121", ("group_add: [«docker»]", "group_add:\n  - audio\n  - «disk»"), ("group_add: [dockers, '1000']",)),
    # limits that are none, with and without a `version:`, in both spellings
    Case(
        "HS707",
        ("pids_limit: «-1»", "pids_limit: «0»", "deploy: {resources: {limits: {pids: «-1»}}}"),
        ("pids_limit: 100", "pids_limit: ${PIDS}", "deploy: {resources: {limits: {pids: 64}}}"),
    ),
    Case("HS702", ("mem_limit: «0»", "deploy: {resources: {limits: {memory: «'0'»}}}"), ("mem_limit: 64m", "mem_limit: ${MEM}")),
    Case("HS321", ("volumes_from: [«container:web»]", "volumes_from:\n  - «container:web:ro»"), ()),
    # keys that do not exist
    Case(
        "HS801",
        (
            "«privilaged»: true",
            "«cap_ad»: [ALL]",
            "«read-only»: true",
            "healthcheck: {test: [CMD, x], «intervall»: 5s}",
            "«securty_opt»: []",
        ),
        ("x-privileged: true", "privileged: false"),
    ),
    Case("HS802", ("«limits»: {memory: 64m}", "«resources»: {limits: {memory: 64m}}"), ("deploy: {resources: {limits: {memory: 64m}}}",)),
    # published on all interfaces: whatever the spelling, and an address is not one for having a dot
    Case(
        "HS406",
        (
            "ports: [«'8090:8090'»]",
            "ports: [«8090»]",
            "ports: [«'0.0.0.0:8090:8090'»]",
            "ports: [«'[::]:8090:8090'»]",
            "ports: [«':::8090:8090'»]",
            "ports: [«'8090-8095:8090-8095/udp'»]",
            "ports:\n  - «target: 8090\n    published: '8090'»",
        ),
        (
            "ports: ['127.0.0.1:8090:8090']",
            "ports: ['[::1]:8090:8090']",
            "ports: [{target: 8090, published: 8090, host_ip: 127.0.0.1}]",
            "ports: ['${BIND}:8090:8090']",
        ),
    ),
    # said of a service without any security_opt as well
    Case(
        "HS111",
        (),
        ("security_opt: ['no-new-privileges=true']", "security_opt: ['no-new-privileges:true']", "security_opt: [no-new-privileges]"),
    ),
    Case(
        "HS112", ("security_opt: [«no-new-privileges:false»]", "security_opt: ['no-new-privileges:true', «'no-new-privileges=false'»]"), ()
    ),
    Case("HS101", ("privileged: «true»", "privileged: «'true'»", "privileged: «${PRIVILEGED:-true}»"), ("privileged: ${PRIVILEGED}",)),
    Case("HS723", ("healthcheck: {disable: «true»}", "healthcheck: {test: [«NONE»]}"), ("healthcheck: {test: [CMD, /check]}",)),
)


def body(text: str) -> str:
    """Return a compose file with one service of this body."""
    indented = "".join(f"    {line}\n" for line in text.split("\n"))
    return HEAD + ("" if text.startswith("build") else IMAGE) + indented


def judge(harden: Harden, *arguments: str) -> list[dict[str, Any]]:
    run = harden(*OPTIONS, *arguments)
    assert run.code in {0, 1}, run.err
    report = json.loads(run.out)
    assert report["errors"] == []
    found: list[dict[str, Any]] = report["findings"]
    return found


def texts(text: str, found: list[dict[str, Any]], rule: str) -> list[tuple[int, str]]:
    """Return the line and the text of each finding of a rule."""
    lines = text.split("\n")
    result = []
    for row in found:
        if row["rule"] == rule:
            first, last = row["line"] - 1, row["end_line"] - 1
            covered = lines[first : last + 1]
            covered[-1] = covered[-1][: row["end_column"] - 1]
            covered[0] = covered[0][row["column"] - 1 :]
            result.append((row["line"], "\n".join(covered)))
    return result


def marks(text: str) -> list[tuple[int, str]]:
    """Return the line and the text of each marked span."""
    result = []
    for piece in text.split("«")[1:]:
        before = text[: text.index("«" + piece)]
        result.append((before.count("\n") + 1, piece.partition("»")[0]))
    return result


@pytest.mark.parametrize(
    ("rule", "text"), [pytest.param(case.rule, text, id=f"{case.rule}-{text[:50]}") for case in CASES for text in case.fires]
)
def test_fires_once_at_the_cause(harden: Harden, tmp_path: Path, rule: str, text: str) -> None:
    marked = body(text)
    plain = marked.replace("«", "").replace("»", "")
    (tmp_path / "compose.yaml").write_text(plain, encoding="utf-8")
    assert texts(plain, judge(harden, "compose.yaml"), rule) == marks(marked)


@pytest.mark.parametrize(
    ("rule", "text"), [pytest.param(case.rule, text, id=f"{case.rule}-{text[:50]}") for case in CASES for text in case.silent]
)
def test_near_misses_are_silent(harden: Harden, tmp_path: Path, rule: str, text: str) -> None:
    (tmp_path / "compose.yaml").write_text(body(text), encoding="utf-8")
    assert rule not in {row["rule"] for row in judge(harden, "compose.yaml")}


@pytest.mark.parametrize("version", ["", 'version: "2.4"\n', 'version: "3.9"\n'])
def test_limits_are_asked_for_whatever_the_version_says(harden: Harden, tmp_path: Path, version: str) -> None:
    (tmp_path / "compose.yaml").write_text(version + HEAD + IMAGE, encoding="utf-8")
    assert {"HS102", "HS111", "HS701", "HS705", "HS706"} <= {row["rule"] for row in judge(harden, "compose.yaml")}


def test_sockets_behind_names(harden: Harden, tmp_path: Path) -> None:
    text = (
        HEAD + IMAGE + "    volumes: [run:/a]\n    secrets: [api]\n    configs: [api]\n"
        "volumes: {run: {driver_opts: {type: none, o: bind, device: /var/run/docker.sock}}}\n"
        "secrets: {api: {file: /run/podman/podman.sock}}\nconfigs: {api: {file: /run/docker.sock}}\n"
    )
    (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
    assert texts(text, judge(harden, "compose.yaml"), "HS301") == [(4, "run"), (5, "api"), (6, "api")]


def test_values_of_other_files(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SOCKET=/var/run/docker.sock\nMODE=host\n", encoding="utf-8")
    (tmp_path / "base.yaml").write_text("services:\n  base:\n    uts: host\n", encoding="utf-8")
    (tmp_path / "more.yaml").write_text("services:\n  more:\n    image: registry.example.org/more:1\n    ipc: host\n", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(
        "include: [more.yaml]\nx-all: &all\n  privileged: true\nservices:\n  app:\n    <<: *all\n    image: registry.example.org/app:1\n"
        "    extends: {file: base.yaml, service: base}\n    volumes: ['${SOCKET}:/s']\n    pid: $MODE\n",
        encoding="utf-8",
    )
    (tmp_path / "compose.override.yaml").write_text("services:\n  app:\n    network_mode: host\n    pid: !reset null\n", encoding="utf-8")
    found = {row["rule"]: f"{row['path']}:{row['line']}:{row['column']}" for row in judge(harden, ".")}
    assert found["HS101"] == "compose.yaml:3:15"
    assert found["HS204"] == "base.yaml:3:10"
    assert found["HS203"] == "more.yaml:4:10"
    assert found["HS301"] == "compose.yaml:9:15"
    assert found["HS201"] == "compose.override.yaml:3:19"
    assert "HS202" not in found


def test_a_stack_is_more_than_a_compose_file(harden: Harden, tmp_path: Path) -> None:
    text = HEAD + IMAGE + "    security_opt: ['no-new-privileges:true']\n    networks: [inner]\nnetworks:\n  inner: {driver: overlay}\n"
    (tmp_path / "stack.yml").write_text(text, encoding="utf-8")
    found = judge(harden, "stack.yml")
    assert texts(text, found, "HS941") == [(7, "inner")]
    assert texts(text, found, "HS901") == [(4, "security_opt")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("docker run «--privileged» a:1", "HS101"),
        ("docker run --privileged=false «--privileged» a:1", "HS101"),
        ("docker run -itd --pid=«host» a:1", "HS202"),
        ("docker run -v=«/var/run/docker.sock»:/s a:1", "HS301"),
        ("docker run -itv «/var/run/docker.sock»:/s a:1", "HS301"),
        ("docker run --mount 'type=bind,src=«/var/run/docker.sock»,dst=/s' a:1", "HS301"),
        ('sudo -E docker container run \\\n  --cap-add \\\n  "«SYS_ADMIN»" \\\n  a:1', "HS103"),
        ("docker run --rm --security-opt seccomp:x.json --security-opt «seccomp=unconfined» a:1", "HS113"),
        ("docker create --net «host» a:1", "HS201"),
        ("podman run --ipc=«host» a:1", "HS203"),
        ("docker run -dp«5432:5432» postgres:17.2", "HS401"),
        ("docker run «--priviledged» a:1", "HS851"),
        ("docker run a:1 «--privileged»", "HS855"),
        ("bash -c 'docker run «--privileged» a:1'", "HS101"),
        ("if true; then docker run «--privileged» a:1; fi", "HS101"),
        ("docker run --device=«/dev/sda» a:1", "HS310"),
        ("docker run --env DB_PASSWORD='«kuhSaft77»' a:1", "HS501"),
    ],
)
def test_run_lines(harden: Harden, tmp_path: Path, text: str, expected: str) -> None:
    plain = text.replace("«", "").replace("»", "")
    (tmp_path / "run.sh").write_text(plain + "\n", encoding="utf-8")
    assert texts(plain, judge(harden, "run.sh"), expected) == marks(text)


@pytest.mark.parametrize(
    "text",
    [
        "# docker run --privileged a:1",
        "echo 'docker run --privileged a:1'",
        "docker run --privileged --privileged=false a:1",
        'docker run "$OPTIONS" --privileged=$PRIVILEGED a:1',
        "docker compose run --privileged app",
        "docker run -- a:1 --help",
        "docker ps --filter name=--privileged",
    ],
)
def test_run_lines_that_are_harmless(harden: Harden, tmp_path: Path, text: str) -> None:
    (tmp_path / "run.sh").write_text(text + "\n", encoding="utf-8")
    assert not {"HS101", "HS851", "HS855"} & {row["rule"] for row in judge(harden, "run.sh")}


def test_a_broken_file_changes_nothing_elsewhere(harden: Harden, tmp_path: Path) -> None:
    for name, text in (
        ("good", HEAD + IMAGE + "    privileged: true\n"),
        ("bad", "services: [\n"),
        ("odd", "services:\n  a: {image: [1]}\n"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "compose.yaml").write_text(text, encoding="utf-8")
    alone = judge(harden, "good")
    assert [row for row in judge(harden, ".") if row["path"].startswith("good/")] == alone
    assert "HS101" in {row["rule"] for row in alone}
