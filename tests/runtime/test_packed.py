"""The code of a launch in one file: what it holds is what the sources are, and nobody else's."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hardener.runtime import packed

ROOT = Path(__file__).parents[2]
NAMES = ["packdemo", "packdemo.part"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "packdemo"
    folder.mkdir()
    (folder / "__init__.py").write_text("WHERE = __path__[0]\n")
    (folder / "part.py").write_text('"""A part."""\nVALUE = 1\n\ndef fail():\n    raise LookupError(VALUE)\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    importlib.import_module("packdemo.part")
    yield folder
    forget()


def forget() -> None:
    for name in NAMES:
        sys.modules.pop(name, None)


def test_modules_come_from_the_pack_as_they_were(package: Path, tmp_path: Path) -> None:
    cache = str(tmp_path / "cache")
    assert not packed.use(cache)
    assert packed.keep(cache, NAMES)
    forget()
    assert packed.use(cache)
    demo, part = (importlib.import_module(name) for name in NAMES)
    for module in (demo, part):
        assert module.__spec__ is not None
        assert type(module.__spec__.loader) is packed.Packed
    assert (demo.WHERE, demo.__file__) == (str(package), str(package / "__init__.py"))
    assert (part.VALUE, part.__doc__, part.__file__, part.__package__) == (1, "A part.", str(package / "part.py"), "packdemo")
    with pytest.raises(LookupError) as caught:
        part.fail()
    assert (str(caught.traceback[-1].path), caught.traceback[-1].lineno + 1) == (str(package / "part.py"), 5)
    (package / "other.py").write_text("VALUE = 2\n")
    assert importlib.import_module("packdemo.other").VALUE == 2  # what is not in the pack comes from its file


def _newer(package: Path, _: Path) -> None:
    (package / "part.py").write_text((package / "part.py").read_text().replace("1", "2"))
    os.utime(package / "part.py", ns=(1, 1))


def _gone(package: Path, _: Path) -> None:
    (package / "part.py").unlink()


def _writable(_: Path, file: Path) -> None:
    file.chmod(0o606)


def _anothers(_: Path, file: Path) -> None:
    os.chown(file, 1000, -1)


def _cut(_: Path, file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("change", [_newer, _gone, _writable, _anothers, _cut])
def test_a_pack_that_is_not_the_sources_or_not_ours_is_not_used(
    package: Path, tmp_path: Path, change: Callable[[Path, Path], None]
) -> None:
    cache = tmp_path / "cache"
    assert packed.keep(str(cache), NAMES)
    (file,) = cache.iterdir()
    change(package, file)
    assert not packed.use(str(cache))


def test_what_has_no_source_is_not_packed(tmp_path: Path) -> None:
    assert not packed.keep(str(tmp_path / "cache"), ["sys"])
    assert not packed.keep("", [])
    assert not packed.use("")


def test_the_launch_after_the_next_opens_no_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path))
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import hardener.cli as cli; code = cli._launch()\n"
        "print(code, *(n for n, m in sys.modules.items() if n[:9] == 'hardener.' and type(m.__loader__).__name__ != 'Packed'))"
    )
    command = [sys.executable, "-c", start, "run", "host", "true"]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)]
    assert [run[0] for run in runs] == ["0"] * 3
    assert len(runs[0]) > len(runs[1]) > 50  # the first reads the policy as well
    assert set(runs[2][1:]) <= {
        *("hardener.cli", "hardener.errors", "hardener.runtime", "hardener.runtime.kept"),
        *("hardener.runtime.packed", "hardener.runtime.places"),
    }


def test_what_only_some_launches_need_is_in_a_second_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARDENER_ROOT", str(tmp_path))
    start = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import hardener.cli as cli; code = cli._launch()\n"
        "print(code, *(n for n, m in sys.modules.items() if n[:9] == 'hardener.' and type(m.__loader__).__name__ != 'Packed'))"
    )
    command = [sys.executable, "-c", start, "run"]
    for _ in range(2):
        subprocess.run([*command, "host", "true"], check=True, capture_output=True)
    runs = [subprocess.run([*command, "-u", "1", "host", "true"], capture_output=True, text=True, check=True) for _ in range(2)]
    assert "hardener.policies.enforce" in runs[0].stdout
    assert "hardener.policies.enforce" not in runs[1].stdout
    (further,) = (tmp_path / "cache").glob("more-code-*")
    content = further.read_bytes()
    subprocess.run([*command, "host", "true"], check=True, capture_output=True)
    assert further.read_bytes() == content  # nothing new, nothing written
    further.write_bytes(content[:-1])
    for lost in (True, False):  # it is made anew
        done = subprocess.run([*command, "-u", "1", "host", "true"], capture_output=True, text=True, check=True).stdout
        assert ("hardener.policies.enforce" in done) == lost
