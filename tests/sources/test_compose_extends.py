"""`extends` and `include`: places, folders, and what cannot be resolved."""

import pytest
from compose_projects import at, notes, problems, project

from hardener.sources.compose import Options
from hardener.sources.compose.extends import MAX_CHAIN

CODES = ("extends-cycle", "extends-missing-service", "unseen-file", "include-cycle", "include-conflict", "invalid-yaml")


def test_value_stands_where_it_is_written() -> None:
    files = {
        "compose.yaml": "services:\n  web:\n    extends: {file: common/base.yaml, service: base}\n    user: me\n",
        "common/base.yaml": "services:\n  base:\n    image: a\n    user: root\n    privileged: true\n    volumes: ['./x:/x']\n",
    }
    found = project(files)
    (web,) = found.services
    assert web.privileged is not None and web.user is not None
    assert at(web.place) == "compose.yaml:2:3 web"
    assert web.whole.file.path == "compose.yaml"
    assert at(web.privileged.place) == "common/base.yaml:5:17 true"
    assert notes(web.privileged.history) == ["compose.yaml:3:5 extends: extended by service web here"]
    assert at(web.user.place) == "compose.yaml:4:11 me"
    assert notes(web.user.history) == ["common/base.yaml:4:11 root: overrides the value here"]
    assert [mount.source for mount in web.mounts] == ["/project/common/x"]
    assert [file.path for file in found.files] == ["compose.yaml", "common/base.yaml"]
    assert not web.open_ended


def test_file_is_found_from_the_project_folder() -> None:
    files = {
        "compose.yaml": "services: {a: {image: a}}\n",
        "sub/two.yaml": "services: {web: {extends: {file: base.yaml, service: base}}}\n",
        "base.yaml": "services: {base: {image: b}}\n",
    }
    found = project(files, "compose.yaml", "sub/two.yaml")
    assert problems(found, *CODES) == []
    assert [service.image and service.image.value for service in found.services] == ["a", "b"]


@pytest.mark.parametrize(
    ("extends", "files", "expected"),
    [
        ("nope", {}, "extends-missing-service compose.yaml:1:37 nope"),
        ("{service: nope}", {}, "extends-missing-service compose.yaml:1:47 nope"),
        ("{file: b.yaml, service: x}", {}, "unseen-file compose.yaml:1:44 b.yaml"),
        ("{file: b.yaml, service: x}", {"b.yaml": "services: {y: {}}"}, "extends-missing-service compose.yaml:1:61 x"),
        ("{file: b.yaml, service: x}", {"b.yaml": "a: b"}, "extends-missing-service compose.yaml:1:44 b.yaml"),
        ("{file: b.yaml, service: x}", {"b.yaml": "services: ["}, "invalid-yaml b.yaml:1:12 "),
        ("{file: '${X}.yaml', service: x}", {}, "unseen-file compose.yaml:1:44 '${X}.yaml'"),
        ("'${X}'", {}, "unseen-file compose.yaml:1:37 '${X}'"),
        ("web", {}, "extends-cycle compose.yaml:1:37 web"),
        ("{file: b.yaml, service: x}", {"b.yaml": "services: {x: {extends: x}}"}, "extends-cycle b.yaml:1:25 x"),
    ],
)
def test_what_cannot_be_extended(extends: str, files: dict[str, str], expected: str) -> None:
    found = project({"compose.yaml": f"services: {{web: {{image: a, extends: {extends}}}}}\n", **files})
    assert problems(found, *CODES) == [expected]
    assert found.services[0].open_ended
    assert found.services[0].image is not None


def test_cycle_over_several_services_is_said_once() -> None:
    text = "services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a, image: x}\n"
    found = project({"compose.yaml": text})
    (problem,) = [problem for problem in found.problems if problem.code == "extends-cycle"]
    assert problem.values["cycle"] == "a → b → c → a"
    assert [at(place) for place, _ in problem.related] == ["compose.yaml:2:7 extends", "compose.yaml:3:7 extends"]
    assert all(service.image is not None and service.image.value == "x" for service in found.services)


def test_long_chains_end() -> None:
    text = "services:\n" + "".join(f"  s{index}: {{extends: s{index + 1}}}\n" for index in range(500)) + "  s500: {image: a}\n"
    found = project({"compose.yaml": text})
    said = problems(found, "unseen-file")
    assert said[0] == f"unseen-file compose.yaml:{MAX_CHAIN + 2}:18 s{MAX_CHAIN + 1}"
    assert len(said) < 20
    assert found.services[0].open_ended


def test_missing_file_is_said_once_for_each_use() -> None:
    text = "services:\n  a: {extends: {file: no.yaml, service: a}}\n  b: {extends: {file: no.yaml, service: b}}\n"
    found = project({"compose.yaml": text})
    assert problems(found, "unseen-file") == ["unseen-file compose.yaml:2:23 no.yaml", "unseen-file compose.yaml:3:23 no.yaml"]


