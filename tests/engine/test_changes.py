import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.engine import changes
from hardener.errors import HardenError


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(root), *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with one commit: ten numbered lines in several files."""
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    for name in NAMES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(b"line %d\n" % number for number in range(1, 11)))
    (tmp_path / ".gitignore").write_text("ignored\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    return tmp_path


NAMES = ("Dockerfile", "a b/Dockerfile", 'quo"te', "back\\slash", "tab\there", "ü", "new\nline", "+++ b", "crlf", "-option")


def edit(path: Path, *edits: tuple[int, bytes]) -> None:
    """Replace 1-based lines; an empty text deletes the line."""
    lines = path.read_bytes().splitlines(keepends=True)
    for number, text in edits:
        lines[number - 1] = text
    path.write_bytes(b"".join(lines))


def touched(root: Path, name: str, revision: str = "HEAD") -> list[int]:
    found = changes.since(revision, cwd=str(root))
    return [line for line in range(1, 13) if found.touch(str(root / name), line, line)]


@pytest.mark.parametrize("name", NAMES)
def test_changed_lines_whatever_the_name(repository: Path, name: str) -> None:
    edit(repository / name, (3, b"new\nnew\n"), (7, b""), (10, b"++ b/Dockerfile\n"))
    assert touched(repository, name) == [3, 4, 10]
    assert touched(repository, "other") == []


def test_ranges(repository: Path) -> None:
    edit(repository / "Dockerfile", (2, b"x\n"), (3, b"x\n"), (8, b"x\n"))
    found = changes.since("HEAD", cwd=str(repository))
    path = str(repository / "Dockerfile")
    ranges = [(1, 1), (1, 2), (3, 9), (4, 7), (4, 8), (8, 8), (9, 20), (1, 20)]
    assert [found.touch(path, *lines) for lines in ranges] == [False, True, True, False, True, True, False, True]
    assert found.files == {os.path.realpath(path)}


def test_crlf_and_no_final_newline(repository: Path) -> None:
    (repository / "crlf").write_bytes(b"line 1\r\nline 2\nline 3")
    assert touched(repository, "crlf") == [1, 3]


def test_untracked_files_are_new_as_a_whole(repository: Path) -> None:
    (repository / "sub").mkdir()
    (repository / "sub/Dockerfile ü").write_bytes(b"x\n")
    (repository / "ignored").write_bytes(b"x\n")
    assert touched(repository, "sub/Dockerfile ü") == list(range(1, 13))
    assert touched(repository, "ignored") == []


def test_staged_and_committed_changes_count(repository: Path) -> None:
    edit(repository / "Dockerfile", (1, b"x\n"))
    git(repository, "commit", "--quiet", "--all", "--message=second")
    edit(repository / "Dockerfile", (2, b"x\n"))
    git(repository, "add", ".")
    edit(repository / "Dockerfile", (3, b"x\n"))
    assert touched(repository, "Dockerfile", "HEAD~1") == [1, 2, 3]
    assert touched(repository, "Dockerfile", "main") == [2, 3]


def test_a_renamed_file_is_not_new(repository: Path) -> None:
    git(repository, "mv", "Dockerfile", "moved")
    edit(repository / "moved", (5, b"x\n"))
    assert touched(repository, "moved") == [5]


def test_a_deleted_file_is_nothing(repository: Path) -> None:
    (repository / "Dockerfile").unlink()
    assert changes.since("HEAD", cwd=str(repository)).files == set()


def test_attributes_and_settings_of_the_repository_do_not_matter(repository: Path) -> None:
    (repository / ".gitattributes").write_text("Dockerfile -diff\n")
    for setting in ("diff.noprefix", "diff.mnemonicPrefix", "diff.relative", "color.diff"):
        git(repository, "config", setting, "always" if setting == "color.diff" else "true")
    git(repository, "config", "diff.external", "false")
    git(repository, "config", "diff.interHunkContext", "9")
    edit(repository / "a b/Dockerfile", (2, b"x\n"), (4, b"x\n"))
    edit(repository / "Dockerfile", (4, b"x\n"))
    assert touched(repository / "a b", "Dockerfile") == [2, 4]
    assert touched(repository / "a b", "../Dockerfile") == [4]


def test_links_lead_to_the_same_file(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    edit(repository / "Dockerfile", (4, b"x\n"))
    link = tmp_path_factory.mktemp("links") / "link"
    link.symlink_to(repository)
    assert touched(link, "Dockerfile") == [4]


@pytest.mark.parametrize("revision", ["nope", "--output=stolen", "-h", "", "HEAD:Dockerfile", "HEAD --output=stolen", "main..HEAD"])
def test_what_is_no_revision_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(HardenError) as caught:
        changes.since(revision, cwd=str(repository))
    assert (caught.value.what, caught.value.where) == (f"unknown revision {revision!r}", "--diff")
    assert not (repository / "stolen").exists()


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(HardenError) as caught:
        changes.since("HEAD", cwd=str(tmp_path))
    assert caught.value.what == "this is not in a git repository"
    assert caught.value.how.startswith("git says: not a git repository")


def test_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HardenError, match="cannot run git: No such file or directory"):
        changes.since("HEAD", cwd=str(tmp_path))


TEXTS = st.lists(
    st.sampled_from([b"a\n", b"b\n", b"\n", b"+++ b/x\n", b"@@ -1 +1 @@\n", b"--- a/x\n", b"\\ x\n", b"c\r\n", b"d"]), max_size=8
).map(b"".join)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pair")


@given(TEXTS, TEXTS)
def test_unchanged_lines_are_those_that_the_old_text_has_in_order(pair: Path, old: bytes, new: bytes) -> None:
    """Law: without the lines that are called changed, the new text is what the old one keeps."""
    (pair / "old").write_bytes(old)
    (pair / "new").write_bytes(new)
    command = ["git", "diff", "--no-index", "--unified=0", "--inter-hunk-context=0", "--no-color", "--text", "old", "new"]
    diff = subprocess.run(command, cwd=pair, capture_output=True, check=False).stdout
    ranges = changes.parse(diff).get("new", [])
    lines = new.split(b"\n")
    kept = [line for number, line in enumerate(lines, 1) if not any(first <= number <= last for first, last in ranges)]
    rest = iter(old.split(b"\n"))
    assert all(line in rest for line in kept if line)
