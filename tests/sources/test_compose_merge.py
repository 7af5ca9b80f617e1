"""Overrides: where values of several files stand, and what they remember. What they become: test_compose_oracle.py."""

from compose_projects import at, notes, project

from hardener.sources.compose.merge import OVERRIDES
from hardener.sources.service import Service

BASE = """services:
  web:
    image: nginx:1
    environment:
      - A=1
      - B=2
    volumes:
      - ./a:/x
    ports: ["80:80"]
    cap_add:
      - NET_ADMIN
    command: one
    depends_on: [db]
  db: {image: pg}
"""
OVER = """services:
  web:
    image: nginx:2
    environment:
      B: three
      C:
    volumes:
      - ./b:/x
    ports: ["80:80", "81:81"]
    cap_add:
      - SYS_TIME
    command: [two]
    depends_on: {db: {condition: service_healthy}}
"""


def _web() -> Service:
    return project({"a.yaml": BASE, "b.yaml": OVER}, "a.yaml", "b.yaml").services[0]


def test_service_stays_in_its_file() -> None:
    web = _web()
    assert at(web.place) == "a.yaml:2:3 web"
    assert web.whole.file.path == "a.yaml"
    assert at(web.keys["cap_add"]) == "a.yaml:10:5 cap_add"
    assert at(web.keys["image"]) == "b.yaml:3:5 image"


def test_replaced_scalar() -> None:
    image = _web().image
    assert image is not None
    assert (image.value, at(image.place), at(image.key)) == ("nginx:2", "b.yaml:3:12 nginx:2", "b.yaml:3:5 image")
    assert notes(image.history) == [f"a.yaml:3:12 nginx:1: {OVERRIDES}"]


def test_lists_and_maps_of_variables() -> None:
    found = {variable.name: variable for variable in _web().environment}
    a, b, c = found["A"], found["B"], found["C"]
    assert a.value is not None and b.value is not None
    assert (at(a.key), at(a.value.place), notes(a.value.history)) == ("a.yaml:5:9 A", "a.yaml:5:11 1", [])
    assert (at(b.key), at(b.value.place)) == ("b.yaml:5:7 B", "b.yaml:5:10 three")
    assert notes(b.value.history) == [f"a.yaml:6:11 2: {OVERRIDES}"]
    assert c.value is None


def test_items_unique_by_key() -> None:
    web = _web()
    assert [(mount.source, at(mount.place), notes(mount.history)) for mount in web.mounts] == [
        ("/project/b", "b.yaml:8:9 ./b:/x", [f"a.yaml:8:9 ./a:/x: {OVERRIDES}"])
    ]
    assert [(at(port.place), len(port.history)) for port in web.ports] == [('b.yaml:9:13 "80:80"', 1), ('b.yaml:9:22 "81:81"', 0)]


def test_appended_items() -> None:
    assert [at(setting.place) for setting in _web().cap_add] == ["a.yaml:11:9 NET_ADMIN", "b.yaml:11:9 SYS_TIME"]


def test_replaced_command() -> None:
    command = _web().command
    assert command is not None
    assert at(command.place) == "b.yaml:12:14 [two]"


def test_short_and_long_dependency() -> None:
    (dependency,) = _web().depends_on
    assert dependency.condition == "service_healthy"


def test_history_goes_back_through_all_files() -> None:
    files = {f"{name}.yaml": f"services: {{web: {{image: {name}}}}}\n" for name in "abc"}
    image = project(files, "a.yaml", "b.yaml", "c.yaml").services[0].image
    assert image is not None
    assert [note.split()[1] for note in notes(image.history)] == ["b:", "a:"]


def test_files_are_not_changed_by_merging() -> None:
    """Two services share the nodes of an alias; an override of one leaves the other alone."""
    base = "x-v: &v ['./a:/a']\nservices:\n  web: {image: a, volumes: *v}\n  api: {image: b, volumes: *v}\n"
    over = "services: {web: {volumes: ['./b:/b']}}\n"
    web, api = project({"a.yaml": base, "b.yaml": over}, "a.yaml", "b.yaml").services
    assert [mount.target for mount in web.mounts] == ["/a", "/b"]
    assert [mount.target for mount in api.mounts] == ["/a"]


def test_open_ports_are_not_taken_for_one_another() -> None:
    found = project({"a.yaml": "services: {web: {image: a, ports: ['${A}:80', '${B}:80', '${A}:80']}}\n"})
    assert len(found.services[0].ports) == 2


def test_wrong_shapes_do_not_matter() -> None:
    shapes = ["x", "[1, {a: b}]", "{a: [b]}", "null"]
    keys = ["environment", "ports", "volumes", "build", "depends_on", "networks", "logging", "extra_hosts", "healthcheck", "deploy", "dns"]
    for key in keys:
        for one in shapes:
            for two in shapes:
                files = {"a.yaml": f"services: {{web: {{image: a, {key}: {one}}}}}", "b.yaml": f"services: {{web: {{{key}: {two}}}}}"}
                assert [service.name for service in project(files, "a.yaml", "b.yaml").services] == ["web"]
