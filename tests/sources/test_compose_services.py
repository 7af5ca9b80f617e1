"""From the tree to services: the exact place of every part, and what is open stays open."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.sources import compose
from hardener.sources.compose import mounts, ports, units, words
from hardener.sources.service import Project, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import SourceFile


def load(text: str, files: Mapping[str, str] | None = None) -> Project:
    given = files or {}

    def read(path: str) -> SourceFile | None:
        name = path.removeprefix("/project/")
        return SourceFile(name, given[name]) if name in given else None

    return compose.load([SourceFile("compose.yaml", text)], "/project", read)


def service(body: str, files: Mapping[str, str] | None = None) -> Service:
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return load(f"services:\n  web:\n    image: x\n{lines}", files).services[0]


def seen(setting: Setting[str] | Setting[bool] | Setting[int] | Setting[float] | None) -> tuple[object, str, str]:
    assert setting is not None
    return setting.value, setting.place.text, setting.key.text


# --- places of parts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "source", "target"),
    [
        ("./a:/b:ro", "./a", "/b"),
        ('"./a:/b"', "./a", "/b"),
        ("'data:/b:z,ro'", "data", "/b"),
        ("C:\\a:/b", "C:\\a", "/b"),
        ("/b", "/b", "/b"),
        ('"~/x:/b"', "~/x", "/b"),
        ("{type: bind, source: ./a, target: /b}", "./a", "/b"),
        ('"./\\u0061:/b"', '"./\\u0061:/b"', '"./\\u0061:/b"'),  # not letter by letter in the file: the whole scalar
        ("${A:-./a}:/b", "${A:-./a}:/b", "${A:-./a}:/b"),
    ],
)
def test_places_of_a_mount(item: str, source: str, target: str) -> None:
    mount = service(f"volumes:\n  - {item}").mounts[0]
    assert (mount.place.text, mount.source_place.text, mount.target_place.text) == (item, source, target)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("data:/d", ("volume", "data", "/d", False, (), "")),
        ("./a/../b:/d/:ro", ("bind", "/project/b", "/d", True, ("ro",), "")),
        ("../up:/d", ("bind", "/up", "/d", False, (), "")),
        ("/s:/d:rslave,z", ("bind", "/s", "/d", False, ("rslave", "z"), "rslave")),
        ("/only", ("volume", None, "/only", False, (), "")),
        ("${A}:/d", ("volume", UNKNOWN, "/d", False, (), "")),
        ("${A}/x:/d", ("bind", UNKNOWN, "/d", False, (), "")),
        ("./a:/d:${O}", ("bind", "/project/a", "/d", UNKNOWN, ("\0",), "")),
        ("${ALL}", ("volume", UNKNOWN, UNKNOWN, UNKNOWN, (), "")),
        (r"\\.\pipe\docker_engine:\\.\pipe\x", ("bind", r"\\.\pipe\docker_engine", r"\\.\pipe\x", False, (), "")),
    ],
)
def test_mount(item: str, expected: tuple[object, ...]) -> None:
    mount = service(f"volumes:\n  - {item}").mounts[0]
    assert (mount.type, mount.source, mount.target, mount.read_only, mount.options, mount.propagation) == expected


def test_long_mount_speaks_the_options_of_the_short_one() -> None:
    body = """volumes:
  - {type: bind, source: ./a, target: /b, read_only: true, bind: {propagation: rshared, selinux: Z, create_host_path: false}}
  - {type: volume, source: v, target: /c, volume: {nocopy: true}}
  - {type: tmpfs, target: /t, tmpfs: {size: 1m, mode: 01777}}
