import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hardener.engine import targets
from hardener.engine.targets import Options, Target
from hardener.errors import HardenError
from hardener.finding import FileError
from hardener.text import SourceFile

Tree = Callable[..., Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Return a function that makes files; a name that ends in `/` is a folder, a pair gives a text."""

    def make(*entries: str | tuple[str, str]) -> Path:
        for entry in entries:
            name, text = entry if isinstance(entry, tuple) else (entry, "FROM scratch\n")
            if name.endswith("/"):
                (tmp_path / name).mkdir(parents=True, exist_ok=True)
                continue
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return make


def find(root: Path, *paths: str, excludes: Callable[[str, bool], bool] | None = None, gitignore: bool = True) -> list[str]:
    found = targets.find(paths or (".",), Options(str(root), gitignore=gitignore, excludes=excludes))
    assert found.errors == ()
    return [target.path for target in found.files]


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile",
        "dockerfile",
        "DOCKERFILE",
        "Dockerfile.dev",
        "Dockerfile.alpine-3.19",
        "api.Dockerfile",
        "api.dockerfile",
        "Dockerfile-alpine",
        "Dockerfile_test",
        "Dockerfile2",
        "DockerfileProd",
        "dev-dockerfile",
        "Containerfile",
        "containerfile.ubi9",
        "app.Containerfile",
        ".dockerfile",
        "Dockerfile.go",
        "Dockerfile.python",
        "Dockerfile.windows.amd64",
        "Dockerfile 2",
    ],
)
def test_is_a_dockerfile(name: str) -> None:
    assert targets.is_dockerfile_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "Dockerfile.dockerignore",
        "Dockerfile.md",
        "Dockerfile.j2",
        "Dockerfile.tmpl",
        "Dockerfile.template",
        "Dockerfile~",
        ".Dockerfile.swp",
        "Dockerfile.swp",
        "Dockerfile.bak",
        "Dockerfile.orig",
        "Dockerfile.rej",
        "Dockerfile.erb",
        "dockerfile.go",
        "dockerfile_test.go",
        "dockerfile.py",
        "Dockerfile-parser.js",
        "Dockerfile.dev.yml",
        "dockerfiles",
        "dockerfilelint",
        "docker-compose.yml",
        "Dockerfile.sh",
        "mydockerfile",
        "Dockerfile.TMPL",
    ],
)
def test_is_not_a_dockerfile(name: str) -> None:
    assert not targets.is_dockerfile_name(name)


@pytest.mark.parametrize(
    ("entries", "paths", "found"),
    [
        pytest.param(["Dockerfile", "README.md"], ["."], ["Dockerfile"], id="the current folder"),
        pytest.param(["Dockerfile"], [], ["Dockerfile"], id="nothing given means here"),
        pytest.param(
            ["b/Dockerfile", "a/Dockerfile", "Dockerfile"], ["."], ["Dockerfile", "a/Dockerfile", "b/Dockerfile"], id="sorted by path"
        ),
        pytest.param(["sub/x/Dockerfile"], ["sub"], ["sub/x/Dockerfile"], id="shown as given"),
        pytest.param(["sub/x/Dockerfile"], ["sub//"], ["sub/x/Dockerfile"], id="trailing slashes"),
        pytest.param(["sub/Dockerfile"], ["./sub", "./sub/Dockerfile"], ["sub/Dockerfile"], id="a file named twice is judged once"),
        pytest.param(["build.txt"], ["build.txt"], ["build.txt"], id="a named file is judged whatever its name"),
        pytest.param(["-rf"], ["./-rf"], ["-rf"], id="a file named like an option"),
        pytest.param([".devcontainer/Dockerfile"], ["."], [".devcontainer/Dockerfile"], id="hidden folders"),
        pytest.param(
            [".git/Dockerfile", "node_modules/x/Dockerfile", ".venv/Dockerfile", "Dockerfile"],
            ["."],
            ["Dockerfile"],
            id="other people's folders",
        ),
        pytest.param(
            ["node_modules/x/Dockerfile"], ["node_modules"], ["node_modules/x/Dockerfile"], id="other people's folders when named"
        ),
        pytest.param(["Dockerfile/Dockerfile"], ["."], ["Dockerfile/Dockerfile"], id="a folder called Dockerfile"),
        pytest.param(["a b/Dockerfile.ü"], ["."], ["a b/Dockerfile.ü"], id="blanks and umlauts"),
        pytest.param(
            [(".gitignore", "out/\n*.dev\n"), "out/Dockerfile", "Dockerfile.dev", "Dockerfile"], ["."], ["Dockerfile"], id="gitignore"
        ),
        pytest.param([(".gitignore", "out/"), "out/Dockerfile"], ["out/Dockerfile"], ["out/Dockerfile"], id="a named file though ignored"),
        pytest.param(
            [(".gitignore", "*.dev"), ("a/.gitignore", "!*.dev"), "a/b.dev/Dockerfile", "a/Dockerfile.dev"],
            ["."],
            ["a/Dockerfile.dev", "a/b.dev/Dockerfile"],
            id="a nested gitignore brings back",
        ),
        pytest.param(
            [(".gitignore", "/a/*\n!/a/keep/"), "a/x/Dockerfile", "a/keep/Dockerfile"], ["."], ["a/keep/Dockerfile"], id="all but one"
        ),
        pytest.param(
            [".git/", (".gitignore", "/sub/gone"), "sub/gone/Dockerfile", "sub/Dockerfile"],
            ["sub"],
            ["sub/Dockerfile"],
            id="rules from above",
        ),
        pytest.param(
            [(".gitignore", "Dockerfile"), "sub/.git/", "sub/Dockerfile"],
            ["."],
            ["sub/Dockerfile"],
            id="a nested repository has its own rules",
        ),
        pytest.param([(".git/info/exclude", "private\n"), "private/Dockerfile", "Dockerfile"], ["."], ["Dockerfile"], id="info/exclude"),
        pytest.param(
            [(".git/info/exclude", "private\n"), (".gitignore", "!private"), "private/Dockerfile"],
            ["."],
            ["private/Dockerfile"],
            id="gitignore outranks info/exclude",
        ),
        pytest.param(
            [
                ("main/.git/info/exclude", "x"),
                ("main/.git/worktrees/w/commondir", "../.."),
                ("w/.git", "gitdir: ../main/.git/worktrees/w\n"),
                "w/x/Dockerfile",
                "w/Dockerfile",
            ],
            ["w"],
            ["w/Dockerfile"],
            id="info/exclude of a worktree",
        ),
        pytest.param(
            [(".gitignore", "\ufeffout\r\n"), "out/Dockerfile", "Dockerfile"],
            ["."],
            ["Dockerfile"],
            id="gitignore from an editor on Windows",
        ),
    ],
)
def test_find(tree: Tree, entries: list[str | tuple[str, str]], paths: list[str], found: list[str]) -> None:
    assert find(tree(*entries), *paths) == found


def test_gitignore_can_be_switched_off(tree: Tree) -> None:
    root = tree((".gitignore", "*"), "Dockerfile")
    assert find(root, gitignore=False) == ["Dockerfile"]


def test_absolute_paths_stay_absolute(tree: Tree) -> None:
    root = tree("a/Dockerfile")
    assert find(root, str(root / "a")) == [str(root / "a/Dockerfile")]


def test_paths_above_stay_as_given(tree: Tree) -> None:
    root = tree("a/Dockerfile", "b/")
    assert find(root / "b", "../a") == ["../a/Dockerfile"]


def test_the_configuration_excludes(tree: Tree) -> None:
    root = tree("a/Dockerfile", "b/Dockerfile")
    asked: list[tuple[str, bool]] = []

    def excludes(path: str, is_folder: bool) -> bool:
        asked.append((os.path.relpath(path, root), is_folder))
        return path.endswith("a")

    assert find(root, excludes=excludes) == ["b/Dockerfile"]
    assert sorted(asked) == [("a", True), ("b", True), ("b/Dockerfile", False)]


def test_standard_input_takes_the_name_given(tmp_path: Path) -> None:
    found = targets.find(["-", "-"], Options(str(tmp_path), stdin_name="api/Dockerfile"))
    assert found.files == (Target("api/Dockerfile", str(tmp_path / "api/Dockerfile"), is_stdin=True),)


def test_links_are_judged_once_and_loops_end(tree: Tree) -> None:
    root = tree("real/Dockerfile", "outside/notes", "tree/x/")
    (root / "tree/Dockerfile.a").symlink_to(root / "real/Dockerfile")
    (root / "tree/Dockerfile.b").symlink_to(root / "real/Dockerfile")
    (root / "tree/x/up").symlink_to(root / "tree")
    (root / "tree/x/Dockerfile").symlink_to(root / "tree")
    assert find(root, "tree") == ["tree/Dockerfile.a"]
    assert find(root, "real", "tree") == ["real/Dockerfile"]


def test_a_link_to_a_folder_is_followed_when_named(tree: Tree) -> None:
    root = tree("real/Dockerfile")
    (root / "link").symlink_to("real")
    assert find(root, "link") == ["link/Dockerfile"]
    assert find(root, "link", "real") == ["link/Dockerfile"]


def errors(root: Path, *paths: str) -> list[FileError]:
    found = targets.find(paths or (".",), Options(str(root)))
    assert found.files == ()
    return list(found.errors)


def test_what_cannot_be_judged_is_an_error(tree: Tree) -> None:
    root = tree("x/")
    os.mkfifo(root / "x/Dockerfile.pipe")
    (root / "x/Dockerfile.dangling").symlink_to("nowhere")
    (root / "x/Dockerfile.loop").symlink_to("Dockerfile.loop")
    (root / "x/Dockerfile.zero").symlink_to("/dev/zero")
    listener = socket.socket(socket.AF_UNIX)
    previous = Path.cwd()
    os.chdir(root / "x")  # the path of a socket may have 107 bytes only
    try:
        listener.bind("Dockerfile.socket")
    finally:
        os.chdir(previous)
        listener.close()
    assert errors(root) == [
        FileError("x/Dockerfile.dangling", 0, "cannot be read: no such file or directory"),
        FileError("x/Dockerfile.loop", 0, "cannot be read: too many levels of symbolic links"),
        FileError("x/Dockerfile.pipe", 0, "is a named pipe, not a file; `-` reads standard input"),
        FileError("x/Dockerfile.socket", 0, "is a socket, not a file"),
        FileError("x/Dockerfile.zero", 0, "is a device, not a file; `-` reads standard input"),
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("missing", "cannot be read: no such file or directory"),
        ("./missing", "cannot be read: no such file or directory"),
        ("pipe", "is a named pipe, not a file; `-` reads standard input"),
        ("nul\0", "is not a path"),
        ("file/below", "cannot be read: not a directory"),
    ],
)
def test_a_named_path_that_cannot_be_judged(tree: Tree, path: str, message: str) -> None:
    root = tree("file")
    os.mkfifo(root / "pipe")
    assert errors(root, path) == [FileError(path.removeprefix("./"), 0, message)]


def test_a_folder_that_may_not_be_read(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tree("shut/Dockerfile")
    scandir = os.scandir

    def refuse(path: str) -> "os._ScandirIterator[str]":  # root may read everything, so the mode alone would not do
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert errors(root) == [FileError("shut", 0, "cannot be read: permission denied")]


def test_what_is_no_gitignore_is_no_matter(tree: Tree) -> None:
    root = tree((".git", "nonsense"), "a/.gitignore/", "a/Dockerfile", "b/Dockerfile", ("rules", "*"))
    (root / "b/.gitignore").symlink_to(root / "rules")  # git does not follow it either
    assert find(root) == ["a/Dockerfile", "b/Dockerfile"]
    (root / ".git").write_text("gitdir: nowhere\n")
    assert find(root) == ["a/Dockerfile", "b/Dockerfile"]


def test_nothing_matched(tree: Tree) -> None:
    root = tree("README.md", "a/")
    with pytest.raises(HardenError, match=r"no Dockerfile, compose file or `docker run` line found in \., a"):
        targets.find([".", "a"], Options(str(root)))


def read(path: Path) -> SourceFile | FileError:
    return targets.read(Target("shown", str(path)))


def test_read(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(b"\xef\xbb\xbfFROM a\r\n")
    file = read(path)
    assert isinstance(file, SourceFile)
    assert (file.path, file.text) == ("shown", "\ufeffFROM a\r\n")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"FROM a\0", FileError("shown", 0, "looks like a binary file (it holds a NUL byte)")),
        (b"FROM a\n\nRUN \xff", FileError("shown", 3, "not valid UTF-8 (byte 0xff at offset 12)")),
    ],
)
def test_read_reports_what_is_no_text(tmp_path: Path, data: bytes, error: FileError) -> None:
    path = tmp_path / "Dockerfile"
    path.write_bytes(data)
    assert read(path) == error
    assert targets.decode(Target("shown", ""), data) == error


def test_read_refuses_what_is_huge(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.touch()
    os.truncate(path, targets.MAX_BYTES + 1)
    assert read(path) == FileError("shown", 0, "is larger than 16 MiB")
    os.truncate(path, targets.MAX_BYTES)
    assert read(path) == FileError("shown", 0, "looks like a binary file (it holds a NUL byte)")


def test_decode_refuses_what_is_huge() -> None:
    assert targets.decode(Target("shown", ""), bytes(targets.MAX_BYTES + 1)) == FileError("shown", 0, "is larger than 16 MiB")


def test_read_reports_a_failing_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor: int) -> os.stat_result:
        raise OSError(5, "Input/output error")

    (tmp_path / "Dockerfile").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fail)
        found = read(tmp_path / "Dockerfile")
    assert found == FileError("shown", 0, "cannot be read: input/output error")


def test_read_never_waits(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "Dockerfile")
    assert read(tmp_path / "Dockerfile") == FileError("shown", 0, "is a named pipe, not a file; `-` reads standard input")
    assert read(tmp_path) == FileError("shown", 0, "is a folder")
    assert read(tmp_path / "gone") == FileError("shown", 0, "cannot be read: no such file or directory")


def test_what_git_tracks_is_what_is_found(tree: Tree) -> None:
    root = tree(
        (".gitignore", "*.log\nbuild/\n!keep/build/\n/only-here\n**/deep/x\n"),
        ("a/.gitignore", "!build/\nDockerfile.local\n"),
        *(
            f"{folder}{name}"
            for folder in ("", "a/", "a/b/", "build/", "a/build/", "keep/build/", "only-here/", "a/only-here/", "q/deep/x/", "q/deep/y/")
            for name in ("Dockerfile", "Dockerfile.local", "x.log")
        ),
    )
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)
    listed = subprocess.run(
        ["git", "-C", str(root), "-c", "core.excludesFile=/dev/null", "ls-files", "--others", "--exclude-standard", "*Dockerfile*"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert find(root) == sorted(listed.stdout.splitlines())


def test_many_files_under_many_patterns(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("\n".join(f"/ignored-{n}/**/x*y" for n in range(50)))
    for outer in range(30):
        for inner in range(20):
            folder = tmp_path / f"d{outer}" / f"e{inner}"
            folder.mkdir(parents=True)
            (folder / "Dockerfile").touch()
    assert len(find(tmp_path)) == 600
