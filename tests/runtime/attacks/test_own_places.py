"""hardener's own folders: what is in them is executed outside, so no container may get to write there, or to their sockets."""

import os
from pathlib import Path

import pytest

import hardener
from hardener.cli import run, run_flags
from hardener.errors import HardenError
from hardener.launch import specification
from hardener.runtime.places import places


def refusal(folder: Path, *words: str, **environment: str) -> str:
    """Return what a user is told whose home is a folder; "" when the launch is fine."""
    given = {"HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder / "run"), **environment}
    request = run.understand(*run_flags.parse([*words, "host", "--", "true"]), given)
    try:
        specification.draft(request, places(1000, given), lambda *asked: "")
    except HardenError as error:
        return str(error)
    return ""


@pytest.fixture
def home(folder: Path) -> Path:
    home = folder / "home"
    for path in (folder / "run", home / "project", home / ".cache", home / ".local" / "share"):
        path.mkdir(parents=True)
    (home / "way").symlink_to(home)
    return home


@pytest.mark.parametrize("source", ["", "/.cache", "/.local", "/.local/share", "/way", "/project/.."])
@pytest.mark.parametrize("form", ["-v {}:/tmp/d", "-v {}:/tmp/d:rw", "--mount type=bind,src={},dst=/tmp/d"])
def test_a_folder_around_them_is_not_mounted_writable(folder: Path, home: Path, source: str, form: str) -> None:
    said = refusal(folder, *form.format(f"{home}{source}").split())
    assert "hardener keeps" in said
    assert "add :ro, or mount a folder below or beside it" in said


@pytest.mark.parametrize("source", ["{home}/.cache/hardener", "{home}/.local/share/hardener/containers"])
def test_what_is_in_them_is_not_mounted_writable(folder: Path, home: Path, source: str) -> None:
    path = Path(source.format(home=home))
    path.mkdir(parents=True)
    assert "hardener keeps" in refusal(folder, "-v", f"{path}:/tmp/d")


def test_a_home_that_is_a_link_counts_as_what_it_leads_to(folder: Path, home: Path) -> None:
    (folder / "way").symlink_to(home)
    assert "hardener keeps" in refusal(folder, "-v", f"{home}:/tmp/d", HOME=f"{folder}/way")


@pytest.mark.parametrize("options", ["", ":ro"])
def test_sockets_are_not_shown_at_all(folder: Path, home: Path, options: str) -> None:
    assert "hardener keeps the sockets" in refusal(folder, "-v", f"{folder}/run:/tmp/d{options}")


def test_another_root_of_ours_counts_as_well(folder: Path, home: Path) -> None:
    for source in (home, home / "project"):
        assert "hardener keeps" in refusal(folder, "-v", f"{source}:/tmp/d", HARDENER_ROOT=f"{home}/project/h")


@pytest.mark.parametrize(("option", "told"), [("", True), (":ro", False)])
def test_whoever_hands_our_code_out_is_told(folder: Path, home: Path, option: str, told: bool) -> None:
    """An environment inside of a project, which is what one wants to work on inside: the next launch runs what was written there."""
    given = {"HOME": str(home)}
    code = Path(hardener.__path__[0]).resolve()
    for source in (code, code.parent, code / "cli"):
        request = run.understand(*run_flags.parse(["-v", f"{source}:/tmp/d{option}", "host", "--", "true"]), given)
        lines = specification.draft(request, places(1000, given), lambda *asked: "").looser
        assert [f"can change hardener's own code in {code}" in line for line in lines] == [True] * told


@pytest.mark.parametrize("words", [["-v", "{home}/project:/tmp/d"], ["-v", "{home}:/tmp/d:ro"], ["-v", "some:/tmp/d"]])
def test_other_folders_are_mounted(folder: Path, home: Path, words: list[str]) -> None:
    assert refusal(folder, *(word.format(home=home) for word in words)) == ""
    assert os.listdir(home / ".cache") in ([], ["hardener"])