def test_include_has_its_own_folder_and_variables() -> None:
    files = {
        "compose.yaml": "include: [sub/compose.yaml]\nservices: {web: {image: '${TAG:-none}'}}\n",
        "sub/compose.yaml": "services: {db: {image: 'b:${TAG}', volumes: ['./d:/d'], build: .}}\n",
        "sub/.env": "TAG=inner\n",
    }
    found = project(files)
    services = {service.name: service for service in found.services}
    database, web = services["db"], services["web"]
    assert database.image is not None and web.image is not None and database.build is not None and database.build.context is not None
    assert (database.image.value, web.image.value) == ("b:inner", "none")
    assert [mount.source for mount in database.mounts] == ["/project/sub/d"]
    assert database.build.context.value == "/project/sub"
    assert at(database.place) == "sub/compose.yaml:1:12 db"


@pytest.mark.parametrize(
    ("include", "files", "expected"),
    [
        ("[no.yaml]", {}, ["unseen-file compose.yaml:1:11 no.yaml"]),
        ("[{path: [a.yaml, no.yaml]}]", {"a.yaml": "services: {a: {image: a}}"}, ["unseen-file compose.yaml:1:27 no.yaml"]),
        ("['oci://example.com/x:1']", {}, ["unseen-file compose.yaml:1:11 'oci://example.com/x:1'"]),
        ("['$X/a.yaml']", {}, ["unseen-file compose.yaml:1:11 '$X/a.yaml'"]),
        ("[{path: a.yaml, env_file: no.env}]", {"a.yaml": "services: {a: {image: a}}"}, ["unseen-file compose.yaml:1:36 no.env"]),
        ("[a.yaml]", {"a.yaml": "services: {web: {image: x}}"}, ["include-conflict compose.yaml:2:12 web"]),
        ("[a.yaml]", {"a.yaml": "services: {web: {image: a}}"}, []),
        ("[a.yaml]", {"a.yaml": "include: [b.yaml]", "b.yaml": "include: [a.yaml]"}, ["include-cycle b.yaml:1:11 a.yaml"]),
        ("[compose.yaml]", {}, ["include-cycle compose.yaml:1:11 compose.yaml"]),
        ("[a.yaml]", {"a.yaml": "services: ["}, ["invalid-yaml a.yaml:1:12 "]),
    ],
)
def test_what_cannot_be_included(include: str, files: dict[str, str], expected: list[str]) -> None:
    found = project({"compose.yaml": f"include: {include}\nservices: {{web: {{image: a}}}}\n", **files})
    assert problems(found, *CODES) == expected
    assert "web" in [service.name for service in found.services]


def test_number_of_files_is_bounded() -> None:
    files = {f"{index}.yaml": f"include: [{index + 1}.yaml]" for index in range(150)}
    found = project({"compose.yaml": "include: [0.yaml]\nservices: {web: {image: a}}\n", **files})
    assert problems(found, "unseen-file") == ["unseen-file 99.yaml:1:11 100.yaml"]


def test_profiles() -> None:
    text = """services:
  web: {image: a, depends_on: [dev]}
  dev: {image: b, profiles: [dev], user: '${'}
  ci: {image: c, profiles: [test, ci]}
  open: {image: d, profiles: ['$P']}
"""

    def names(*profiles: str) -> list[str]:
        return [service.name for service in project({"compose.yaml": text}, options=Options(profiles=profiles)).services]

    assert names() == ["web", "open"]
    assert names("ci") == ["web", "ci", "open"]
    assert names("*") == ["web", "dev", "ci", "open"]
    assert len(project({"compose.yaml": text}).services) == 4
    assert problems(project({"compose.yaml": text}, options=Options(profiles=())), "invalid-interpolation") == []
    assert problems(project({"compose.yaml": text}, options=Options(profiles=("dev",))), "invalid-interpolation") != []


@pytest.mark.parametrize(
    ("text", "env", "name"),
    [
        ("services: {}", "", "project"),
        ("name: My App\nservices: {}", "", "myapp"),
        ("name: a-$B\nservices: {}", "B=b", "a-b"),
        ("name: a-$B\nservices: {}", "", "project"),
        ("name: a\nservices: {}", "COMPOSE_PROJECT_NAME=b", "b"),
    ],
)
def test_name(text: str, env: str, name: str) -> None:
    assert project({"compose.yaml": text, ".env": env}).name == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("include: a.yaml\nservices: {web: {image: a}}", ["wrong-type compose.yaml:1:10 a.yaml"]),
        ("include: [[a]]\nservices: {web: {image: a}}", ["wrong-type compose.yaml:1:11 [a]"]),
        ("include: [{pth: a}]\nservices: {web: {image: a}}", ["unknown-key compose.yaml:1:12 pth", "missing-key compose.yaml:1:12 pth"]),
        ("services: {web: {image: a, extends: {file: b}}}", ["missing-key compose.yaml:1:28 extends"]),
        ("services: {web: {image: a, extends: [b]}}", ["wrong-type compose.yaml:1:28 extends"]),
        ("services: {web: {image: a, extends: }}", ["wrong-type compose.yaml:1:28 extends"]),
    ],
)
def test_wrong_shapes(text: str, expected: list[str]) -> None:
    assert problems(project({"compose.yaml": text})) == expected
