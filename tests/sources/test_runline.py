"""One run line: its words, what they set, and exactly where."""

from typing import Any

import pytest

from hardener.sources import runline
from hardener.sources.runline.flags import table
from hardener.sources.service import Project, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import SourceFile


def project_of(text: str, *, name: str = "run.sh") -> Project:
    return runline.find(SourceFile(name, text), "shell", "/project")


def one(text: str) -> Service:
    (service,) = project_of(text).services
    return service


def setting_of(service: Service, field: str) -> Setting[Any]:
    setting = getattr(service, field)
    if isinstance(setting, tuple):
        (setting,) = setting
    assert isinstance(setting, Setting)
    return setting


@pytest.mark.parametrize(
    ("line", "field", "value", "place", "key"),
    [
        ("docker run --privileged x", "privileged", True, "--privileged", "--privileged"),
        ("docker run --privileged=false x", "privileged", False, "false", "--privileged"),
        ("docker run --privileged=$P x", "privileged", UNKNOWN, "$P", "--privileged"),
        ("docker run -it x", "tty", True, "t", "t"),
        ("docker run -t x", "tty", True, "-t", "-t"),
        ("docker run -t=false x", "tty", False, "false", "-t"),
        ("docker run -itu root x", "user", "root", "root", "u"),
        ("docker run -uroot x", "user", "root", "root", "-u"),
        ("docker run -u=root x", "user", "root", "root", "-u"),
        ("docker run --user 'ro'ot x", "user", "root", "ro'ot", "--user"),
        ('docker run --user="a b" x', "user", "a b", "a b", "--user"),
        ("docker run --user a --user b x", "user", "b", "b", "--user"),
        ("docker run --cap-add SYS_ADMIN x", "cap_add", "SYS_ADMIN", "SYS_ADMIN", "--cap-add"),
        ('docker run --cap-add="$CAP" x', "cap_add", UNKNOWN, "$CAP", "--cap-add"),
        ("docker run -m 512m x", "memory", 512 * 1024**2, "512m", "-m"),
        ("docker run -m ${MEM:-1g} x", "memory", UNKNOWN, "${MEM:-1g}", "-m"),
        ("docker run --memory-swap -1 x", "memory_swap", -1, "-1", "--memory-swap"),
        ("docker run --cpus=1.5 x", "cpus", 1.5, "1.5", "--cpus"),
        ("docker run --net host x", "network_mode", "host", "host", "--net"),
        ("docker run --network container:a x", "network_mode", "container:a", "container:a", "--network"),
        ("docker run --network $NET x", "network_mode", UNKNOWN, "$NET", "--network"),
        ("docker run --env-file a.env x", "env_files", "/project/a.env", "a.env", "--env-file"),
        ("docker run --env-file ~/a.env x", "env_files", "~/a.env", "~/a.env", "--env-file"),
        ("docker run --add-host a:10.0.0.1 x", "extra_hosts", "a=10.0.0.1", "a:10.0.0.1", "--add-host"),
        ("docker run --stop-timeout 10 x", "stop_grace_period", 10.0, "10", "--stop-timeout"),
        ("docker run nginx:1.27.3 --user x", "image", "nginx:1.27.3", "nginx:1.27.3", "docker run"),
        ("docker run -- nginx", "image", "nginx", "nginx", "docker run"),
        ("docker run 'nginx'", "image", "nginx", "nginx", "docker run"),
        ("docker run $REGISTRY/nginx:$TAG", "image", UNKNOWN, "$REGISTRY/nginx:$TAG", "docker run"),
        ("docker run `cat image`", "image", UNKNOWN, "`cat image`", "docker run"),
        ("docker run \\\n  --name web \\\n  x", "container_name", "web", "web", "--name"),
        ("docker create -h web x", "hostname", "web", "web", "-h"),
        ("podman run --userns keep-id x", "userns_mode", "keep-id", "keep-id", "--userns"),
    ],
)
def test_settings(line: str, field: str, value: object, place: str, key: str) -> None:
    project = project_of(line)
    (service,) = project.services
    setting = setting_of(service, field)
    assert setting.value == value
    assert setting.place.text == place
    assert setting.key.text == key
    assert project.problems == []


