"""`runtime:` of a policy held to compose services and run lines: the key, what is said, and the exact place."""

from pathlib import Path

import pytest
from cli_runner import Harden

from hardener.policies.load import load
from hardener.policies.runtime import Runtime
from hardener.policies.runtime_text import text_violations
from hardener.sources import compose, runline
from hardener.sources.service import Service
from hardener.text import SourceFile


def policy(folder: Path, text: str) -> Runtime:
    path = folder / "p.yaml"
    (folder / "profile.json").write_text('{"defaultAction": "SCMP_ACT_ERRNO"}', encoding="utf-8")
    path.write_text(f"name: p\nruntime: {{{text}}}\n", encoding="utf-8")
    found = load(str(path)).runtime
    assert found is not None
    return found


def service(keys: str) -> Service:
    """Return a compose service with keys in flow style; its definition starts in the second line."""
    file = SourceFile("compose.yaml", f"services:\n  web: {{image: a, {keys}}}\n")
    project = compose.load([file], "/project", lambda path: None, compose.Options())
    found = project.service("web")
    assert found is not None
    return found


def container(line: str) -> Service:
    found = runline.find(SourceFile("run.sh", f"docker run {line} a\n"), "shell", "/project")
    assert found is not None
    return found.services[0]


NO_CAPS = "capabilities: {drop: [ALL], allow: [CHOWN]}"
NNP = "no-new-privileges: true"
SECURITY = "seccomp: profile.json, apparmor: ours, selinux: s, masked-paths: [/a], readonly-paths: [/b]"
SWAP = "memory: 1g, memory-swap: none"