tmpfs: /run:size=5m"""
    found = service(body).mounts
    assert [(one.type, one.options, one.propagation, one.create_host_path) for one in found] == [
        ("bind", ("Z",), "rshared", False),
        ("volume", ("nocopy",), "", True),
        ("tmpfs", ("size=1m", "mode=01777"), "", True),
        ("tmpfs", ("size=5m",), "", True),
    ]
    assert found[3].target_place.text == "/run"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ('"80"', ("80", None, None, "tcp")),
        ("80", ("80", None, None, "tcp")),
        ('"8080:80"', ("80", "8080", None, "tcp")),
        ('"127.0.0.1:8080:80/udp"', ("80", "8080", "127.0.0.1", "udp")),
        ('"127.0.0.1::80"', ("80", None, "127.0.0.1", "tcp")),
        ('"[::1]:8080:80"', ("80", "8080", "::1", "tcp")),
        ('"::1:8080:80"', ("80", "8080", "::1", "tcp")),
        ('"8000-8010:80-90/SCTP"', ("80-90", "8000-8010", None, "sctp")),
        ('"${WEB_PORT}:80"', ("80", UNKNOWN, None, "tcp")),
        ('"$PORT:80"', ("80", UNKNOWN, None, "tcp")),
        ('"${WHERE}:80"', ("80", UNKNOWN, UNKNOWN, "tcp")),
        ('"127.0.0.1:${X}:80"', ("80", UNKNOWN, "127.0.0.1", "tcp")),
        ('"${IP}:80:80"', ("80", "80", UNKNOWN, "tcp")),
        ('"${ALL}"', (UNKNOWN, UNKNOWN, UNKNOWN, "tcp")),
        ("{target: 80, published: 8080, host_ip: 127.0.0.1, mode: host}", ("80", "8080", "127.0.0.1", "tcp")),
    ],
)
def test_port(item: str, expected: tuple[object, ...]) -> None:
    port = service(f"ports:\n  - {item}").ports[0]
    assert (port.target, port.published, port.host_ip, port.protocol) == expected
    assert port.place.text == item


def test_variables_keep_the_places_of_name_and_value() -> None:
    found = service('environment:\n  - A=one\n  - "B=x=y"\n  - C\n  - D=${X}').environment
    assert [(one.name, one.key.text) for one in found] == [("A", "A"), ("B", "B"), ("C", "C"), ("D", "D=${X}")]
    assert [one.value and one.value.place.text for one in found] == ["one", "x=y", None, "D=${X}"]
    assert found[3].value is not None and found[3].value.value is UNKNOWN
    table = service("environment:\n  A: one\n  B: 2\n  C:\n  D: ''").environment
    assert [one.value and one.value.value for one in table] == ["one", "2", None, ""]
    assert [one.value and one.value.place.text for one in table] == ["one", "2", None, "''"]


def test_keys_have_places() -> None:
    found = service("deploy:\n  resources:\n    limits:\n      memory: 1g\nlabels: {a: b}")
    assert [(name, place.text) for name, place in found.keys.items()] == [
        ("image", "image"), ("deploy", "deploy"), ("deploy.resources", "resources"), ("deploy.resources.limits", "limits"),
        ("deploy.resources.limits.memory", "memory"), ("labels", "labels"), ("labels.a", "a"),
    ]  # fmt: skip
    assert seen(found.memory) == (1 << 30, "1g", "memory")
    assert found.whole.text.startswith("web:\n    image: x") and found.whole.text.endswith("{a: b}")


def test_own_limit_wins_over_deploy() -> None:
    found = service("deploy: {resources: {limits: {memory: 1g, pids: 5}, reservations: {memory: 5m}}}\nmem_limit: 1g")
    assert seen(found.memory) == (1 << 30, "1g", "mem_limit")
    assert seen(found.pids_limit) == (5, "5", "pids")
    assert seen(found.memory_reservation) == (5 << 20, "5m", "memory")


# --- commands -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("sh -c 'a && b'", ["sh", "-c", "a && b"]),
        ("a\\ b \"c 'd'\" 'e \"f\"'", ["a b", "c 'd'", 'e "f"']),
        ("a '' b", ["a", "", "b"]),
        ("x'y'\"z\"", ["xyz"]),
        ("a && b", ["a"]),
        ("a;b", ["a"]),
        ("a 2>b", ["a"]),
        ("a2>b", ["a2"]),
        ("> a", []),
        ("echo $(a;b) `c|d`", ["echo", "$(a;b)", "`c|d`"]),
        ('"a $(b c)" d', ["a $(b c)", "d"]),
        ("", []),
        ("\\n \\t", ["n", "t"]),
        ("a #b", ["a", "#b"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert [word.text for word in words.split(text).words] == expected


@pytest.mark.parametrize("text", ['a "b', "a 'b", "a \\", "(a)", "a )", "$(a", "`a", '"$(a"'])
def test_split_refuses(text: str) -> None:
    assert words.split(text).error


@given(st.text(st.sampled_from("ab \"'\\\\`$()<>;|&2\n\t\x0b"), max_size=40))
def test_split_ends_and_keeps_places(text: str) -> None:
    found = words.split(text)
    assert bool(found.error) + (found.stop >= 0) <= 1
    last = 0
    for word in found.words:
        assert last <= word.start < word.end <= len(text)
        last = word.end
        origins = word.origins if word.origins is not None else range(word.start, word.end)
        assert [text[origin] for origin in origins] == list(word.text)


def test_places_of_words() -> None:
    command = service("command: run 'a b' \"c\"d\n").command
    assert command is not None
    assert [word.value for word in command.words] == ["run", "a b", "cd"]
    assert [word.place.text for word in command.words] == ["run", "'a b'", '"c"d']
    view = command.words[2].view
    assert view is not None
    assert [view.offset(0), view.offset(1)] == [command.place.span.start + 11, command.place.span.start + 13]


def test_command_forms() -> None:
    found = service("command: [a, 'b c']\nentrypoint: run ${X} x${Y}\n")
    assert found.command is not None and found.command.text is None
    assert [word.value for word in found.command.words] == ["a", "b c"]
    assert found.entrypoint is not None and found.entrypoint.text is not None
    assert [word.value for word in found.entrypoint.words] == ["run", UNKNOWN, UNKNOWN]
    assert service("command:").command is None
    empty = service("command: ''").command
    assert empty is not None and empty.words == ()


# --- health, build, the rest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "texts", "shell"),
    [
        ("curl -f x", ["curl -f x"], True),
        ("[CMD, curl, x]", ["curl", "x"], False),
        ("[CMD-SHELL, curl x]", ["curl x"], True),
    ],
)
def test_health(test: str, texts: list[str], shell: bool) -> None:
    found = service(f"healthcheck:\n  test: {test}\n  interval: 1m30s\n  retries: 3").healthcheck
    assert found is not None and found.test is not None
    assert ([word.value for word in found.test.words], found.test.shell) == (texts, shell)
    assert seen(found.interval) == (90.0, "1m30s", "interval")
    assert seen(found.retries) == (3, "3", "retries")
    assert found.disabled is None


def test_health_off() -> None:
    none, off, on = (service(f"healthcheck: {{{body}}}").healthcheck for body in ("test: [NONE]", "disable: true", "disable: false"))
    assert none is not None and none.test is None and seen(none.disabled) == (True, "NONE", "test")
    assert off is not None and seen(off.disabled) == (True, "true", "disable")
    assert on is not None and on.disabled is None


@pytest.mark.parametrize(
    ("build", "context", "dockerfile"),
    [
        ("./app", "/project/app", "/project/app/Dockerfile"),
        ("{context: app, dockerfile: d/D}", "/project/app", "/project/app/d/D"),
        ("{context: app, dockerfile: /D}", "/project/app", "/D"),
        ("{dockerfile: D}", "/project", "/project/D"),
        ("https://example.org/a.git", "https://example.org/a.git", "Dockerfile"),
        ("${WHERE}", UNKNOWN, UNKNOWN),
        ("{context: ., dockerfile: '${D}'}", "/project", UNKNOWN),
        ("{context: '${C}', dockerfile: D}", UNKNOWN, UNKNOWN),
    ],
)
def test_build(build: str, context: object, dockerfile: object) -> None:
    found = service(f"build: {build}").build
    assert found is not None and found.context is not None and found.dockerfile is not None
    assert (found.context.value, found.dockerfile.value) == (context, dockerfile)


def test_inline_dockerfile_maps_into_the_file() -> None:
    found = service("build:\n  dockerfile_inline: |\n    FROM debian:12\n    USER app").build
    assert found is not None and found.inline is not None and found.dockerfile is None
    assert found.inline.value == "FROM debian:12\nUSER app\n"
    view = found.inline.view
    assert view is not None
    at = found.inline.text.index("USER")
    assert found.inline.place.file.slice(view.span(at, at + 8)) == "USER app"


def test_env_files_come_first_and_lose() -> None:
    files = {"a.env": "A=1\nB=1\nC=${OWN}-c\n", "sub/b.env": "B=2\n"}
    found = service("env_file: [a.env, sub/b.env]\nenvironment: {OWN: own, A: mine}", files)
    assert [(one.name, one.source, one.value and one.value.value) for one in found.environment] == [
        ("B", "env_file", "2"), ("C", "env_file", "own-c"), ("OWN", "environment", "own"), ("A", "environment", "mine"),
    ]  # fmt: skip
    assert found.environment[0].value is not None and found.environment[0].value.place.at == "sub/b.env:1:3"
    assert [path.value for path in found.env_files] == ["/project/a.env", "/project/sub/b.env"]


def test_missing_env_file_is_seen_once_a_mention() -> None:
    project = load("services: {a: {image: x, env_file: [no.env]}, b: {image: x, env_file: {path: no.env}}}")
    assert [problem.place.text for problem in project.problems if problem.code == "unseen-file"] == ["no.env"]


def test_resources() -> None:
    project = load(
        "services: {a: {image: x, volumes: ['v:/v']}}\n"
        "volumes: {v: {driver: local, driver_opts: {type: none, o: bind, device: ./d}}, w: }\n"
        "secrets: {s: {file: ./s.txt}, e: {external: {name: real}}}\nnetworks: {n: {external: '${X}'}}\n"
    )
    volume = project.volumes["v"]
    assert (volume.driver, [one.value and one.value.value for one in volume.driver_opts]) == ("local", ["none", "bind", "/project/d"])
    assert project.secrets["s"].settings["file"].value == "/project/s.txt"
    assert project.secrets["e"].external is True and project.secrets["e"].settings["name"].value == "real"
    assert project.networks["n"].external is UNKNOWN


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("1GiB", 1 << 30),
        ("64 kb", 64 << 10),
        ("5", 5),
        ("-1", -1),
        ("1x", None),
        ("", None),
        ("m", None),
    ],
)
def test_size(text: str, value: int | None) -> None:
    assert units.size(text) == value


@pytest.mark.parametrize(("text", "value"), [("1m30s", 90.0), ("1d", 86400.0), ("500ms", 0.5), ("0", 0.0), ("5", None), ("s", None)])
def test_duration(text: str, value: float | None) -> None:
    assert units.duration(text) == value


def test_what_is_wrong_with_short_forms() -> None:
    assert [bool(ports.wrong(text)) for text in ("80", "1:2", "a:2", "70000", "80/x", "9-8", ":80", "1.2.3:1:2")] == [
        False, False, True, True, True, True, False, True,
    ]  # fmt: skip
    assert [bool(mounts.wrong(text)) for text in ("/a", "a:/b", "a:/b:ro", "ab:", "ab:bc:cd:de", "")] == [
        False,
        False,
        False,
        True,
        True,
        True,
    ]


def test_wrong_types_raise_nothing() -> None:
    keys = ("build", "deploy", "healthcheck", "ports", "volumes", "tmpfs", "networks", "depends_on", "secrets", "environment", "ulimits")
    more = ("devices", "gpus", "logging", "env_file", "models", "provider", "credential_spec", "post_start", "extra_hosts", "command")
    for value in ("x", "[x]", "{x: y}", "[[x]]", "[{x: y}]", "{x: [y]}", "{x: {y: z}}", "1", "", "[null]"):
        for key in (*keys, *more):
            assert [one.name for one in load(f"services:\n  web:\n    {key}: {value}\n").services] == ["web"]
        for key in ("networks", "volumes", "secrets", "configs", "models"):
            assert load(f"services: {{}}\n{key}: {value}\n").services == ()
        assert [one.name for one in load(f"services: {value}\n").services] == [*(["x"] if value == "{x: {y: z}}" else [])]