@pytest.mark.parametrize(
    ("line", "place", "whole"),
    [
        ("docker run x", "docker run", "docker run x"),
        ("sudo -E docker run x y", "docker run", "sudo -E docker run x y"),
        ("env A=1 /usr/bin/docker container run x", "/usr/bin/docker container run", "env A=1 /usr/bin/docker container run x"),
        ("docker -H tcp://a:1 --context b run x", "docker -H tcp://a:1 --context b run", "docker -H tcp://a:1 --context b run x"),
        ("time docker run x > /dev/null", "docker run", "time docker run x > /dev/null"),
        ('docker run "$IMAGE"', "docker run", 'docker run "$IMAGE"'),
        ("if docker run $I; then :; fi", "docker run", "docker run $I"),
        ('ssh host -p 22 "cd x && docker run --rm y"', "docker run", "docker run --rm y"),
        ("ssh -i key -oA=b host docker run y", "docker run", "docker run y"),
        ("sh -c 'docker run y'", "docker run", "docker run y"),
        ('eval "docker run y"', "docker run", "docker run y"),
        ("ID=$(docker run -d y)", "docker run", "docker run -d y"),
        ("f() { docker run y; }", "docker run", "docker run y"),
        ("for i in a b; do docker create y & done", "docker create", "docker create y"),
        ("ssh host <<EOF\ndocker run y\nEOF", "docker run", "docker run y"),
        ("bash -s <<'EOF'\ndocker run y\nEOF", "docker run", "docker run y"),
        ("DOCKER='sudo docker'\n$DOCKER run y", "$DOCKER run", "$DOCKER run y"),
        ("${DOCKER:-docker} run y", "${DOCKER:-docker} run", "${DOCKER:-docker} run y"),
        ("DOCKER=${DOCKER:-podman}\n${DOCKER} run --replace y", "${DOCKER} run", "${DOCKER} run --replace y"),
        ("\ufeffdocker run y\r\n", "docker run", "docker run y"),
        ("nerdctl -n k8s.io run y", "nerdctl -n k8s.io run", "nerdctl -n k8s.io run y"),
    ],
)
def test_where_a_line_is_found(line: str, place: str, whole: str) -> None:
    service = one(line)
    assert service.place.text == place
    assert service.whole.text == whole


@pytest.mark.parametrize(
    "text",
    [
        "# docker run x",
        "echo docker run x",
        "cat > run.sh <<EOF\ndocker run x\nEOF",
        "docker-compose run web",
        "docker compose run web",
        "docker exec x docker-run",
        "docker ps; docker volume create x; docker network create y",
        "docker build . --tag run",
        "$UNKNOWN run x",
        "DOCKER=docker\nDOCKER=$(pick)\n$DOCKER run x",
        "alias run='docker run'",
        "docker",
        "docker container",
        "docker --version",
        "echo 'docker run x' > file",
        "printf '%s' \"docker run x\"",
    ],
)
def test_what_is_no_run_line(text: str) -> None:
    project = project_of(text)
    assert project.services == ()
    assert project.problems == []


