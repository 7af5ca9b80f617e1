"""The laws of the house that no type checker knows: tables equal folders, the README equals the disk, start-up stays cheap."""

import ast
import functools
import importlib
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from hardener.engine.targets import kind_by_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "hardener"
README = (ROOT / "README.md").read_text(encoding="utf-8")
RULES = sorted((ROOT / "rules").rglob("*.yaml"))
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
PYTHON = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "bench").rglob("*.py"))]
DOCUMENTED = [*MODULES, *sorted((ROOT / "bench").rglob("*.py"))]

# What costs more to import than a small lint run takes, or has no business there.
SLOW_IMPORTS = {
    *("asyncio", "ctypes", "dataclasses", "email", "hashlib", "http", "importlib.metadata", "inspect", "logging", "multiprocessing"),
    *("pathlib", "requests", "shutil", "socket", "subprocess", "tempfile", "typing_extensions", "unittest", "urllib.request", "yaml"),
}


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def tracked() -> tuple[str, ...]:
    if not (ROOT / ".git").exists():
        pytest.skip("git: this is not a checkout")
    run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(name for name in run.stdout.split("\0") if name and (ROOT / name).exists())


def names_defined(path: Path) -> set[str]:
    return {node.name for node in tree(path).body if isinstance(node, ast.FunctionDef)}


def modules_that_define(package: str, *names: str) -> set[str]:
    """Return modules, and packages by what their `__init__.py` defines."""
    found = {path.stem for path in (PACKAGE / package).glob("*.py") if set(names) <= names_defined(path)}
    return found | {path.parent.name for path in (PACKAGE / package).glob("*/__init__.py") if set(names) <= names_defined(path)}


# --- tables equal folders ---------------------------------------------------------------------------------------------------


def test_every_report_format_is_in_its_table() -> None:
    formats = importlib.import_module("hardener.reports").FORMATS
    assert {module.rpartition(".")[2] for module in formats.values()} == modules_that_define("reports", "render")


def test_every_command_is_in_its_table() -> None:
    commands = importlib.import_module("hardener.cli").COMMANDS
    modules = modules_that_define("cli", "configure", "run") | modules_that_define("cli", "from_words")
    assert set(commands) == {name.rstrip("_") for name in modules}


def test_every_subcommand_on_images_is_in_its_table() -> None:
    subcommands = importlib.import_module("hardener.cli.image").SUBCOMMANDS
    assert set(subcommands) == {name.rstrip("_") for name in modules_that_define("cli/image", "configure", "run")}


