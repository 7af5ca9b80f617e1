"""Services written as compose files and as run lines: read again, they say the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service_shape import shape

from hardener.sources import compose, runline
from hardener.sources.service import Project, Service
from hardener.sources.write.compose_file import compose_file
from hardener.sources.write.run_line import harden_line, run_line
from hardener.text import SourceFile

FOLDER = "/project"
FIXTURE = Path(__file__).parents[1] / "fixtures" / "runline" / "docker-create.json"
LINES = [case["line"] for case in json.loads(FIXTURE.read_text()) if "stored" in case]


def line_of(text: str) -> Service:
    project = runline.find(SourceFile("run.sh", text), "shell", FOLDER)
    assert [problem.message for problem in project.problems] == []
    (service,) = project.services
    return service


def composed(text: str) -> Project:
    return compose.load([SourceFile("compose.yaml", text)], FOLDER, lambda path: None)


def from_compose(text: str) -> Service:
    (service,) = composed(text).services
    return service


def as_compose(service: Service) -> str:
    return compose_file([service])[0]


def as_run(service: Service) -> str:
    return run_line(service).text("docker run")


def lost(service: Service) -> list[str]:
    return [loss.name for loss in run_line(service).lost]


@pytest.mark.parametrize("text", LINES)
def test_run_to_compose_to_run(text: str) -> None:
    service = line_of(text)
    written, found = compose_file([service])
    wanted = {name: value for name, value in shape(service).items() if f"--{name.replace('_', '-')}" not in [loss.name for loss in found]}
    middle = from_compose(written)
    assert {name: value for name, value in shape(middle).items() if name in wanted} == wanted
    again = shape(line_of(as_run(middle)))
    assert {name: value for name, value in again.items() if name in wanted} == wanted


@pytest.mark.parametrize("text", LINES)
def test_a_run_line_written_anew(text: str) -> None:
    service = line_of(text)
    again = line_of(as_run(service))
    assert shape(again) == shape(service)
    assert as_run(again) == as_run(service)


COMPOSE = [
    "image: nginx:1.27.3",
    "image: nginx\nports: ['80:80', '127.0.0.1:8443:443', '53:53/udp', {target: 90, published: '9090'}, '[::1]:1:2', 3000-3005]",
    "image: x\nenvironment: {A: '1', B: 'x y', C: , D: 'q\"$$x', E: ''}\nlabels: [a.b=c, d]",
    "image: x\nenvironment:\n  - A=b c\n  - 'Q=it''s'\n  - X",
    "image: x\nvolumes: ['./a:/b:ro', 'data:/d', '/anon', '~/x:/y', '/e:/f:rslave,z']\ntmpfs: [/run, '/tmp:size=64m,noexec']",
    "image: x\nvolumes: [{type: bind, source: ./a, target: /b, read_only: true}]",
    "image: x\nvolumes: [{type: volume, source: v1, target: /v, volume: {nocopy: true}}]",
    "image: x\nvolumes: [{type: bind, source: /a, target: /b, bind: {create_host_path: false, propagation: shared}}]",
    "image: x\nprivileged: true\nread_only: true\ninit: false\ntty: true\nstdin_open: true",
    "image: x\ncap_drop: [ALL]\ncap_add: [CHOWN]\nsecurity_opt: ['no-new-privileges:true']\nuser: '1000:1000'\ngroup_add: [audio, '44']",
    "image: x\nmem_limit: 512m\nmem_reservation: 1.5g\nmemswap_limit: -1\nmem_swappiness: 10\ncpus: 1.5\ncpu_shares: 5\npids_limit: 100",
    "image: x\ndeploy: {resources: {limits: {memory: 1G, cpus: '0.5', pids: 7}, reservations: {memory: 100M}}}",
    "image: x\nentrypoint: [/bin/sh, -c]\ncommand: 'echo \"a b\" c'",
    "image: x\nentrypoint: /entry\ncommand: [a, '$$x', '']",
    "image: x\nhealthcheck: {test: curl -f localhost, interval: 1m30s, timeout: 500ms, retries: 3, start_period: 5s}",
    "image: x\nhealthcheck: {disable: true}",
    "image: x\nlogging: {driver: json-file, options: {max-size: 10m, max-file: '3'}}\nrestart: on-failure:3\nstop_grace_period: 1m",
    "image: x\nnetwork_mode: host\npid: host\nipc: shareable\nuts: host\nuserns_mode: host\ncgroup: host",
    "image: x\nulimits: {nofile: 1024, nproc: {soft: 5, hard: 10}, memlock: -1}\nsysctls: {net.core.somaxconn: 1024}",
    "image: x\ndevices: ['/dev/null:/dev/x:r', /dev/zero, vendor.com/gpu=all]\ndevice_cgroup_rules: ['c 1:3 mr']\ngpus: all",
    "image: x\nextra_hosts: ['a:10.0.0.1', 'b=host-gateway', 'c:::1']\ndns: [1.1.1.1]\ndns_search: [example.org]\ndns_opt: [use-vc]",
    "image: x\nlinks: [db, 'a:b']\nexternal_links: ['c:d']\nvolumes_from: ['container:x:ro']\nexpose: ['90', 100-102]",
    "image: x\nworking_dir: /srv\nhostname: web\ndomainname: example.org\nplatform: linux/amd64\npull_policy: never\nruntime: runsc",
    "image: x:${TAG}\nenvironment: {A: '${B:-c d}', E: 'x${F}y'}\nports: ['${PORT}:80']\nvolumes: ['${DIR}/x:/y', 'data:${WHERE}:ro']",
    "image: x\nmem_limit: ${MEM}\nprivileged: ${P}\nuser: ${U}\ncommand: [run, '--level=${LEVEL}']",
]


def _service(text: str) -> str:
    return "services:\n  web:\n    " + text.replace("\n", "\n    ") + "\n"


@pytest.mark.parametrize("text", COMPOSE)
def test_compose_to_run_to_compose(text: str) -> None:
    service = from_compose(_service(text))
    assert lost(service) == []
    middle = line_of(as_run(service))
    assert shape(middle) == shape(service)
    assert shape(from_compose(as_compose(middle))) == shape(service)


@pytest.mark.parametrize("text", COMPOSE)
def test_a_compose_file_written_anew(text: str) -> None:
    service = from_compose(_service(text))
    again = as_compose(service)
    assert shape(from_compose(again)) == shape(service)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("image: x\nbuild: .", ["build"]),
        ("build: .", ["build"]),
        ("image: x\ndepends_on: [db]", ["depends_on"]),
        ("image: x\ndeploy: {replicas: 3, resources: {limits: {memory: 1G}}}", ["deploy.replicas"]),
        ("image: x\nsecrets: [a]\nconfigs: [b]\nprofiles: [c]", ["secrets", "configs", "profiles"]),
        ("image: x\nnetwork_mode: service:db", ["network_mode"]),
        ("image: x\nvolumes_from: [db]", ["volumes_from"]),
        ("image: x\npull_policy: build", ["pull_policy"]),
        ("image: x\nhealthcheck: {test: [CMD, a, b c]}", ["healthcheck.test"]),
        ("image: x\nstop_grace_period: 1500ms", ["stop_grace_period"]),
        ("image: x\nblkio_config: {weight: 300}", ["blkio_config"]),
        ("image: x\nmodels: [m]\npost_start: [{command: x}]", ["models", "post_start"]),
        ("image: x\ncommand: ['${A:-${B}}']", ["command"]),
        ("image: x\nnetworks: {a: {ipv6_address: '::1'}}", ["networks.a.ipv6_address"]),
        ("image: x\nx-note: y", []),
    ],
)
def test_what_a_run_line_cannot_say_is_named(text: str, names: list[str]) -> None:
    assert lost(from_compose(_service(text))) == names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("docker run --rm x", ["--rm"]),
        ("docker run --rm=false x", []),
        ("docker run -P x", ["--publish-all"]),
        ("docker run --cidfile a --detach-keys b --sig-proxy=false -q x", ["--cidfile", "--detach-keys", "--sig-proxy", "--quiet"]),
        ("docker run --cpuset-mems 0 x", ["--cpuset-mems"]),
        ('docker run -e "A=$(date)" x', ["--environment A"]),
        ("docker run -p $PORTS x", []),
        ("docker run -v `pwd`:/x x", ["--volume"]),
        ("docker run $OPTIONS x", ["--…"]),
        ("podman run --pod p --secret s x", ["--pod", "--secret"]),
        ("docker run -d x", []),
    ],
)
def test_what_a_compose_file_cannot_say_is_named(text: str, names: list[str]) -> None:
    (service,) = runline.find(SourceFile("run.sh", text), "shell", FOLDER).services
    assert [loss.name for loss in compose_file([service])[1]] == names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "docker run -d --name web -p 80:80 --read-only -v ./a:/b:ro nginx:1.27.3 -g 'daemon off;'",
            "harden run \\\n  -d \\\n  --name web \\\n  --read-only \\\n  -v ./a:/b:ro \\\n  nginx:1.27.3 -g 'daemon off;'",
        ),
        ("docker run --network host x", "harden run \\\n  --network host \\\n  x"),
    ],
)
def test_harden_run(text: str, expected: str) -> None:
    assert harden_line(line_of(text)).text("harden run") == expected


def test_what_harden_run_does_not_have() -> None:
    line = harden_line(line_of("docker run -p 80:80 --network app --gpus all --link a:b x"))
    assert sorted(loss.name for loss in line.lost) == ["--gpus all", "--link a:b", "--network app", "-p 80:80"]


def test_names_are_unique_and_resources_declared() -> None:
    text = "docker run -v data:/a --network app nginx:1\ndocker run -v data:/b nginx:2\n"
    project = runline.find(SourceFile("run.sh", text), "shell", FOLDER)
    written, found = compose_file(project.services)
    assert not found
    again = composed(written)
    assert [service.name for service in again.services] == ["nginx", "nginx-2"]
    assert (list(again.networks), list(again.volumes)) == (["app"], ["data"])
    assert again.networks["app"].external is True
    assert again.problems == []


# Anything that a shell can hand over must come back from YAML and from the shell's quoting.
_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
_names = st.text("abcdefgXYZ", min_size=2, max_size=6)
_paths = st.builds(
    lambda parts: "/" + "/".join(parts), st.lists(st.text("abc_. -é", min_size=1, max_size=5), min_size=1, max_size=3)
).filter(lambda path: not set(path.split("/")) & {".", ".."} and path.strip() == path)
_flags: st.SearchStrategy[list[str]] = st.one_of(
    st.builds(lambda name, value: ["-e", f"{name}={value}"], _names, _texts),
    st.builds(lambda name, value: ["--label", f"{name}={value}"], _names, _texts),
    st.builds(lambda path: ["-v", f"{path}:/data"], _paths),
    st.builds(lambda name, path: ["-v", f"{name}:{path}:ro"], _names, _paths),
    st.builds(lambda name, path: ["--mount", f"type=bind,src={path},dst=/{name}"], _names, _paths),
    st.builds(lambda low, address: ["-p", f"{address}{low}:80"], st.integers(1, 65535), st.sampled_from(["", "127.0.0.1:", "[::1]:"])),
    st.builds(lambda size: ["--memory", f"{size}"], st.integers(0, 1 << 40)),
    st.builds(lambda number: ["--cpus", f"{number / 1000}"], st.integers(0, 5000)),
    st.builds(lambda text: ["--health-cmd", text], _texts.filter(bool)),
    st.builds(lambda number: ["--health-interval", f"{number}ms"], st.integers(0, 10**7)),
    st.builds(lambda text: ["--user", text], _texts.filter(bool)),
    st.builds(lambda text: ["--entrypoint", text], _texts),
    st.builds(lambda name, value: ["--log-opt", f"{name}={value}"], _names, _texts),
    st.builds(lambda soft, more: ["--ulimit", f"nofile={soft}:{soft + more}"], st.integers(0, 99), st.integers(0, 9)),
    st.sampled_from(
        [["--read-only"], ["--init"], ["-it"], ["--privileged"], ["--cap-drop", "ALL"], ["--tmpfs", "/run:size=1m"], ["--gpus", "2"]]
    ),
)


def _mounted(flag: list[str]) -> str:
    """Return the path that a flag mounts something on."""
    match flag:
        case ["-v", value]:
            return value.split(":")[1]
        case ["--mount", value]:
            return value.rpartition("dst=")[2]
    return ""


@settings(max_examples=150, deadline=None)
@given(st.lists(_flags, max_size=6), st.lists(_texts, max_size=3))
def test_any_run_line_round_trips(flags: list[list[str]], command: list[str]) -> None:
    flags = [
        flag for index, flag in enumerate(flags) if not _mounted(flag) or _mounted(flag) not in [_mounted(other) for other in flags[:index]]
    ]
    argv = ["docker", "run", *[word for flag in flags for word in flag], "nginx:1.27.3", *command]
    project = runline.from_argv(argv, FOLDER)
    assert [problem.message for problem in project.problems if problem.code != "run-flag-after-image"] == []
    (service,) = project.services
    wanted: dict[str, Any] = shape(service)
    middle = from_compose(as_compose(service))
    assert shape(middle) == wanted
    (last,) = runline.find(SourceFile("run.sh", as_run(middle)), "shell", FOLDER).services
    assert shape(last) == wanted