@pytest.mark.parametrize(
    ("line", "open_ended", "image"),
    [
        ("docker run x", False, "x"),
        ("docker run $OPTS x", True, "x"),
        ('docker run "$@"', True, UNKNOWN),
        ('docker run "$@" x', True, "x"),
        ("docker run -d ${ARGS[@]} x", True, "x"),
        ('docker run "${args[@]}" -p 80:80 x', True, "x"),
        ("docker run $IMAGE", False, UNKNOWN),
        ("docker run $IMAGE ls", False, UNKNOWN),
        ('docker run "$THING" ls', False, UNKNOWN),
        ("docker run $THING", False, UNKNOWN),
        ("docker run $THING --rm x", True, "x"),
        ("docker run ${DEBUG:+--privileged} x", True, "x"),
        ("docker run --$FLAG x", True, "x"),
        ("docker run -$FLAG x", True, "x"),
        ("docker run $(docker build -q .)", False, UNKNOWN),
        ("docker run -e A=$B x", False, "x"),
        ("docker run $ENV_ARGS $IMAGE_NAME $CMD", True, UNKNOWN),
        ("docker run -d `# in the background` x", False, "x"),
    ],
)
def test_what_variables_may_hold(line: str, open_ended: bool, image: object) -> None:
    service = one(line)
    assert service.open_ended is open_ended
    assert (None if service.image is None else service.image.value) == (image if service.image is not None else None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("80", ("80", None, None, "tcp")),
        ("80/udp", ("80", None, None, "udp")),
        ("8080:80", ("80", "8080", None, "tcp")),
        ("127.0.0.1:8080:80", ("80", "8080", "127.0.0.1", "tcp")),
        ("127.0.0.1::80", ("80", None, "127.0.0.1", "tcp")),
        ("[::1]:8080:80", ("80", "8080", "::1", "tcp")),
        ("8000-8001:80-81", ("80-81", "8000-8001", None, "tcp")),
        ("$PORT:80", ("80", UNKNOWN, None, "tcp")),
        ("$IP:8080:80", ("80", "8080", UNKNOWN, "tcp")),
        ("127.0.0.1:$PORT:80", ("80", UNKNOWN, "127.0.0.1", "tcp")),
        ("$PORTS", (UNKNOWN, UNKNOWN, UNKNOWN, "tcp")),
        ("target=80,published=8080,protocol=udp", ("80", "8080", None, "udp")),
    ],
)
def test_ports(value: str, expected: tuple[object, ...]) -> None:
    (port,) = one(f"docker run -p {value} x").ports
    assert (port.target, port.published, port.host_ip, port.protocol) == expected
    assert port.place.text == value
    assert port.mode == "ingress"


@pytest.mark.parametrize(
    ("flag", "expected", "source", "target"),
    [
        ("-v /a:/b", ("bind", "/a", "/b", False, ()), "/a", "/b"),
        ("-v ./a:/b:ro", ("bind", "/project/a", "/b", True, ("ro",)), "./a", "/b"),
        ("-v ~/a:/b", ("bind", "~/a", "/b", False, ()), "~/a", "/b"),
        ("-v $HOME/a:/b", ("bind", "~/a", "/b", False, ()), "$HOME/a", "/b"),
        ('-v "${HOME}":/b', ("bind", "~", "/b", False, ()), "${HOME}", "/b"),
        ("-v $PWD:/b", ("bind", UNKNOWN, "/b", False, ()), "$PWD", "/b"),
        ('-v "$(pwd)/x":/b', ("bind", UNKNOWN, "/b", False, ()), "$(pwd)/x", "/b"),
        ("-v $X:/b", ("volume", UNKNOWN, "/b", False, ()), "$X", "/b"),
        ("-v $X/c:/b", ("bind", UNKNOWN, "/b", False, ()), "$X/c", "/b"),
        ("-v data:/b:nocopy", ("volume", "data", "/b", False, ("nocopy",)), "data", "/b"),
        ("-v /b", ("volume", None, "/b", False, ()), "/b", "/b"),
        ("-v $X", ("volume", UNKNOWN, UNKNOWN, UNKNOWN, ()), "$X", "$X"),
        ("--tmpfs /run:ro,size=1m", ("tmpfs", None, "/run", True, ("ro", "size=1m")), "/run", "/run"),
        ("--mount type=bind,src=/a,dst=/b,readonly", ("bind", "/a", "/b", True, ()), "/a", "/b"),
        ("--mount type=bind,src=$HOME/.ssh,dst=/b", ("bind", "~/.ssh", "/b", False, ()), "$HOME/.ssh", "/b"),
        ('--mount type=bind,src="$X",dst=/b,ro=$RO', ("bind", UNKNOWN, "/b", UNKNOWN, ()), "$X", "/b"),
        ("--mount type=tmpfs,dst=/b,tmpfs-size=1m", ("tmpfs", None, "/b", False, ("size=1m",)), "type=tmpfs,dst=/b,tmpfs-size=1m", "/b"),
    ],
)
def test_mounts(flag: str, expected: tuple[object, ...], source: str, target: str) -> None:
    project = project_of(f"docker run {flag} x")
    assert project.problems == []
    (mount,) = project.services[0].mounts
    assert (mount.type, mount.source, mount.target, mount.read_only, mount.options) == expected
    assert (mount.source_place.text, mount.target_place.text) == (source, target)


