"""Where things lie and what a record of a container holds."""

import json
import os
from pathlib import Path

import pytest
from forked import forked

from hardener.errors import HardenError
from hardener.oci.runtime import Process, Spec
from hardener.runtime import job as jobs
from hardener.runtime import parent, state, volumes
from hardener.runtime.job import Job, Restart, Rootfs
from hardener.runtime.places import Places, ensure, places


@pytest.mark.parametrize(
    ("uid", "environment", "folders"),
    [
        (0, {}, ("/run/hardener", "/var/lib/hardener", "/var/cache/hardener")),
        (0, {"HARDENER_ROOT": "/x/"}, ("/x/run", "/x/data", "/x/cache")),
        (7, {"HARDENER_ROOT": "/x", "HOME": "/h"}, ("/x/run", "/x/data", "/x/cache")),
        (7, {"HOME": "/h/", "XDG_RUNTIME_DIR": "/r"}, ("/r/hardener", "/h/.local/share/hardener", "/h/.cache/hardener")),
        (7, {"HOME": "/h", "XDG_RUNTIME_DIR": "r"}, ("/tmp/hardener-7", "/h/.local/share/hardener", "/h/.cache/hardener")),
        (7, {"XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "/c/"}, ("/tmp/hardener-7", "/d/hardener", "/c/hardener")),
        (
            7,
            {"HOME": "/h", "XDG_DATA_HOME": "d", "XDG_CACHE_HOME": ""},
            ("/tmp/hardener-7", "/h/.local/share/hardener", "/h/.cache/hardener"),
        ),
    ],
)
def test_folders_of_a_user(uid: int, environment: dict[str, str], folders: tuple[str, str, str]) -> None:
    made = places(uid, environment)
    assert (made.run, made.data, made.cache) == folders


@pytest.mark.parametrize(
    ("uid", "environment", "message"),
    [
        (0, {"HARDENER_ROOT": "x"}, "HARDENER_ROOT: 'x' is not an absolute path"),
        (7, {}, "HOME: there is no home folder"),
        (7, {"HOME": "h"}, "HOME: there is no home folder"),
    ],
)
def test_folders_that_cannot_be_told(uid: int, environment: dict[str, str], message: str) -> None:
    with pytest.raises(HardenError) as caught:
        places(uid, environment)
    assert str(caught.value).startswith(message)


def test_a_folder_is_made_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    ensure(str(folder))
    ensure(str(folder))
    assert (folder.stat().st_mode & 0o7777, folder.parent.stat().st_mode & 0o7777) == (0o700, 0o700)
    folder.chmod(0o755)  # readable by others: not any more
    ensure(str(folder))
    assert folder.stat().st_mode & 0o7777 == 0o700


def test_a_folder_that_others_could_have_filled_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lax").mkdir()
    (tmp_path / "lax").chmod(0o777)
    with pytest.raises(HardenError, match="can be written to by, others"):
        ensure(str(tmp_path / "lax"))
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(HardenError, match=f"{name} is not a folder"):
            ensure(str(tmp_path / name))
    if os.geteuid() == 0:
        (tmp_path / "theirs").mkdir(mode=0o700)
        os.chown(tmp_path / "theirs", 1, 1)
        with pytest.raises(HardenError, match="belongs to"):
            ensure(str(tmp_path / "theirs"))


def test_records_that_cannot_be_listed_are_an_error_and_no_bug(tmp_path: Path) -> None:
    home = Places(str(tmp_path), str(tmp_path), str(tmp_path))  # as with the HOME of somebody else
    (tmp_path / "containers").touch()
    (tmp_path / "volumes").touch()
    for look in (state.containers, volumes.volumes):
        with pytest.raises(HardenError, match="cannot be read: Not a directory\n  let HOME be your own"):
            look(home)


def test_what_an_ordinary_user_may_not_do_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parent.failure("mounts", "13", "openat2(/dev): Permission denied").how == ""
    monkeypatch.setattr("posix.geteuid", lambda: 1000)
    assert "or run as root" in parent.failure("mounts", "13", "openat2(/dev): Permission denied").how
    assert parent.failure("mounts", "13", "this", "there", "do that").how == "do that"
    assert parent.failure("mounts", "5", "Input/output error").how == ""


@pytest.mark.parametrize(
    ("mode", "owner", "message"),
    [
        (0o1777, (0, 0), ""),  # as /tmp
        (0o755, (0, 0), ""),
        (0o750, (7, 7), ""),
        (0o775, (7, 7), ""),  # a group of one's own
        (0o777, (0, 0), "who could exchange"),
        (0o777, (7, 7), "who could exchange"),
        (0o775, (7, 8), "who could exchange"),
        (0o755, (8, 8), "who could exchange"),
        (0o1777, (8, 8), "who could exchange"),  # its owner may rename what is in it
    ],
)
@pytest.mark.parametrize("way", ["made", "a link", "read"])
def test_folders_that_others_could_exchange(folder: Path, mode: int, owner: tuple[int, int], message: str, way: str) -> None:
    above = folder / "above"
    (above / "home" / "data" / "containers" / "one").mkdir(parents=True)
    for path in (above / "home", above / "home" / "data", above / "home" / "data" / "containers"):
        os.chown(path, 7, 7)
        path.chmod(0o700)
    (folder / "link").symlink_to("above/home")
    os.chown(above, *owner)
    above.chmod(mode)

    def act() -> str:
        os.setgroups([])
        os.setresgid(7, 7, 7)
        os.setresuid(7, 7, 7)
        try:
            if way == "read":
                state.load(Places("/nowhere", f"{above}/home/data", ""), "one")
            else:
                ensure(f"{folder}/link/data" if way == "a link" else f"{above}/home/data")
        except HardenError as error:
            return str(error)
        return ""

    found = forked(act)
    assert (message in found, bool(found)) == (True, bool(message)), found


def test_a_folder_that_cannot_be_made() -> None:
    with pytest.raises(HardenError, match=r"^/proc/nosuch/below cannot be written: No such file"):
        ensure("/proc/nosuch/below")
    with pytest.raises(HardenError, match=r"^/proc/version is not a folder"):
        ensure("/proc/version")


def test_a_job_comes_back_as_it_was() -> None:
    spec = Spec(oci_version="1.2.0", process=Process(args=("true",), cwd="/"))
    plain = Job(name="web", spec=spec, rootfs=Rootfs(layers=("/r",)))
    assert (plain.restart.kind, plain.stop_signal, plain.stop_timeout_s, plain.labels, plain.rootfs.map_root) == ("no", 15, 10, {}, True)
    full = Job(
        name="web",
        spec=spec,
        rootfs=Rootfs(layers=("/a", "/b"), upper="64m", map_root=False, copy_up=("/var/lib",)),
        detach_keys="ctrl-a",
        stop_signal=2,
        stop_timeout_s=0,
        restart=Restart(kind="on-failure", most=3),
        labels={"a": "b"},
        remove=True,
        policy="strict",
        looser=("cap_add NET_ADMIN",),
        image="nginx",
    )
    for made in (plain, full):
        again = Job.parse(json.loads(json.dumps(made.dump())))
        assert again == made
        assert again.dump() == made.dump()
    assert plain.labels is not Job(name="other", spec=spec).labels


def test_a_job_that_is_none() -> None:
    with pytest.raises(HardenError, match="name is missing"):
        Job.parse({})
    with pytest.raises(HardenError, match=r"rootfs\.layers must be a list"):
        Job.parse({"name": "x", "spec": {"ociVersion": "1.2.0"}, "rootfs": {"layers": "/"}})


@pytest.mark.parametrize(
    ("text", "kind", "most"),
    [
        ("no", "no", None),
        ("always", "always", None),
        ("unless-stopped", "unless-stopped", None),
        ("on-failure", "on-failure", None),
        ("on-failure:5", "on-failure", 5),
        ("on-failure:0", "on-failure", None),
    ],
)
def test_restart_policies(text: str, kind: str, most: int | None) -> None:
    made = jobs.restart(text)
    assert (made.kind, made.most) == (kind, most)
    assert jobs.restart(str(made)) == made


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("allways", "did you mean 'always'?"),
        ("", "'' is no restart policy"),
        ("always:3", "only on-failure can give up"),
        ("on-failure:x", "'x' is not a number"),
        ("on-failure:-1", "'-1' is not a number"),
        ("on-failure:", "'' is not a number"),
    ],
)
def test_restart_policies_that_are_none(text: str, message: str) -> None:
    with pytest.raises(HardenError) as caught:
        jobs.restart(text)
    assert message in str(caught.value)
