"""What is kept between launches comes back unchanged or not at all: a poisoned cache never loosens a wall."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from launching import config

from hardener.errors import HardenError
from hardener.launch import cache as launch_cache
from hardener.linux.filters import compile_filter
from hardener.oci.runtime import Spec
from hardener.runtime import kept, seccomp

KIND, NAME = "filter", kept.key(["one"])
STRICT = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["read", "write", "exit_group"], "action": "SCMP_ACT_ALLOW"}]}
OPEN = compile_filter({"defaultAction": "SCMP_ACT_ALLOW"}, os.uname().machine)
MACHINE, KERNEL = os.uname().machine, (6, 1)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_what_is_kept_comes_back_under_its_name_alone(cache: Path) -> None:
    assert kept.read(str(cache), KIND, NAME) is None
    assert kept.write(str(cache), KIND, NAME, b"content\nwith\0lines")
    assert kept.read(str(cache), KIND, NAME) == b"content\nwith\0lines"
    assert kept.read(str(cache), "policy", NAME) is None
    assert kept.read(str(cache), KIND, kept.key(["two"])) is None
    assert cache.stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in cache.iterdir()] == [0o600]


def test_keys_tell_parts_apart() -> None:
    different: list[list[bytes | str]] = [["ab"], ["a", "b"], ["b", "a"], ["a", "b", ""], [b"ab", ""], []]
    assert len({kept.key(parts) for parts in different}) == len(different)


def _link(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _changed(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))


def _of_another(path: Path) -> None:
    kept.write(str(path.parent), KIND, kept.key(["another"]), OPEN)
    path.with_name(f"{KIND}-{kept.key(['another'])}").rename(path)


def _large(path: Path) -> None:
    path.write_bytes(path.read_bytes() + bytes(kept.LARGEST))


POISONS: list[Callable[[Path], object]] = [
    *(_link, _fifo, _folder, _changed, _of_another, _large),
    lambda path: path.chmod(0o620),
    lambda path: path.chmod(0o602),
    lambda path: os.chown(path, 1000, -1),
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: path.unlink(),
]


@pytest.mark.parametrize("poison", POISONS)
def test_what_others_may_have_written_is_not_read(cache: Path, poison: Callable[[Path], object]) -> None:
    kept.write(str(cache), KIND, NAME, OPEN)
    poison(cache / f"{KIND}-{NAME}")
    assert kept.read(str(cache), KIND, NAME) is None


@pytest.mark.parametrize("poison", POISONS)
def test_a_poisoned_cache_never_opens_a_filter(cache: Path, poison: Callable[[Path], object]) -> None:
    spec = Spec.parse(config("/root", "prog", linux__seccomp=STRICT))
    honest = compile_filter(STRICT, MACHINE)
    for _ in range(2):  # made, then read
        made = seccomp.plan(spec, str(cache))
        assert made is not None
        assert made.program == honest
    (file,) = cache.iterdir()
    # What an attacker would like to have there: an open filter with everything right about it but who may have written it.
    kept.write(str(cache), KIND, file.name.removeprefix(f"{KIND}-"), OPEN)
    poison(file)
    made = seccomp.plan(spec, str(cache))
    assert made is not None
    assert made.program == honest


def test_other_rules_are_another_filter(cache: Path) -> None:
    for rules in (STRICT, {**STRICT, "defaultErrnoRet": 38}, {**STRICT, "syscalls": STRICT["syscalls"][:0]}):
        made = seccomp.plan(Spec.parse(config("/root", "prog", linux__seccomp=rules)), str(cache))
        assert made is not None
        assert made.program == compile_filter(rules, MACHINE)
    assert len(list(cache.iterdir())) == 3


def test_a_cache_that_cannot_be_written_is_no_error(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    assert not kept.write(str(tmp_path / "file/cache"), KIND, NAME, b"x")
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 1000, 1000)
    assert not kept.write(str(tmp_path / "theirs"), KIND, NAME, b"x")
    assert not kept.write("/proc/nowhere", KIND, NAME, b"x")

    def full(fd: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("posix.write", full)
        assert not kept.write(str(cache), KIND, NAME, b"x")
        patch.setattr("posix.write", lambda fd, content: 1)
        assert not kept.write(str(cache), KIND, NAME, b"x")
    assert list(cache.iterdir()) == []


def test_a_cache_does_not_grow_for_ever(cache: Path) -> None:
    for number in range(kept.MOST + 1):
        kept.write(str(cache), KIND, kept.key([str(number)]), b"x")
    assert len(list(cache.iterdir())) == 1


def test_nowhere_to_keep_anything_is_no_error() -> None:
    assert kept.folder(1000, {}) == ""
    assert kept.folder(0, {}) == "/var/cache/hardener"
    made = seccomp.plan(Spec.parse(config("/root", "prog", linux__seccomp=STRICT)))
    assert made is not None
    assert made.program == compile_filter(STRICT, MACHINE)


def rules(cache: Path, capabilities: tuple[str, ...] = (), kernel: tuple[int, int] = KERNEL) -> dict[str, object]:
    policy = launch_cache.load("default", str(cache))
    return launch_cache.filter_rules(
        policy.profile, policy.name, machine=MACHINE, kernel=kernel, capabilities=capabilities, cache=str(cache)
    )


def test_a_policy_is_read_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = rules(cache)
    with monkeypatch.context() as patch:
        patch.setattr("hardener.policies.load.load", None)
        patch.setattr("hardener.policies.seccomp.resolved", None)
        assert rules(cache) == first
    assert rules(cache, ("CAP_SYS_ADMIN",)) != first
    assert rules(cache, kernel=(4, 7)) == rules(Path("/proc/nowhere"), kernel=(4, 7))


def test_a_policy_that_changes_is_read_again(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    for memory in (100 << 20, 200 << 20):
        file.write_text(f"name: own\nextends: default\nruntime: {{memory: {memory}, loosen: [memory]}}\n")
        spec = launch_cache.load(str(file), str(cache)).settled()
        assert spec.linux is not None
        assert spec.linux.resources is not None
        assert spec.linux.resources.memory is not None
        assert spec.linux.resources.memory.limit == memory


def test_code_without_files_keeps_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hardener.linux.__path__", ["/proc/nowhere"])
    spec = Spec.parse(config("/root", "prog", linux__seccomp=STRICT))
    assert seccomp.plan(spec, str(cache)) is not None
    assert rules(cache) == rules(cache)
    assert not cache.exists()


def test_a_policy_that_is_none_is_an_error(cache: Path) -> None:
    with pytest.raises(HardenError, match="says nothing of containers that run"):
        launch_cache.load("cis-docker-1.6", str(cache))