def test_variables_keep_the_last_value_and_their_places() -> None:
    service = one("docker run -e A=1 --env 'B=x y' -e A=$Z -e C --label a=b x")
    found = {variable.name: variable for variable in service.environment}
    assert list(found) == ["B", "A", "C"]
    assert found["B"].key.text == "B"
    assert found["B"].value is not None
    assert (found["B"].value.value, found["B"].value.place.text) == ("x y", "x y")
    assert found["A"].value is not None
    assert (found["A"].value.value, found["A"].value.place.text) == (UNKNOWN, "$Z")
    assert found["C"].value is None
    assert [(label.name, label.source) for label in service.labels] == [("a", "labels")]


def test_a_later_flag_overrides_and_remembers() -> None:
    user = one("docker run --user a --user b x").user
    assert user is not None
    assert [place.text for place, _ in user.history] == ["a"]


def test_command_and_entrypoint() -> None:
    service = one("docker run --entrypoint sh x -c 'echo $A' \"$B\"")
    assert service.entrypoint is not None and service.command is not None
    assert [word.value for word in service.entrypoint.words] == ["sh"]
    assert [word.value for word in service.command.words] == ["-c", "echo $A", UNKNOWN]
    assert service.command.place.text == "-c 'echo $A' \"$B\""


def test_health() -> None:
    health = one("docker run --health-cmd 'curl a' --health-interval 1m30s --health-retries 3 x").healthcheck
    assert health is not None and health.test is not None and health.interval is not None and health.retries is not None
    assert health.test.shell
    assert health.test.text is not None and health.test.text.value == "curl a"
    assert (health.interval.value, health.retries.value) == (90.0, 3)
    off = one("docker run --no-healthcheck x").healthcheck
    assert off is not None and off.disabled is not None and off.disabled.place.text == "--no-healthcheck"


def test_networks_have_aliases_and_addresses() -> None:
    service = one("docker run --network a --network name=b,alias=c,ip=10.0.0.2 --network-alias d --ip 10.0.0.1 x")
    assert [(network.name, network.ipv4, network.aliases) for network in service.networks] == [
        ("a", "10.0.0.1", ("d",)),
        ("b", "10.0.0.2", ("c",)),
    ]


def test_podman_splits_lists() -> None:
    assert [setting.value for setting in one("podman run --cap-add A,B x").cap_add] == ["A", "B"]
    assert [setting.place.text for setting in one("podman run --cap-add A,B x").cap_add] == ["A", "B"]
    assert [setting.value for setting in one("docker run --cap-add A,B x").cap_add] == ["A,B"]


def test_keys_name_every_flag() -> None:
    keys = one("docker run -itp 80:80 --net host --rm x").keys
    assert {name: place.text for name, place in keys.items()} == {
        "interactive": "i", "tty": "t", "publish": "p", "network": "--net", "rm": "--rm",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("docker run --name web nginx", "web"),
        ("docker run docker.io/library/nginx:1.27@sha256:00", "nginx"),
        ("docker run $X", "container"),
        ("docker run --name $N nginx", "nginx"),
        ("docker run a/b-c:$TAG", "b-c"),
    ],
)
def test_names(line: str, name: str) -> None:
    assert one(line).name == name