@pytest.mark.parametrize("path", RULES, ids=relative)
def test_a_rule_is_filed_under_its_id_and_name(path: Path) -> None:
    fields = dict(re.findall(r"^(id|name):\s*([^\s#]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert path.stem == f"{fields['id']}-{fields['name']}"


def test_rule_ids_and_names_are_unique() -> None:
    ids = [path.stem.partition("-")[0] for path in RULES]
    names = [path.stem.partition("-")[2] for path in RULES]
    assert sorted(set(ids)) == sorted(ids)
    assert sorted(set(names)) == sorted(names)


# --- the README equals the disk ---------------------------------------------------------------------------------------------


def readme_tree(first_line: str) -> set[str]:
    """Return the entries of the README's tree whose block starts with `first_line`."""
    block = next(block for block in README.split("```")[1::2] if block.lstrip("\n").startswith(first_line))
    return {line.split()[0] for line in block.strip("\n").splitlines() if line.strip() and line.split()[0] != "hardener/"} | (
        {"hardener/"} if first_line != "hardener/" else set()
    )


def entries(below: str) -> set[str]:
    found = set()
    for name in tracked():
        if name.startswith(below):
            head, slash, _ = name[len(below) :].partition("/")
            found.add(head + slash)
    return found


def test_the_tree_in_the_readme_is_the_tree_on_disk() -> None:
    assert readme_tree(".ci/") == entries("")


def test_the_package_in_the_readme_is_the_package_on_disk() -> None:
    assert readme_tree("hardener/") == entries("hardener/")


@pytest.mark.parametrize("package", ["runtime", "images"])
def test_the_map_of_a_large_package_has_every_module(package: str) -> None:
    known = set(re.findall(r"[a-z_]+", importlib.import_module(f"hardener.{package}").__doc__ or ""))
    assert {name.removesuffix("/").removesuffix(".py") for name in entries(f"hardener/{package}/")} - {"__init__"} - known == set()


def test_the_readme_names_every_command() -> None:
    commands = importlib.import_module("hardener.cli").COMMANDS
    assert [name for name in commands if f"harden {name}" not in README] == []


def test_the_readme_names_every_format() -> None:
    formats = importlib.import_module("hardener.reports").FORMATS
    assert [name for name in formats if not re.search(rf"\b{name}\b", README)] == []


def test_the_readme_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_exit_code_is_explained_in_the_readme() -> None:
    codes = {name: value for name, value in vars(importlib.import_module("hardener.errors")).items() if name.startswith("EXIT_")}
    assert {value for value in codes.values() if f"| {value} |" in README} == set(codes.values())


def test_the_data_that_the_wheel_takes_is_in_the_repository() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [folder for folder in build["force-include"] if not entries(f"{folder}/")] == []


# --- code ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", DOCUMENTED, ids=relative)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree(path))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module


@pytest.mark.parametrize(
    ("package", "importers"),
    [
        ("yaml", ["hardener/sources/yaml_nodes.py"]),
        ("ctypes", []),
        ("dataclasses", []),
    ],
)
def test_only_its_home_imports_a_package(package: str, importers: list[str]) -> None:
    assert [relative(path) for path in MODULES if package in {name.partition(".")[0] for name in imports(path)}] == importers


def asserts(test: ast.FunctionDef) -> bool:
    """Tell whether a test can fail: an assert, an expected exception, or a helper that is named after asserting."""
    for node in ast.walk(test):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""
            if name in {"raises", "warns", "fail"} or name.lstrip("_").startswith(("assert", "check", "expect")):
                return True
    return False


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_can_fail(path: Path) -> None:
    tests = [node for node in ast.walk(tree(path)) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    assert [test.name for test in tests if not asserts(test)] == []


def test_no_two_test_files_share_a_name() -> None:
    names = [path.name for path in TESTS]
    assert sorted(set(names)) == sorted(names)


def imported_by(code: str, *arguments: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded for `code`, beyond those that its own start loads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    environment["PYTHONPATH"] = str(ROOT)
    script = f"import sys; before = set(sys.modules)\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
    script += "print(*sorted(set(sys.modules) - before), file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True, env=environment)
    return set(run.stderr.splitlines()[-1].split())


def test_start_up_imports_nothing_slow() -> None:
    assert imported_by("import hardener.cli") & SLOW_IMPORTS == set()


def test_a_lint_run_imports_nothing_slow(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM debian:12\nRUN apt-get update && sudo ls\nUSER 1000\n", encoding="utf-8")
    lint = "from hardener.cli import main; main(['lint', '--no-shellcheck', sys.argv[1]])"
    imported_by(lint, str(dockerfile))  # the first run compiles the rules, and may import what that takes
    assert imported_by(lint, str(dockerfile)) & SLOW_IMPORTS == set()


# --- tracked files ------------------------------------------------------------------------------------------------------------


def test_no_file_names_the_machine_it_was_written_on() -> None:
    machine = re.compile(rb"/Users/\w+/|[A-Z]:\\Users\\\w|pyenv/(?:versions|shims)|/pytest-of-|" + re.escape(str(ROOT).encode()) + rb"\b")
    this = relative(Path(__file__))
    found = [name for name in tracked() if name != this and (match := machine.search((ROOT / name).read_bytes())) and match]
    assert found == []


def test_no_file_waits_for_someone_to_finish_it() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX)\b")
    python = [path for path in PYTHON if path != Path(__file__)]
    assert [relative(path) for path in python if marks.search(path.read_text(encoding="utf-8"))] == []


# --- hooks and actions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("Dockerfile", "dockerfile", "DOCKERFILE", "Dockerfile.dev", "Dockerfile-alpine", "web.Dockerfile", "web.dockerfile"),
        *("Containerfile", "Containerfile.dev", "my-dockerfile", "mydockerfile", "--output=x.Dockerfile", "Dockerfiles"),
        *("Dockerfile.dockerignore", "Dockerfile.j2", "Dockerfile.md", "Dockerfile~", "Dockerfile.orig", "Dockerfile.go"),
        *("dockerfile.py", "dockerfile_test.go", "README.md", "docs.html", "deploy.sh", "deploy.ps1", "Makefile", "rules.mk", "a.service"),
        *("docker-compose.yml", "compose.yaml", "compose.prod.yml", "Docker-Compose.yml", "podman-compose.yaml", "app.compose.yml"),
        *("docker-stack.yml", "stack.yml", "swarm-dev.yaml", "values.yaml", "composer.json", "decompose.yml", "compose.json"),
        *(".gitlab-ci.yml", ".github/workflows/ci.yml", ".github/dependabot.yml", ".circleci/config.yml", "azure-pipelines.yml"),
    ],
)
@pytest.mark.parametrize("folder", ["", "a/", "a b/.devcontainer/", "-x/"])
def test_the_hook_and_a_walk_take_the_same_files(folder: str, name: str) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    path = folder + name
    taken = re.search(hook["files"], path) is not None and re.search(hook["exclude"], path) is None
    assert taken == (kind_by_name(path) is not None)


def workflow_steps() -> list[dict[str, str]]:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps: list[dict[str, str]] = action["runs"]["steps"]
    return steps


def test_the_action_interpolates_nothing_into_a_script() -> None:
    assert [step["run"] for step in workflow_steps() if "${{" in step.get("run", "")] == []


def test_the_action_pins_what_it_uses() -> None:
    used = re.findall(r"uses: (\S+)(.*)", (ROOT / "action.yml").read_text(encoding="utf-8"))
    assert used
    assert [
        step for step in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step[0]) or not re.fullmatch(r" +# v\d+\.\d+\.\d+", step[1])
    ] == []


def test_no_pattern_repeats_a_group_possessively() -> None:
    """Python 3.11.0 to 3.11.4, Debian 12's among them, match `(…)*+` wrongly when the group can backtrack (cpython#106052)."""
    possessive = re.compile(r"\)(?:\*|\+|\?|\{\d*,?\d*\})\+[^+]")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "hardener").rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if possessive.search(line + " ")
    ]
    assert found == []
