"""Images of the store through the command line: fetched, listed, run, removed; several commands at once, and killed ones."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from layouts import OCI, Layout, entry, tar
from lives import Lives, until
from ordinary import RANGE, User
from registries import TinyRegistry, reply
from stored import ARCHITECTURE, BUSYBOX, OTHER, busybox, layout, says

pytestmark = pytest.mark.skipif(not BUSYBOX.exists(), reason="needs busybox-static: an image of one file")


@pytest.fixture
def registry(folder: Path) -> Iterator[TinyRegistry]:
    with TinyRegistry() as made:
        made.push(layout(folder / "layout", v1="one", v2="two").path, "app:v1", "v1")
        made.push(folder / "layout", "app:v2", "v2")
        yield made


def table(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines()]


def images(harden: Lives) -> list[tuple[str, str]]:
    return [(row["Repository"].rpartition("/")[2], row["Tag"]) for row in table(harden.do("images", "--format", "json"))]


def left(harden: Lives) -> list[str]:
    """Return what of the store is no part of an image: nothing, when all is tidy."""
    store = harden.folder / "data" / "images"
    return [str(path) for path in (*store.glob("partial/*"), *store.rglob(".*"), *(harden.folder / "cache" / "layers").glob(".new*"))]


def blobs_fetched(registry: TinyRegistry) -> list[str]:
    return [path for method, path, _ in registry.seen if method == "GET" and "/blobs/" in path]


# --- pull -----------------------------------------------------------------------------------------------------------------------


def test_pull_says_what_it_has_fetched(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    digest = json.loads((harden.folder.parent / "layout" / "index.json").read_text())["manifests"][0]["digest"]
    assert harden.do("pull", name) == f"Digest: {digest}\nStatus: Downloaded newer image for {name}\n{name}\n"
    fetched = len(blobs_fetched(registry))
    assert harden.do("pull", name) == f"Digest: {digest}\nStatus: Image is up to date for {name}\n{name}\n"
    assert harden.do("pull", "-q", name, f"{registry.host}/app:v2") == f"{name}\n{registry.host}/app:v2\n"
    assert len(blobs_fetched(registry)) == fetched + 2  # a layer is in both: its configuration and its own layer
    assert images(harden) == [("app", "v1"), ("app", "v2")]
    assert left(harden) == []


def test_what_cannot_be_pulled_is_one_clear_error(harden: Lives, registry: TinyRegistry) -> None:
    at = f"{registry.host}/"
    for name, why in (
        (f"{at}app:v3", "the registry does not have it"),
        (f"{at}App", "(names are lower-case)"),
        (f"{at}app@sha256:12", "is not a digest"),
        ("oci:layout", "harden load -i FILE or DIR"),
        ("docker-daemon:app", "docker save NAME | harden load"),
        (f"http://{at}app", "leave out http://"),
    ):
        done = harden("pull", name)
        assert (done.returncode, done.stdout, why in done.stderr) == (2, "", True), done
    assert left(harden) == []


def test_run_fetches_what_is_missing_when_it_may(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    refused = harden("run", "--pull", "never", name)
    assert (refused.returncode, f"there is no image {name!r} here" in refused.stderr) == (125, True), refused
    archive = harden("run", "app.tar")
    assert (archive.returncode, "harden load -i FILE" in archive.stderr) == (125, True), archive
    first = harden("run", name)
    assert (first.returncode, first.stdout) == (0, "one\n"), first
    assert f"fetching {name}" in first.stderr
    asked = len(registry.seen)
    again = harden("run", name)
    assert (again.stdout, again.stderr) == ("one\n", "")
    assert len(registry.seen) == asked  # what is here is not asked for
    typo = harden("run", "--pull", "never", f"{registry.host}/apb:v1")
    assert f"did you mean '{name}'?" in typo.stderr
    similar = harden("run", f"{registry.host}/apb:v1")
    assert (similar.returncode, f"did you mean '{name}'?" in similar.stderr) == (125, True), similar
    assert harden("run", "--quiet", f"{registry.host}/app:v2").stderr == ""


def test_a_tag_that_moves_is_followed_when_asked_and_a_digest_never(harden: Lives, registry: TinyRegistry, folder: Path) -> None:
    name = f"{registry.host}/app:v1"
    old = harden.do("pull", name).splitlines()[0].removeprefix("Digest: ")
    harden.do("run", "--name", "kept", name)
    registry.push(folder / "layout", "app:v1", "v2")
    assert harden.do("run", name) == "one\n"
    assert harden.do("run", "--pull", "always", name) == "two\n"
    asked = len(registry.seen)
    assert harden.do("run", "--pull", "always", f"{registry.host}/app@{old}") == "one\n"
    assert len(registry.seen) == asked
    # The container starts again from what it was made of.
    assert harden.do("start", "-a", "kept") == "one\n"
    row = next(row for row in table(harden.do("images", "--format", "json", "--filter", "dangling=true")))
    assert (row["Digest"], row["Repository"]) == (old, "<none>")
    assert harden.do("run", old[7:19]) == "one\n"  # the beginning of a digest, as docker's ids


def test_a_record_says_which_image_it_was(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("run", "--name", "one", name)
    digest = table(harden.do("images", "--format", "json"))[0]["Digest"]
    assert harden.ps("one")["Image"] == name
    assert [row["Names"] for row in table(harden.do("ps", "-a", "--format", "json", "--filter", f"ancestor={name}"))] == ["one"]
    (found,) = json.loads(harden.do("inspect", "--format", "json", "one"))
    assert (found["image"], found["job"]["imageDigest"]) == (name, digest)


def test_of_an_index_the_platform_that_is_asked_for_is_fetched(harden: Lives, registry: TinyRegistry, folder: Path) -> None:
    made = Layout(folder / "many")
    manifests = [
        made.image(busybox(), says(name), architecture=name, config={"Cmd": ["/bin/cat", "/etc/says"]}) for name in (ARCHITECTURE, OTHER)
    ]
    for manifest, name in zip(manifests, (ARCHITECTURE, OTHER), strict=True):
        manifest["platform"] = {"os": "linux", "architecture": name}
    index = made.document({"schemaVersion": 2, "mediaType": f"{OCI}.index.v1+json", "manifests": manifests}, f"{OCI}.index.v1+json")
    made.add(index, "latest")
    registry.push(made.path, "many:latest", "latest")
    name = f"{registry.host}/many"
    assert harden.do("run", name) == f"{ARCHITECTURE}\n"
    (row,) = table(harden.do("images", "--format", "json"))
    assert (row["Digest"], row["Platform"]) == (index["digest"], f"linux/{ARCHITECTURE}")
    refused = harden("run", "--pull", "never", "--platform", f"linux/{OTHER}", name)
    assert "is not here for this platform" in refused.stderr
    harden.do("pull", "--platform", f"linux/{OTHER}", name)
    assert len(table(harden.do("images", "--format", "json"))) == 2
    assert harden.do("run", name) == f"{ARCHITECTURE}\n"
    assert harden.do("run", f"{name}@{index['digest']}") == f"{ARCHITECTURE}\n"


# --- listing and removing -------------------------------------------------------------------------------------------------------


def test_images_lists_tags_and_filters(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("pull", name)
    harden.do("tag", name, "mine")
    harden.do("tag", name, "mine:2")
    assert sorted(images(harden)) == [("app", "v1"), ("mine", "2"), ("mine", "latest")]
    head, *rows = harden.do("images", "mine*").splitlines()
    assert head.split() == ["REPOSITORY", "TAG", "DIGEST", "PLATFORM", "CREATED", "SIZE"]
    assert [row.split()[:2] for row in rows] == [["mine", "2"], ["mine", "latest"]]
    (short,) = harden.do("images", "-q").split()
    (whole,) = harden.do("images", "-q", "--no-trunc").split()
    assert whole.startswith(f"sha256:{short}")
    assert len(harden.do("images", "--filter", "reference=nothing").splitlines()) == 1
    assert harden.do("images", "-q", "--filter", "dangling=true") == ""
    for words, why in ((["--filter", "nothing"], "is not a filter"), (["--filter", "dangling=perhaps"], "neither true nor false")):
        done = harden("images", *words)
        assert (done.returncode, why in done.stderr) == (2, True)
    assert "is no name for an image" in harden("tag", name, "A").stderr
    assert "there is no image 'nothing' here" in harden("tag", "nothing", "mine").stderr
    assert harden.do("run", "mine") == "one\n"


def test_rmi_takes_names_away_and_then_the_image(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("run", name)
    harden.do("tag", name, "mine")
    digest = table(harden.do("images", "--format", "json"))[0]["Digest"]
    assert "has several names" in harden("rmi", digest[7:19]).stderr
    assert harden.do("rmi", "mine") == "Untagged: mine:latest\n"
    harden.do("run", "--name", "user", name)
    refused = harden("rmi", name)
    assert (refused.returncode, "is in use" in refused.stderr, "container user" in refused.stderr) == (2, True, True), refused
    assert harden.do("rmi", "-f", name) == f"Untagged: {name}\nDeleted: {digest}\n"
    assert harden.do("start", "-a", "user") == "one\n"  # it keeps its layers
    harden.do("rm", "user")
    assert harden.do("rmi", "-f", name) == ""
    assert harden("rmi", name).returncode == 2
    harden.do("prune", "-f")
    assert [path.name for path in (harden.folder / "cache" / "layers").glob("*")] == [".lock"]
    assert [path.name for path in (harden.folder / "data" / "images").rglob("blobs/*/*")] == []


def test_prune_removes_what_nothing_needs_and_nothing_else(harden: Lives, registry: TinyRegistry, folder: Path) -> None:
    one, two = f"{registry.host}/app:v1", f"{registry.host}/app:v2"
    harden.do("run", one)
    harden.do("run", "--name", "user", two)
    registry.push(folder / "layout", "app:v1", "v2")
    harden.do("pull", one)
    running = harden.open("run", "--pull", "never", str(folder / "layout") + ":v1", "/bin/sleep", "60")  # of no image of the store
    until(lambda: len(list((harden.folder / "cache" / "layers").glob(".use-*"))) == 2)
    refused = harden("prune")
    assert (refused.returncode, "there is nobody to ask" in refused.stderr) == (2, True)
    freed = harden.do("prune", "-f")
    assert freed.startswith("Deleted Images:\ndeleted: sha256:")
    assert "Total reclaimed space: " in freed
    layers = {path.name for path in (harden.folder / "cache" / "layers").glob("sha256-*")}
    assert len(layers) == 3  # below, two for `user`, and one for the command that runs
    running.kill()
    running.communicate()
    harden.do("prune", "-f")
    assert len(list((harden.folder / "cache" / "layers").glob("sha256-*"))) == 2
    harden.do("prune", "-a", "-f")
    assert len(images(harden)) == 2  # both names are of what `user` was made of
    assert harden.do("start", "-a", "user") == "two\n"
    harden.do("rm", "user")
    harden.do("prune", "-a", "-f")
    assert (images(harden), left(harden)) == ([], [])
    assert harden.do("prune", "-a", "-f") == "Total reclaimed space: 0B\n"


def test_a_container_whose_layers_were_thrown_away_gets_them_again(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("run", "--name", "user", name)
    shutil.rmtree(harden.folder / "cache")
    assert harden.do("start", "-a", "user") == "one\n"
    harden.do("rmi", "-f", name)
    shutil.rmtree(harden.folder / "cache")
    done = harden("start", "-a", "user")
    assert (done.returncode, "the image is not here" in done.stderr) == (2, True), done


# --- several at once, and killed ones -------------------------------------------------------------------------------------------


def test_eight_pulls_fetch_each_blob_once(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    running = [harden.open("pull", "-q", name) for _ in range(8)]
    done = [process.communicate() for process in running]
    assert [(process.returncode, out, err) for process, (out, err) in zip(running, done, strict=True)] == [(0, f"{name}\n", "")] * 8
    layers = [digest for digest, content in registry.blobs.items() if b"rootfs" not in content]
    fetched = [path.rpartition("/")[2] for path in blobs_fetched(registry)]
    assert sorted(fetched.count(digest) for digest in layers) == [0, 1, 1]  # of three: one is of another image
    assert harden.do("run", "--pull", "never", name) == "one\n"
    assert left(harden) == []


def test_eight_first_runs_unpack_and_run(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    running = [harden.open("run", "--quiet", name) for _ in range(8)]
    done = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0] * 8, done
    assert {out for out, _ in done} == {"one\n"}
    assert left(harden) == []


class Slow:
    """Sends blobs in small pieces, so that a command can be killed in the middle."""

    def __init__(self, registry: TinyRegistry, pause_s: float) -> None:
        self.registry = registry
        self.pause_s = pause_s

    def __call__(self, request: BaseHTTPRequestHandler) -> bool:
        digest = request.path.rpartition("/")[2]
        content = self.registry.blobs.get(digest)
        if "/blobs/" not in request.path or content is None or not self.pause_s or len(content) < 100_000:
            return False
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(content) - start))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.end_headers()
        for at in range(start, len(content), 50_000):
            request.wfile.write(content[at : at + 50_000])
            request.wfile.flush()
            time.sleep(self.pause_s)
        return True


def test_a_pull_that_is_killed_is_continued_and_leaves_nothing(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    registry.trouble = slow = Slow(registry, 0.05)
    partial = harden.folder / "data" / "images" / "partial"
    killed = harden.open("pull", name)
    until(lambda: any(path.stat().st_size > 100_000 for path in partial.glob("*")))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(partial.glob("*"))) == 1
    slow.pause_s = 0
    registry.seen.clear()
    harden.do("pull", name)
    ranges = [headers["range"] for _, path, headers in registry.seen if "range" in headers]
    assert len(ranges) == 1  # what had come was not fetched again
    assert left(harden) == []
    assert harden.do("run", "--pull", "never", name) == "one\n"


@pytest.mark.slow
def test_commands_that_are_killed_at_any_moment_leave_a_store_that_works(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    dice = random.Random(7)
    for turn in range(12):
        words = (["pull", name], ["run", "--quiet", name], ["rmi", "-f", name], ["prune", "-a", "-f"])[turn % 4]
        process = harden.open(*words)
        time.sleep(dice.uniform(0.02, 0.35))
        process.kill()
        process.communicate()
        if turn % 3 == 2:
            assert harden.do("run", "--quiet", name) == "one\n"
    assert harden.do("run", "--quiet", name) == "one\n"
    harden.do("prune", "-a", "-f")
    assert harden.do("run", "--quiet", name) == "one\n"
    assert left(harden) == []


def test_what_others_fetch_is_not_waited_for(harden: Lives, registry: TinyRegistry) -> None:
    one, two = f"{registry.host}/app:v1", f"{registry.host}/app:v2"
    harden.do("pull", two)
    registry.push(layout(harden.folder.parent / "other", v1="three").path, "other:v1")
    registry.blobs.update({digest: content for digest, content in registry.blobs.items() if len(content) < 100_000})
    shared = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
    (harden.folder / "data" / "images" / "blobs" / "sha256" / shared[7:]).unlink()
    registry.trouble = Slow(registry, 0.2)
    slow = harden.open("pull", one)
    until(lambda: any(path.stat().st_size for path in (harden.folder / "data" / "images" / "partial").glob("*")))
    assert harden.do("rmi", two).startswith(f"Untagged: {two}\n")
    assert slow.poll() is None  # it was not waited for
    slow.send_signal(signal.SIGINT)
    slow.communicate(timeout=60)
    assert slow.returncode == 130
    harden.do("prune", "-f")
    assert list((harden.folder / "data" / "images").rglob("blobs/*/*")) == []


@pytest.mark.parametrize("command", ["pull", "run"])
def test_a_pull_of_a_silent_registry_ends_when_it_is_asked_to(harden: Lives, registry: TinyRegistry, command: str) -> None:
    waits = threading.Event()
    goes_on = threading.Event()
    largest = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))

    def silent(request: BaseHTTPRequestHandler) -> bool:
        if not request.path.endswith(largest):
            return False
        waits.set()
        goes_on.wait(30)
        return True

    registry.trouble = silent
    started = harden.open(command, f"{registry.host}/app:v1", start_new_session=True)
    try:
        assert waits.wait(60)
        os.killpg(started.pid, signal.SIGINT)
        started.communicate(timeout=60)
    finally:
        goes_on.set()
    assert started.returncode == 130


def test_layers_that_others_could_have_changed_are_not_run(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    assert harden.do("run", "-q", name) == "one\n"
    for folder in ("cache/layers", "cache"):
        os.chmod(harden.folder / folder, 0o777)
        refused = harden("run", name)
        assert (refused.returncode, refused.stdout, "can be written to by, others" in refused.stderr) == (125, "", True), refused
        os.chmod(harden.folder / folder, 0o700)
    assert harden.do("run", name) == "one\n"


def test_pulls_and_removals_at_once_never_break_an_image(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    ended = threading.Event()
    broken: list[str] = []

    def tidy() -> None:
        while not ended.is_set():
            done = harden("prune", "-a", "-f")
            if done.returncode:
                broken.append(done.stderr)

    thread = threading.Thread(target=tidy)
    thread.start()
    try:
        runs = [harden("run", "--quiet", name) for _ in range(4)]
    finally:
        ended.set()
        thread.join()
    assert [(run.returncode, run.stdout, run.stderr) for run in runs] == [(0, "one\n", "")] * 4
    assert broken == []


# --- what is not to be trusted --------------------------------------------------------------------------------------------------


def test_a_poisoned_blob_is_told_and_mended_by_a_pull(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("pull", name)
    blobs = sorted((harden.folder / "data" / "images" / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    for blob in blobs:
        content = blob.read_bytes()
        blob.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        shutil.rmtree(harden.folder / "cache", ignore_errors=True)  # what is unpacked was verified, and is not read again
        done = harden("run", "--pull", "never", name)
        assert (done.returncode, done.stdout) == (125, ""), blob
        assert "digest" in done.stderr or "damaged" in done.stderr, done
        harden.do("pull", name)
        assert blob.read_bytes() == content
    assert harden.do("run", "--pull", "never", name) == "one\n"


def test_a_registry_that_sends_something_else_is_refused(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    digest, content = max(registry.blobs.items(), key=lambda item: len(item[1]))
    registry.blobs[digest] = content[:-1] + b"x"
    done = harden("run", name)
    assert (done.returncode, "is not what its digest says" in done.stderr) == (125, True), done
    assert [path for path in left(harden) if digest[7:] in path] == []  # of another blob there may be a part, to be continued
    assert images(harden) == []


def test_an_index_that_others_could_have_written_is_not_used(harden: Lives, registry: TinyRegistry) -> None:
    name = f"{registry.host}/app:v1"
    harden.do("pull", name)
    index = harden.folder / "data" / "images" / "index.json"
    for change in (lambda: index.chmod(0o666), lambda: os.chown(index, 4321, -1), lambda: index.write_text("{")):
        content = index.read_bytes()
        change()
        done = harden("run", "--pull", "never", name)
        assert (done.returncode, "index.json" in done.stderr) == (125, True), done
        index.unlink()
        index.write_bytes(content)
        index.chmod(0o600)
    # What is in there is ours, whatever it says: others could give a blob of an image of theirs the name of the index.
    (harden.folder / "data" / "images").chmod(0o777)
    for words in (["pull", name], ["run", "--pull", "never", name], ["images"]):
        done = harden(*words)
        assert "belongs to, or can be written to by, others" in done.stderr, done
        assert done.returncode in (2, 125)


def test_a_full_disk_is_told_and_leaves_nothing_half(folder: Path, registry: TinyRegistry) -> None:
    place = folder / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)], check=True)
    try:
        harden = Lives(place / "records")
        done = harden("pull", f"{registry.host}/app:v1")
        assert (done.returncode, "No space left on device" in done.stderr, "harden prune" in done.stderr) == (2, True, True), done
        assert images(harden) == []
        harden.do("prune", "-f")
        assert left(harden) == []
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_names_that_drive_a_terminal_are_shown_as_they_are(harden: Lives, folder: Path) -> None:
    made = layout(folder / "evil", v1="one")
    made.manifests[0]["annotations"] = {"org.opencontainers.image.ref.name": "a/\x1b[31mred:v1"}
    made.write()
    done = harden("load", "-i", str(made.path))
    assert (done.returncode, "\x1b" in done.stderr) == (2, False), done
    assert "is not a repository name" in done.stderr


# --- who it is ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranges", ["", f"{RANGE}\n"], ids=["one id", "a range"])
def test_an_ordinary_user_loads_runs_and_tidies_up(folder: Path, ranges: str) -> None:
    (folder / "user").mkdir(0o755)
    user = User(folder / "user", ranges=ranges)
    made = Layout(folder / "layout")
    base = made.image(busybox(), tar(entry("srv/file", b"x", uid=5, gid=6)), architecture=ARCHITECTURE, config={"Env": ["PATH=/bin"]})
    made.add(base, "app:v1")
    for path in (made.path, *made.path.rglob("*")):
        path.chmod(0o755)
    assert user.harden("load", "-i", str(made.path)).stdout == "Loaded image: app:v1\n"
    done = user.run("app:v1", "/bin/ls", "-ln", "/srv")
    assert (done.returncode, done.stdout.split()[4:6]) == (0, ["5", "6"] if ranges else ["0", "0"]), done
    assert user.harden("images", "-q").stdout.count("\n") == 1
    store = user.home / ".local/share/hardener/images"
    assert store.stat().st_mode & 0o777 == 0o700
    pruned = user.harden("prune", "-a", "-f")
    assert (pruned.returncode, "untagged: app:v1" in pruned.stdout) == (0, True), pruned
    assert [path.name for path in (user.home / ".cache/hardener/layers").glob("*")] == [".lock"]


def test_a_server_that_wants_a_login_is_told_how(harden: Lives) -> None:
    def closed(request: BaseHTTPRequestHandler) -> bool:
        reply(request, 401, WWW_Authenticate='Basic realm="here"')
        return True

    with TinyRegistry(trouble=closed) as registry:
        done = harden("run", f"{registry.host}/app:v1")
        assert (done.returncode, "the registry wants a login" in done.stderr) == (125, True), done


def test_an_archive_of_names_does_not_fill_the_index(harden: Lives, folder: Path) -> None:
    layer = tar(entry("x"))
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    config = json.dumps({"os": "linux", "architecture": ARCHITECTURE, "rootfs": rootfs}).encode()
    saved = json.dumps([{"Config": "c", "RepoTags": [f"a:{number}" for number in range(1001)], "Layers": ["l"]}]).encode()
    (folder / "saved.tar").write_bytes(tar(entry("manifest.json", saved), entry("c", config), entry("l", layer)))
    refused = harden("load", "-i", str(folder / "saved.tar"))
    assert (refused.returncode, "more than 1000 names" in refused.stderr) == (2, True), refused
    assert images(harden) == []