def test_origin_and_one_off() -> None:
    assert (one("docker run --rm x").origin, one("docker run --rm x").is_one_off) == ("run", True)
    assert (one("docker run -d --rm x").is_one_off, one("docker create --rm x").origin) == (False, "create")


@pytest.mark.parametrize(
    ("line", "code", "place", "message"),
    [
        (
            "docker run --privilaged x",
            "run-unknown-flag",
            "--privilaged",
            "docker run has no flag --privilaged; did you mean --privileged?",
        ),
        ("docker run --zzz=1 x", "run-unknown-flag", "--zzz", "docker run has no flag --zzz"),
        ("docker run -Z x", "run-unknown-flag", "-Z", "docker run has no flag -Z"),
        ("docker run -itZ x", "run-unknown-flag", "Z", "docker run has no flag -Z"),
        ("docker run -rm x", "run-unknown-flag", "-r", "docker run has no flag -r"),
        ("docker run -name web x", "run-unknown-flag", "-name", "docker run has no flag -name; did you mean --name?"),
        ("docker create --sig-proxy x", "run-unknown-flag", "--sig-proxy", "docker create has no flag --sig-proxy"),
        ("docker run x --name", "", "", ""),
        ("docker run -d --name", "run-missing-value", "--name", "--name needs a value"),
        ("docker run -dp", "run-missing-value", "p", "-p needs a value"),
        ("docker run -d", "run-no-image", "docker run", "docker run names no image"),
        ("docker run --help", "", "", ""),
        ("docker run -e '' x", "run-invalid-value", "''", "-e '' has no name before the ="),
        ("docker run -p=$A:$B x", "", "", ""),
        ("docker run --rm=yes x", "run-invalid-value", "yes", "--rm 'yes' is neither true nor false"),
        ("docker run --ip 1.2.3 x", "run-invalid-value", "1.2.3", "--ip '1.2.3' is not an IP address"),
        ("docker run --gpus none x", "run-invalid-value", "none", "--gpus 'none' has 'none' for a count: it is a number or `all`"),
        ("podman run --uts ns:/x --pull newer x", "", "", ""),
        ("nerdctl run --pull sometimes --zzz x", "", "", ""),
    ],
)
def test_problems(line: str, code: str, place: str, message: str) -> None:
    problems = [problem for problem in project_of(line).problems if problem.code != "run-no-image" or code == "run-no-image"]
    assert [(problem.code, problem.place.text, problem.message) for problem in problems] == ([(code, place, message)] if code else [])


def test_what_is_wrong_hides_nothing_else() -> None:
    project = project_of("docker run --privilaged -p 1:99999 --nam web --read-only nginx")
    (service,) = project.services
    assert service.read_only is not None and service.image is not None and service.image.value == "nginx"
    assert [problem.code for problem in project.problems] == ["run-unknown-flag", "run-invalid-value", "run-unknown-flag"]


def test_from_argv_quotes_the_line() -> None:
    project = runline.from_argv(["docker", "run", "-e", "A=x y", "--privileged", "nginx"], "/project")
    (service,) = project.services
    assert project.file.text == "docker run -e 'A=x y' --privileged nginx"
    assert project.kind == "commands"
    assert service.privileged is not None and service.privileged.place.text == "--privileged"
    literal = runline.from_argv(["docker", "run", "-e", "A=$B", "nginx"], "/").services[0].environment[0].value
    assert literal is not None and literal.value == "A=$B"[2:]


@pytest.mark.parametrize("tool", ["docker", "podman", "nerdctl"])
def test_every_flag_can_be_given(tool: str) -> None:
    names, letters = table(tool)
    assert set(letters) <= set("aceilhmpqtuvwdPl")
    for name, flag in names.items():
        text = f"{tool} run --{name} x" if flag.boolean else f"{tool} run --{name} 1 x"
        project = project_of(text)
        assert [problem.code for problem in project.problems if problem.code not in ("run-invalid-value", "run-no-image")] == [], text
        if not flag.boolean:
            project = project_of(f"{tool} run --{name}")
            assert "run-missing-value" in [problem.code for problem in project.problems], name
