"""What a command amounts to as a use of a package manager, whoever is called and however it is spelt."""

import pytest

from hardener.rules.checks.builds import build_of, use_of
from hardener.rules.checks.installs import Use
from hardener.rules.checks.managers import MANAGERS
from hardener.sources.commands import invocations
from hardener.sources.dockerfile import Dockerfile, parse
from hardener.sources.tools import TOOLS
from hardener.text import SourceFile


def build(text: str) -> Dockerfile:
    return parse(SourceFile("Dockerfile", text))


def uses(run: str, before: str = "") -> tuple[Use, ...]:
    document = build(f"FROM debian:12\n{before}RUN {run}\n")
    return build_of(document).uses(document.instructions[-1])


@pytest.mark.parametrize(
    ("run", "manager", "action", "packages"),
    [
        ("apt-get -yqq install a b=1", "apt", "install", ["a", "b=1"]),
        ("env X=1 sudo -E /usr/bin/apt-get install -t x a", "apt", "install", ["a"]),
        ("aptitude safe-upgrade", "apt", "upgrade", []),
        ("apk --no-cache add -t .deps a", "apk", "install", ["a"]),
        ("dnf module install -y a:1", "dnf", "install", ["a:1"]),
        ("yum update", "yum", "upgrade", []),
        ("zypper -n in a", "zypper", "install", ["a"]),
        ("python3.12 -m pip install -r r.txt a", "pip", "install", ["a"]),
        ("uv pip install a", "uv", "install", ["a"]),
        ("npm i", "npm", "project", []),
        ("npm i -g", "npm", "install", []),
        ("npm i a", "npm", "install", ["a"]),
        ("yarn", "yarn", "project", []),
        ("yarn --version", "yarn", "other", []),
        ("yarn global add a", "yarn", "install", ["a"]),
        ("pnpm install a", "pnpm", "install", ["a"]),
        ("cargo +nightly install a", "cargo", "install", ["a"]),
        ("go install -ldflags '-s -w' a@v1", "go", "install", ["a@v1"]),
        ("go get -u a", "go", "install", ["a"]),
        ("./mvnw -f x/pom.xml package", "mvn", "build", ["package"]),
        ("mvn --version", "mvn", "other", []),
        ("bundler", "bundle", "project", []),
        ("poetry run x", "poetry", "other", ["x"]),
    ],
)
def test_a_use_says_who_does_what_to_which(run: str, manager: str, action: str, packages: list[str]) -> None:
    (use,) = uses(run)
    assert (use.manager.name, use.action, [package.text for package in use.packages]) == (manager, action, packages)


@pytest.mark.parametrize("run", ["echo apt-get install a", "python3 -m venv x", "python setup.py install", "apt-cache policy a"])
def test_what_is_no_package_manager_is_no_use(run: str) -> None:
    assert uses(run) == ()


@pytest.mark.parametrize(
    ("run", "before", "packages", "opaque"),
    [
        ("apt-get install $P", 'ARG P="a b"\n', [("a", True), ("b", True)], False),
        ("p='a b'; apt-get install $p", "", [("a", True), ("b", True)], False),
        ("apt-get install ${P[@]}", "ENV P=a\n", [("a", True)], False),
        ("apt-get install $P", 'ARG P="-y a"\n', [("a", True)], True),
        ("apt-get install $P", "", [("$P", False)], True),
        ("apt-get install $PACKAGES", "", [("$PACKAGES", False)], False),
        ('apt-get install "$P"', "", [("$P", False)], False),
        ("apt-get install $(cat packages)", "", [("$(cat packages)", False)], True),
        ("apt-get install lib$P", "ENV P=a\n", [("lib$P", False)], False),
        ("p=a; p=b; apt-get install $p", "", [("$p", False)], True),
    ],
)
def test_variables_are_packages_as_far_as_the_file_decides_them(
    run: str, before: str, packages: list[tuple[str, bool]], opaque: bool
) -> None:
    (use,) = uses(run, before)
    assert [(package.text, package.static) for package in use.packages] == packages
    assert use.is_opaque is opaque


def test_a_variable_of_a_thousand_packages_is_read_in_part() -> None:
    (use,) = uses("apt-get install $P", f'ENV P="{"a " * 1000}"\n')
    assert 0 < len(use.packages) <= 200


@pytest.mark.parametrize(
    ("run", "head"),
    [
        ("sudo apt-get -y install a", "apt-get -y install"),
        ("python3 -m pip install a", "python3 -m pip install"),
        ("yarn --frozen-lockfile", "yarn"),
        ("uv tool install a", "uv tool install"),
    ],
)
def test_the_head_of_a_use_is_what_findings_point_at(run: str, head: str) -> None:
    (use,) = uses(run)
    assert use.instruction.document.file.slice(use.head) == head


def test_a_command_and_its_instruction_share_their_use() -> None:
    document = build("FROM debian:12\nRUN true && pip install a\n")
    (_, pip) = invocations(document.instructions[-1])
    assert use_of(pip) is build_of(document).uses(document.instructions[-1])[0]


@pytest.mark.parametrize("name", sorted(set(MANAGERS) - {"mvn", "gradle", "rpm", "debootstrap", "yum-config-manager"}))
def test_a_manager_with_verbs_is_a_tool_with_subcommands(name: str) -> None:
    assert TOOLS[name].subcommands


@pytest.mark.parametrize(
    ("text", "shipped"),
    [
        ("FROM a AS base\nFROM base AS build\nFROM base\nCOPY --from=build /x /x\n", {0, 2}),
        ("FROM a AS api\nFROM a AS worker\n", {0, 1}),
        ("FROM a AS test\nFROM a\n", {1}),
        ("FROM a AS base\nFROM base AS dev\n", {0}),
        ("ARG N\nFROM a AS x-1\nFROM a AS y\nFROM x-$N\n", {2}),
        ("FROM a\nFROM a\n", {1}),
    ],
)
def test_what_is_shipped_is_the_final_stage_and_targets_of_their_own(text: str, shipped: set[int]) -> None:
    assert build_of(build(text)).shipped == shipped