@pytest.mark.parametrize(
    ("text", "keys", "found"),
    [
        ("user: {not: root}", "user: root", [("user", "user root", "root")]),
        ("user: {not: root}", "user: '00:5'", [("user", "user 00:5", "'00:5'")]),
        ("user: {not: root}", "user: '5'", []),
        ("user: {not: root}", "user: $WHO", []),
        ("user: {not: root}", "tty: true", []),  # the image says who
        ("user: '5'", "user: 6:5", [("user", "user 6:5", "6:5")]),
        ("user: '5'", "user: web", []),
        ("user: '5'", "user: 5:5", []),
        ("privileged: false", "privileged: true", [("privileged", "privileged", "true")]),
        ("privileged: false", "privileged: false", []),
        ("privileged: true", "privileged: true", []),
        (NO_CAPS, "privileged: true", [("capabilities", "every capability", "true")]),
        (NO_CAPS, "cap_drop: [ALL], cap_add: [cap_chown]", []),
        (NO_CAPS, "cap_drop: [ALL], cap_add: [NET_ADMIN]", [("capabilities", "cap_add NET_ADMIN", "NET_ADMIN")]),
        (NO_CAPS, "cap_drop: [ALL], cap_add: [$C]", []),
        (NO_CAPS, "cap_drop: [$C]", []),
        ("capabilities: {drop: [MKNOD, KILL]}", "cap_drop: [MKNOD]", [("capabilities", "keeps KILL of Docker's own", "web")]),
        ("capabilities: {}", "cap_add: [ALL]", [("capabilities", "cap_add ALL", "ALL")]),
        (NNP, "security_opt: [no-new-privileges]", []),
        (NNP, "security_opt: ['no-new-privileges:true']", []),
        (NNP, "security_opt: ['no-new-privileges=false']", [("no-new-privileges", "no-new-privileges off", "'no-new-privileges=false'")]),
        (NNP, "security_opt: [$OPT]", []),
        (NNP, "tty: true", [("no-new-privileges", "nothing of no-new-privileges", "web")]),
        (SECURITY, "security_opt: ['seccomp:unconfined']", [("seccomp", "seccomp unconfined", "'seccomp:unconfined'")]),
        (SECURITY, "security_opt: ['seccomp:other.json']", []),  # which of two is stricter cannot be said
        (SECURITY, "security_opt: ['apparmor:docker-default']", [("apparmor", "apparmor docker-default", "'apparmor:docker-default'")]),
        (SECURITY, "security_opt: ['apparmor:ours', 'apparmor:$A']", []),
        (SECURITY, "security_opt: ['label:disable']", [("selinux", "label disable", "'label:disable'")]),
        (
            SECURITY,
            "security_opt: ['systempaths=unconfined']",
            [
                ("masked-paths", "systempaths unconfined", "'systempaths=unconfined'"),
                ("readonly-paths", "systempaths unconfined", "'systempaths=unconfined'"),
            ],
        ),
        ("read-only: true", "read_only: true", []),
        ("read-only: true", "read_only: false", [("read-only", "a root file system that can be written to", "false")]),
        ("read-only: true", "read_only: $R", []),
        ("read-only: true", "tty: true", [("read-only", "a root file system that can be written to", "web")]),
        ("tmpfs: {/tmp: 1m}", "tmpfs: ['/tmp:size=1m']", []),
        ("tmpfs: {/tmp: 1m}", "tmpfs: [/tmp]", [("tmpfs./tmp", "tmpfs /tmp without a size", "/tmp")]),
        (
            "tmpfs: {'*': 1m}",
            "tmpfs: ['/a:size=2m,exec']",
            [
                ("tmpfs.*", "tmpfs /a of 2MiB", "'/a:size=2m,exec'"),
                ("tmpfs.*", "tmpfs /a with exec", "'/a:size=2m,exec'"),
            ],
        ),
        ("tmpfs: {/tmp: 1m}", "tmpfs: [/other, '/tmp:size=$S']", []),
        ("network: none", "network_mode: none", []),
        ("network: none", "tty: true", [("network", "a network", "web")]),
        ("network: none", "network_mode: bridge", [("network", "network bridge", "bridge")]),
        ("network: bridge", "tty: true", []),
        ("network: bridge", "network_mode: host", [("network", "network host", "host")]),
        ("network: bridge", "network_mode: 'container:x'", [("network", "network container:x", "'container:x'")]),
        ("network: container", "network_mode: 'container:x'", []),
        ("network: none", "network_mode: $N", []),
        ("namespaces: {pid: private}", "pid: host", [("namespaces.pid", "pid host", "host")]),
        ("namespaces: {ipc: private}", "ipc: 'container:x'", [("namespaces.ipc", "ipc container:x", "'container:x'")]),
        ("namespaces: {user: private}", "userns_mode: host", [("namespaces.user", "user host", "host")]),
        ("namespaces: {pid: host-allowed}", "pid: host, ipc: host", []),
        ("namespaces: {pid: private}", "pid: $P", []),
        ("memory: 1g", "mem_limit: 1g", []),
        ("memory: 1g", "mem_limit: 2g", [("memory", "memory 2GiB", "2g")]),
        ("memory: 1g", "deploy: {resources: {limits: {memory: 2g}}}", [("memory", "memory 2GiB", "2g")]),
        ("memory: 1g", "mem_limit: $M", []),
        ("memory: 1g", "tty: true", [("memory", "no limit of memory", "web")]),
        (SWAP, "mem_limit: 1g, memswap_limit: 1g", []),
        (SWAP, "mem_limit: 1g, memswap_limit: 2g", [("memory-swap", "memory-swap 2GiB", "2g")]),
        (SWAP, "mem_limit: 1g, memswap_limit: -1", [("memory-swap", "memory-swap unlimited", "-1")]),
        (SWAP, "mem_limit: 1g", [("memory-swap", "no limit of swap: Docker adds as much again as there is memory", "web")]),
        ("memory-swap: 1g", "memswap_limit: 1g, mem_limit: 1g", []),
        ("pids: 5", "pids_limit: 6", [("pids", "pids 6", "6")]),
        ("pids: 5", "pids_limit: -1", [("pids", "pids unlimited", "-1")]),
        ("pids: 5", "pids_limit: 5", []),
        ("cpus: 1.5", "cpus: 2", [("cpus", "cpus 2", "2")]),
        ("cpus: 1.5", "cpus: 1.5", []),
        ("cpus: 1.5", "cpu_quota: 200000", [("cpus", "cpus 2", "200000")]),
        ("cpus: 1.5", "cpu_quota: 200000, cpu_period: 200000", []),
        ("cpus: 1.5", "tty: true", [("cpus", "no limit of cpus", "web")]),
        ("cpu-shares: 512", "cpu_shares: 600", [("cpu-shares", "cpu-shares 600", "600")]),
        ("cpu-shares: 512", "tty: true", [("cpu-shares", "cpu-shares 1024", "web")]),
        ("cpu-shares: 1024", "tty: true", []),
        ("devices: []", "devices: [/dev/fuse]", [("devices", "device /dev/fuse", "/dev/fuse")]),
        ("devices: [/dev/fuse]", "devices: [/dev/fuse]", []),
        ("devices: ['/dev/fuse:r']", "devices: ['/dev/fuse:/dev/fuse:rw']", [("devices", "device /dev/fuse", "'/dev/fuse:/dev/fuse:rw'")]),
        ("devices: ['c 10:229']", "devices: [/dev/fuse]", []),  # which numbers it has is the host's to say
        ("devices: []", "devices: ['$D:/dev/x']", []),
        ("devices: []", "device_cgroup_rules: ['c 1:3 m']", []),
        ("devices: []", "device_cgroup_rules: ['c 10:* rw']", [("devices", "device c 10:* rw", "'c 10:* rw'")]),
        ("devices: []", "privileged: true", [("devices", "every device", "true")]),
        ("devices: []", "gpus: all", [("devices", "gpus", "all")]),
        ("sysctls: {allow: [net.*]}", "sysctls: {net.a: 1}", []),
        ("sysctls: {allow: []}", "sysctls: {net.a: 1}", [("sysctls", "sysctl net.a=1", "net.a")]),
        ("sysctls: {set: {net.a: 1}}", "tty: true", [("sysctls.set.net.a", "sysctl net.a is not set", "web")]),
        ("sysctls: {set: {net.a: 1}}", "sysctls: {net.a: $V}", []),
        ("ulimits: {nofile: 5}", "ulimits: {nofile: 6}", [("ulimits.nofile", "ulimit nofile soft 6", "6")]),
        (
            "ulimits: {nofile: 5}",
            "ulimits: {nofile: {soft: 5, hard: -1}}",
            [
                ("ulimits.nofile", "ulimit nofile hard unlimited", "{soft: 5, hard: -1}"),
            ],
        ),
        ("ulimits: {nofile: 5}", "ulimits: {core: 6}", []),
        ("shm-size: 64m", "tty: true", []),
        ("shm-size: 32m", "tty: true", [("shm-size", "shm-size 64MiB", "web")]),
        ("shm-size: 64m", "shm_size: 1g", [("shm-size", "shm-size 1GiB", "1g")]),
        ("mounts: {deny: [/etc]}", "volumes: ['/etc/x:/x']", [("mounts.deny", "volume /etc/x", "/etc/x")]),
        ("mounts: {allow: [/srv]}", "volumes: ['/etc/x:/x', '/srv:/y', 'named:/z']", [("mounts.allow", "volume /etc/x", "/etc/x")]),
        ("mounts: {allow: [/srv]}", "volumes: ['$V:/x', '~/y:/y']", []),
        ("mounts: {deny: [/run, /var/run]}", "use_api_socket: true", [("mounts.deny", "the socket of the engine", "true")]),
        ("mounts: {options: [ro]}", "volumes: ['/srv:/x', '/srv:/y:ro']", [("mounts.options", "volume /srv without ro", "'/srv:/x'")]),
        ("mounts: {}", "volumes: ['/srv:/x:rshared']", [("mounts", "volume /srv rshared", "'/srv:/x:rshared'")]),
        ("init: true", "init: false", [("init", "no init", "false")]),
        ("init: true", "tty: true", [("init", "no init", "web")]),
        ("init: true", "init: true", []),
        ("memory: 1g, read-only: true, init: true", "provider: {type: x}", []),  # no container
    ],
)
def test_a_service_is_held_to_each_key(tmp_path: Path, text: str, keys: str, found: list[tuple[str, str, str]]) -> None:
    violations = text_violations(policy(tmp_path, text), service(keys))
    mine = [(item.key, item.says, item.place.text) for item in violations if not (item.key == "memory" and text == SWAP)]
    assert mine == found
    assert all(violation.where.startswith(f"{tmp_path}/p.yaml:2:") and violation.wants for violation in violations)


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("", ["memory", "read-only"]),
        ("--read-only --memory 2g", ["memory"]),
        ("$OPTIONS", []),  # may hold what is missing
        ("$OPTIONS --memory 2g", ["memory"]),
        ("--read-only -m 1g", []),
    ],
)
def test_a_run_line_is_held_to_the_policy(tmp_path: Path, line: str, keys: list[str]) -> None:
    violations = text_violations(policy(tmp_path, "memory: 1g, read-only: true"), container(line))
    assert sorted(violation.key for violation in violations) == keys


