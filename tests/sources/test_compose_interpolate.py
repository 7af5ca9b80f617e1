"""Variables: what they become, and where a value stands in the end."""

import pytest
from compose_projects import at, notes, problems, project

from hardener.sources.compose import Options
from hardener.sources.compose.interpolate import InvalidTemplate, substitute
from hardener.sources.expansion import HOLE
from hardener.sources.service import Binding
from hardener.sources.unknown import UNKNOWN

KNOWN = {"A": "a", "EMPTY": "", "OPEN": HOLE, "PART": f"x{HOLE}"}


def _lookup(name: str) -> Binding | None:
    return Binding(KNOWN[name]) if name in KNOWN else None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A", "a"),
        ("${A}", "a"),
        ("x${A}y$A", "xaya"),
        ("$NOPE", HOLE),
        ("${NOPE}x", f"{HOLE}x"),
        ("${NOPE:-d}", "d"),
        ("${NOPE-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${A:-d}", "a"),
        ("${OPEN:-d}", HOLE),  # it may be empty
        ("${OPEN-d}", HOLE),
        ("${PART:-d}", f"x{HOLE}"),
        ("${NOPE:-}", ""),
        ("${NOPE:-${A}}", "a"),
        ("${NOPE:-${NOPE:-$A}b}c", "abc"),
        ("${NOPE:-{a: ${A}}}", "{a: a}"),
        ("${NOPE:-${NOPE}}", HOLE),
        ("${A:+r}", "r"),
        ("${EMPTY:+r}", ""),
        ("${EMPTY+r}", "r"),
        ("${NOPE:+r}", HOLE),  # unset is not known: the shell may set it
        ("${OPEN:+r}", HOLE),
        ("${A:?why}", "a"),
        ("${NOPE:?why}", HOLE),
        ("${EMPTY:?why}", HOLE),
        ("${EMPTY?why}", ""),
        ("$$A", "$A"),
        ("$$$A", "$a"),
        ("$$$$", "$$"),
        ("$(A) $5 $ $-", "$(A) $5 $ $-"),
        ("$", "$"),
        ("${NOPE:-$$A}", "$A"),
    ],
)
def test_values(text: str, value: str) -> None:
    assert substitute(text, _lookup, []) == value


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a ${", "${"),
        ("a ${A", "${A"),
        ("${}", "${}"),
        ("${1}", "${1}"),
        ("${A!} b", "${A!}"),
        ("${A:} b", "${A:}"),
        ("${A:-b\n}", "${A:-b"),
        ("${NOPE:-x${}}", "${}"),
    ],
)
def test_invalid(text: str, wrong: str) -> None:
    with pytest.raises(InvalidTemplate) as error:
        substitute(text, _lookup, [])
    assert text[error.value.start : error.value.end] == wrong


def test_invalid_is_a_problem_and_unknown() -> None:
    found = project({"compose.yaml": 'services:\n  web:\n    image: "a:${TAG!}"\n    user: x\n'})
    assert problems(found, "invalid-interpolation") == ["invalid-interpolation compose.yaml:3:15 ${TAG!}"]
    image = found.services[0].image
    assert image is not None
    assert image.value is UNKNOWN
    assert at(image.place) == 'compose.yaml:3:12 "a:${TAG!}"'


def test_deep_defaults_are_open() -> None:
    assert substitute("${NOPE:-" * 500 + "x" + "}" * 500, _lookup, []) == HOLE


def test_huge_values_are_open() -> None:
    assert substitute("$A$A", lambda name: Binding("x" * 60_000), []) == HOLE


