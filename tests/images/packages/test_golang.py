"""Modules of Go, out of programs of all its versions."""

import importlib.util
from pathlib import Path

import go_programs
import pytest
from go_programs import MAGIC, MODULES, elf
from hypothesis import given, settings
from hypothesis import strategies as st
from package_images import Scanned

from hardener.images.packages.golang import Program

LARGE = 9 << 20  # more than is shown at once
NAMES = [
    "golang example.org/app v1.2.3",
    "golang example.org/local v0.1.0",
    "golang github.com/BurntSushi/toml v1.3.2",
    "golang github.com/moby/moby v25.0.0",
]


@pytest.mark.parametrize(
    ("program", "version"),
    [
        (go_programs.new(), "1.22.5"),
        (go_programs.new(wide=False), "1.22.5"),
        (go_programs.new(big=True), "1.22.5"),
        (go_programs.new(before=16), "1.22.5"),
        (go_programs.new(before=LARGE), "1.22.5"),
        (go_programs.new(before=(4 << 20) - 0x1000 - 64), "1.22.5"),
        (go_programs.new(version="go1.22rc1 X:boringcrypto"), "1.22rc1"),
        (go_programs.old(), "1.16.5"),
        (go_programs.old(wide=False), "1.16.5"),
        (go_programs.old(big=True), "1.16.5"),
        (go_programs.old(wide=False, big=True), "1.16.5"),
        (go_programs.old(between=LARGE), "1.16.5"),
    ],
    ids=[
        "new",
        "32 bits",
        "big-endian",
        "aligned",
        "late",
        "at the edge",
        "odd version",
        "old",
        "old 32",
        "old big",
        "old 32 big",
        "old late",
    ],
)
def test_modules_of_a_program(tmp_path: Path, program: bytes, version: str) -> None:
    assert Scanned(tmp_path, {"bin/app*": program}).names == [*NAMES, f"golang stdlib {version}"]


def test_a_list_that_is_longer_than_a_window(tmp_path: Path) -> None:
    modules = MODULES + "".join(f"dep\texample.org/m{number}\tv1.0.{number}\th1:{'x' * 60}=\n" for number in range(5000))
    for number, program in enumerate([go_programs.new(modules, before=(8 << 20) - 0x2000), go_programs.old(modules, between=LARGE)]):
        assert len(Scanned(tmp_path / str(number), {"bin/app*": program}).names) == len(NAMES) + 1 + 5000


def test_a_list_that_begins_in_one_window_and_ends_in_the_next(tmp_path: Path) -> None:
    modules = MODULES + "".join(f"dep\texample.org/m{number}\tv1.0.{number}\th1:{'x' * 60}=\n" for number in range(5000))
    program = go_programs.new(modules, before=(4 << 20) - (100 << 10) - 0x1000) + b"\0" * LARGE
    assert len(Scanned(tmp_path, {"bin/app*": program}).names) == len(NAMES) + 1 + 5000
    damaged = program.replace(b"go1.22.5", b"xx1.22.5")
    assert Scanned(tmp_path / "damaged", {"bin/app*": damaged}).names == []


def test_what_is_said_of_modules(tmp_path: Path) -> None:
    found = Scanned(tmp_path, {"bin/app*": go_programs.new(), "bin/other*": go_programs.new(), "bin/data": go_programs.new()})
    assert found.one("example.org/local").notes == ("replaced by ./local",)
    assert found.one("github.com/moby/moby").notes == ("replaces github.com/docker/docker@v24.0.7+incompatible",)
    assert (found.one("stdlib").path, found.one("stdlib").places) == ("bin/app", ("bin/other",))
    assert "github.com/BurntSushi/toml" in found.one("example.org/app").depends


@pytest.mark.parametrize(
    ("build", "version"),
    [
        ('build\t-ldflags="-w -X main.version=1.18.1 -s"\n', "v1.18.1"),
        ("build\tvcs.revision=5b1d8d1c7c51aaaabbbb\nbuild\tvcs.time=2024-12-10T17:11:43Z\n", "v0.0.0-20241210171143-5b1d8d1c7c51"),
        ("", ""),
    ],
)
def test_a_main_module_without_a_version_has_that_of_its_build(tmp_path: Path, build: str, version: str) -> None:
    found = Scanned(tmp_path, {"bin/app*": go_programs.new(f"path\tx\nmod\texample.org/x\t(devel)\t\n{build}")})
    assert found.one("example.org/x").version == version


def test_a_program_without_modules_has_the_standard_library(tmp_path: Path) -> None:
    assert Scanned(tmp_path, {"bin/app*": go_programs.new("")}).names == ["golang stdlib 1.22.5"]


def test_a_library_that_go_has_really_linked(tmp_path: Path) -> None:
    spec = importlib.util.find_spec("dockerfile")
    assert spec is not None and spec.origin is not None
    found = Scanned(tmp_path, {"lib/dockerfile.so*": Path(spec.origin).read_bytes()})
    assert "github.com/moby/buildkit" in [package.name for package in found.packages]
    assert found.one("stdlib").version.startswith("1.")


@pytest.mark.parametrize(
    "program",
    [
        elf(b"\0" * 200_000),
        b"\x7fELF" + b"\xff" * 200_000,
        elf(MAGIC * 20_000),
        elf((MAGIC + b"\x08\x02" + b"\xff" * 16) * 6_000),
        elf(MAGIC + b"\x08\x02" + b"\0" * 16 + b"\xff" * 200_000),
        elf(MAGIC + b"\x08\x02" + b"\0" * 16 + b"\x08go1.22.5\xff\xff\xff\x7f" + b"\0" * 200_000),
        elf(MAGIC + b"\x08\x00" + b"\xff" * 16 + b"\0" * 200_000),
        elf(MAGIC + b"\x03\x00" + b"\0" * 200_000),
        elf(b"\0" * 200_000 + MAGIC + b"\x08\x02"),
        go_programs.new().replace(b"go1.22.5", b"xx1.22.5"),
        go_programs.BEGIN * 20_000,
        elf(go_programs.BEGIN + b"\0" * LARGE),
        elf((MAGIC + b"\x08\x02") * (LARGE // 16)),
        elf((MAGIC + b"\x08\x00") * (LARGE // 16)),
        elf((go_programs.BEGIN + go_programs.END) * (LARGE // 32)),
    ],
)
def test_what_is_no_program_of_go_has_no_modules(tmp_path: Path, program: bytes) -> None:
    assert Scanned(tmp_path, {"bin/app*": program}).names == []


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damage_never_raises(data: st.DataObject) -> None:
    program = bytearray(data.draw(st.sampled_from([go_programs.new()[:6000], go_programs.old()[:6000]])))
    for _ in range(data.draw(st.integers(1, 6))):
        program[data.draw(st.integers(0, len(program) - 1))] = data.draw(st.integers(0, 255))
    watcher = Program()
    watcher.add(bytes(program), 0)
    assert len(watcher.kept()) < len(program)