POLICY = "name: p\ngate: {%s}\nruntime: {memory: 1g, read-only: true, loosen: [memory]}\n"
COMPOSE = "services:\n  web:\n    image: a:1\n    mem_limit: 2g  # harden: ignore[all] mine\n    read_only: true\n"


def test_the_gate_says_which_key_and_where(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY % "runtime: true", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    result = harden("gate", "--policy", "p.yaml", ".")
    assert result.code == 1
    assert result.out.splitlines() == [
        "p.yaml:3:11: runtime.memory: at most so many bytes",
        "  compose.yaml:4:16: high runtime.memory web: memory 2GiB; the policy p wants at most 1GiB [policy-memory]",
        "",
        result.out.splitlines()[-1],
    ]
    assert result.out.splitlines()[-1].startswith("p: violated: 1 of 2 demands, 1 file, ")


def test_the_gate_leaves_runtime_alone_unless_asked(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY % "require-reason: true", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    assert "runtime." not in harden("gate", "--policy", "p.yaml", ".").out


def test_an_environment_may_hold_services_to_it(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY % "environments: {production: {runtime: true}}", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    assert "runtime." not in harden("gate", "--policy", "p.yaml", ".").out
    assert harden("gate", "--policy", "p.yaml", "--environment", "production", ".").code == 1


def test_lint_lays_it_over_the_configuration(harden: Harden, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(POLICY % "runtime: true", encoding="utf-8")
    (tmp_path / "compose.yaml").write_text(COMPOSE, encoding="utf-8")
    result = harden("lint", "--policy", "p.yaml", "--format", "concise", ".")
    assert "compose.yaml:4:16: high runtime.memory" in result.out
    assert '"ruleId": "runtime.memory"' in harden("lint", "--policy", "p.yaml", "--format", "sarif", ".").out.replace('":"', '": "')


def test_every_key_is_explained(harden: Harden) -> None:
    out = harden("gate", "--policy", "strict", "--explain-policy").out
    assert "\nruntime.memory\n  at most so many bytes\n    256MiB  " in out
    assert "\n    {given: [], allowed: []}  " in out
    assert "/tmp: {size: 32MiB, mode: 1777, options: [" in out
    assert "    none  " in out
    assert "    seccomp/default.json  " in out
    assert "    {subset: pid, hidepid: invisible}  " in out
    assert '"key": "runtime.read-only"' in harden("gate", "--policy", "strict", "--explain-policy", "--format", "json").out