def test_places() -> None:
    text = """services:
  web:
    image: 'nginx:1'
    user: $WHO
    hostname: a$$b
    command: |
      one
      two
"""
    found = project({"compose.yaml": text, ".env": "WHO=me\n"})
    service = found.services[0]
    image, user, hostname, command = service.image, service.user, service.hostname, service.command
    assert image is not None and user is not None and hostname is not None and command is not None and command.text is not None
    assert at(image.place) == "compose.yaml:3:12 'nginx:1'"
    assert image.view is not None
    assert image.view.span(0, 5) == (text.index("nginx"), text.index("nginx") + 5)
    assert (user.value, at(user.place), user.view) == ("me", "compose.yaml:4:11 $WHO", None)
    assert notes(user.history) == [".env:1:5 me: the variable is set here"]
    assert (hostname.value, hostname.view) == ("a$b", None)
    assert command.text.view is not None
    assert command.text.view.span(4, 7) == (text.index("two"), text.index("two") + 3)


def test_where_variables_come_from() -> None:
    files = {"compose.yaml": "services: {web: {image: $A, user: $B, hostname: $C}}\n", ".env": "A=dot\nB=dot\n", "x.env": "B=x\nC=x$A\n"}

    def values(options: Options) -> list[object]:
        service = project(files, options=options).services[0]
        return [setting and setting.value for setting in (service.image, service.user, service.hostname)]

    assert values(Options()) == ["dot", "dot", UNKNOWN]
    assert values(Options(env_files=("/project/x.env",))) == [UNKNOWN, "x", UNKNOWN]
    assert values(Options(env_files=("/project/.env", "/project/x.env"))) == ["dot", "x", "xdot"]
    assert values(Options(environment={"A": "outer"})) == ["outer", "dot", UNKNOWN]
    assert values(Options(env_files=())) == [UNKNOWN, UNKNOWN, UNKNOWN]


def test_env_file_that_is_not_there() -> None:
    found = project({"compose.yaml": "services: {web: {image: a}}\n"}, options=Options(env_files=("/project/no.env",)))
    assert [(problem.code, problem.values["file"]) for problem in found.problems] == [("unseen-file", "/project/no.env")]


def test_aliases_and_merge_keys() -> None:
    text = """x-base: &base
  restart: always
x-user: &user me
services:
  web:
    <<: *base
    image: a
    user: *user
"""
    service = project({"compose.yaml": text}).services[0]
    restart, user = service.restart, service.user
    assert restart is not None and user is not None
    assert (at(restart.place), at(restart.key)) == ("compose.yaml:2:12 always", "compose.yaml:2:3 restart")
    assert notes(restart.history) == ["compose.yaml:6:9 *base: merged in here"]
    assert (user.value, at(user.place)) == ("me", "compose.yaml:8:11 *user")
    assert notes(user.history) == ["compose.yaml:3:15 me: its value is written here"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("services: [\n", "invalid-yaml compose.yaml:2:1 "),
        ("a: 1\nb: {c: d\n", "invalid-yaml compose.yaml:3:1 "),
        ("services:\n  web: {}\n  web: {}\n", "invalid-yaml compose.yaml:3:3 web"),
        ("services:\n\tweb: {}\n", "invalid-yaml compose.yaml:2:1 \t"),
        ("- a\n- b\n", "not-a-mapping compose.yaml:1:1 - a"),
        ("just text\n", "not-a-mapping compose.yaml:1:1 just text"),
        ("", "not-a-mapping compose.yaml:1:1 "),
        ("# services:\n", "not-a-mapping compose.yaml:1:1 # services:"),
        ("---\n...\n", "not-a-mapping compose.yaml:1:1 ---"),
    ],
)
def test_broken_files(text: str, expected: str) -> None:
    assert expected in problems(project({"compose.yaml": text}))


def test_one_of_several_files_may_be_empty() -> None:
    found = project({"a.yaml": "services: {web: {image: a}}\n", "b.yaml": "# nothing yet\n"}, "a.yaml", "b.yaml")
    assert found.problems == []


def test_broken_second_file_keeps_the_first() -> None:
    found = project({"a.yaml": "services: {web: {image: a}}\n", "b.yaml": "services: {web: [\n"}, "a.yaml", "b.yaml")
    assert [service.name for service in found.services] == ["web"]
    assert [problem.place.file.path for problem in found.problems if problem.code == "invalid-yaml"] == ["b.yaml"]
