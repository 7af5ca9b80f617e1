"""Registries that are broken, slow or hostile: nothing that they send is taken for what it is not."""

import json
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from layouts import OCI, Layout, entry, tar
from registries import INDEX, MANIFEST, Server, TinyRegistry, reply, sha256

from hardener.errors import HardenError
from hardener.images import body, find, scan
from hardener.images.registry import Registry, RegistryOptions
from hardener.images.retrying import Patience, Trouble
from hardener.oci.image import Descriptor

CONTENT = bytes(range(256)) * 4096  # 1 MiB
Trouble_ = Callable[[BaseHTTPRequestHandler], bool]


def options(**more: Any) -> RegistryOptions:
    return RegistryOptions(**{"environment": {}, "patience": Patience(pause_s=0.001), "stall_s": 5.0, "certificates": (), **more})


@pytest.fixture
def registry() -> Iterator[TinyRegistry]:
    with TinyRegistry() as made:
        yield made


@pytest.fixture
def pushed(registry: TinyRegistry, tmp_path: Path) -> TinyRegistry:
    layout = Layout(tmp_path / "layout")
    layout.add(layout.image(tar(entry("etc/motd", b"welcome\n" * 1000))))
    registry.push(layout.path, "app:v1")
    registry.seen.clear()
    return registry


def on(kind: str, answer: Callable[[BaseHTTPRequestHandler], object], times: int = 1000) -> Trouble_:
    """Answer requests for a kind of thing in a way of one's own, so many times."""
    left = [times]

    def trouble(request: BaseHTTPRequestHandler) -> bool:
        if f"/{kind}/" not in request.path or not left[0]:
            return False
        left[0] -= 1
        answer(request)
        return True

    return trouble


def fetch(registry: TinyRegistry, content: bytes = CONTENT, **more: Any) -> bytes:
    part = Descriptor.parse(registry.blob(content))
    with Registry(registry.host, options(**more)).open_blob("app", part) as stream:
        return stream.read()


def asked(registry: Server, kind: str) -> list[str]:
    return [headers.get("range", "all") for _, path, headers in registry.seen if f"/{kind}/" in path]


def cut(request: BaseHTTPRequestHandler, count: int = 300_000) -> None:
    """Promise the rest of a blob, and send a part of it."""
    start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
    request.send_response(206 if start else 200)
    if start:
        request.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    request.send_header("Content-Length", str(len(CONTENT) - start))
    request.end_headers()
    request.wfile.write(CONTENT[start : start + count])
    request.close_connection = True


# --- connections that break -------------------------------------------------------------------------------------------------------


def test_a_blob_is_resumed_where_its_connection_broke(registry: TinyRegistry) -> None:
    registry.trouble = on("blobs", cut, 3)
    assert fetch(registry) == CONTENT
    assert asked(registry, "blobs") == ["all", "bytes=300000-", "bytes=600000-", "bytes=900000-"]


def test_a_blob_of_a_registry_without_ranges_is_read_again(registry: TinyRegistry) -> None:
    def whole(request: BaseHTTPRequestHandler) -> None:
        reply(request, 200, CONTENT)

    first, rest = on("blobs", cut, 1), on("blobs", whole)
    registry.trouble = lambda request: first(request) or rest(request)
    assert fetch(registry) == CONTENT
    assert asked(registry, "blobs") == ["all", "bytes=300000-"]


def test_a_connection_that_always_breaks_is_given_up(registry: TinyRegistry) -> None:
    registry.trouble = on("blobs", lambda request: cut(request, 1))
    with pytest.raises(HardenError, match="the connection broke") as error:
        fetch(registry)
    assert len(asked(registry, "blobs")) == 5
    assert "sha256:" in error.value.where


def test_progress_makes_patience(registry: TinyRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "PROGRESS_BYTES", 100_000)
    registry.trouble = on("blobs", lambda request: cut(request, 120_000))
    assert fetch(registry) == CONTENT
    assert len(asked(registry, "blobs")) == 9  # more often than five times, but never in vain


def test_a_blob_that_ends_early_without_a_length(registry: TinyRegistry) -> None:
    def short(request: BaseHTTPRequestHandler) -> None:
        chunks(request, iter([CONTENT[: next(counts)]]))
        request.wfile.write(b"0\r\n\r\n")

    counts = iter([1000, 1000, 500])
    registry.trouble = on("blobs", short, 1)
    assert fetch(registry) == CONTENT
    registry.trouble = on("blobs", short)  # and has less than what we have already
    with pytest.raises(HardenError, match="the answer ended before byte 1000"):
        fetch(registry)


def test_a_document_that_takes_for_ever(registry: TinyRegistry) -> None:
    def pieces() -> Iterator[bytes]:
        while True:
            yield b" " * 10_000
            time.sleep(0.01)

    registry.trouble = on("manifests", lambda request: chunks(request, pieces()))
    with pytest.raises(HardenError, match=r"takes too long to come|only \d+ bytes came"):
        Registry(registry.host, options(stall_s=0.05, patience=Patience(tries=1))).manifest("app", "v1")


def test_what_is_no_registry(registry: TinyRegistry) -> None:
    registry.trouble = on("v2", lambda request: reply(request, 400))
    with pytest.raises(HardenError, match=r"cannot be trusted|cannot be reached|neither http|does not answer"):
        Registry(registry.host, options(connect_s=0.2, stall_s=0.2)).head("app", "v1")


def test_another_part_than_was_asked_for_is_refused(registry: TinyRegistry) -> None:
    def other(request: BaseHTTPRequestHandler) -> None:
        reply(request, 206, CONTENT[300_000:], Content_Range=f"bytes 0-{len(CONTENT) - 300_001}/{len(CONTENT)}")

    first, rest = on("blobs", cut, 1), on("blobs", other)
    registry.trouble = lambda request: first(request) or rest(request)
    with pytest.raises(HardenError, match="another part than we asked for"):
        fetch(registry)


@pytest.mark.parametrize("length", [len(CONTENT) - 1, len(CONTENT) + 1, 0])
def test_a_blob_of_another_length_is_refused_before_it_is_read(registry: TinyRegistry, length: int) -> None:
    registry.trouble = on("blobs", lambda request: reply(request, 200, (CONTENT + b"x")[:length]))
    with pytest.raises(HardenError, match=rf"the registry has {length} bytes, and the manifest says {len(CONTENT)}"):
        fetch(registry)


def chunks(request: BaseHTTPRequestHandler, pieces: Iterator[bytes]) -> None:
    request.send_response(200)
    request.send_header("Content-Type", MANIFEST)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for piece in pieces:
        request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))


def endless(request: BaseHTTPRequestHandler) -> None:
    chunks(request, iter(lambda: CONTENT, b""))


def test_an_endless_blob_ends(registry: TinyRegistry) -> None:
    registry.trouble = on("blobs", endless)
    with pytest.raises(HardenError, match="more than the 1500000 bytes of the blob"):
        fetch(registry, b"x" * 1_500_000)


def test_an_endless_document_ends(registry: TinyRegistry) -> None:
    registry.trouble = on("manifests", endless)
    with pytest.raises(HardenError, match="larger than 8388608 bytes"):
        Registry(registry.host, options()).manifest("app", "v1")
    with pytest.raises(HardenError, match="is said to have 99999999 bytes"):
        Registry(registry.host, options()).document("app", Descriptor(media_type="x", digest=sha256(b""), size=99_999_999))


def drip(request: BaseHTTPRequestHandler) -> None:
    def pieces() -> Iterator[bytes]:
        while True:
            yield b"x"
            time.sleep(0.01)

    chunks(request, pieces())


def _silent(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    time.sleep(1.0)
    request.close_connection = True


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (drip, r"only \d+ bytes came in"),
        (lambda _: time.sleep(1.0), "does not answer"),
        (_silent, "nothing came for"),
    ],
)
@pytest.mark.parametrize("kind", ["blobs", "manifests"])
def test_who_is_too_slow_is_given_up(registry: TinyRegistry, answer: Any, what: str, kind: str) -> None:
    registry.trouble = on(kind, answer)
    patience = Patience(tries=2, pause_s=0.001)
    with pytest.raises(HardenError, match=what):
        if kind == "blobs":
            fetch(registry, stall_s=0.2, patience=patience)
        else:
            Registry(registry.host, options(stall_s=0.2, patience=patience)).manifest("app", "v1")
    assert len(asked(registry, kind)) == 2


@pytest.mark.parametrize("piece", [b"X", b"HTTP/1.1 100 Continue\r\n\r\n", b"X-A: b\r\n"])
def test_an_answer_that_never_begins_is_given_up(registry: TinyRegistry, piece: bytes) -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n" if piece.startswith(b"X-") else b"")
        for _ in range(6000):  # a minute, which is not waited for
            request.wfile.write(piece)
            time.sleep(0.01)

    registry.trouble = on("manifests", respond)
    began = time.monotonic()
    with pytest.raises(HardenError, match="does not answer"):
        Registry(registry.host, options(stall_s=0.1, patience=Patience(tries=2, pause_s=0.001))).manifest("app", "v1")
    assert time.monotonic() - began < 40
    assert len(asked(registry, "manifests")) == 2


# --- what comes is not what was asked for -----------------------------------------------------------------------------------------


def test_a_corrupted_layer_is_never_accepted(pushed: TinyRegistry) -> None:
    image = find.find(f"{pushed.host}/app:v1", platform="linux/amd64", options=options())
    scan.scan(image, [])
    digest = image.layers[0].descriptor.digest
    pushed.blobs[digest] = pushed.blobs[digest][:-1] + bytes([pushed.blobs[digest][-1] ^ 1])
    with pytest.raises(HardenError):
        scan.scan(image, [])


def test_a_corrupted_document_is_never_accepted(pushed: TinyRegistry) -> None:
    (media_type, content), digest = pushed.manifests["app", "v1"], sha256(pushed.manifests["app", "v1"][1])
    client = Registry(pushed.host, options())
    assert client.manifest("app", digest) == (content, media_type)
    config = json.loads(content)["config"]["digest"]
    kept = pushed.blobs[config]
    pushed.blobs[config] = kept.replace(b"linux", b"lunix")
    with pytest.raises(HardenError, match="digest"):
        find.find(f"{pushed.host}/app:v1", platform="linux/amd64", options=options())
    pushed.manifests["app", digest] = (media_type, content.replace(b"2", b"1", 1))
    with pytest.raises(HardenError, match=f"what the registry sends is not {digest}"):
        client.manifest("app", digest)
    with pytest.raises(HardenError, match=f"what the registry sends is not {digest}"):
        client.head("app", digest)


def answer(content: bytes, media_type: str = MANIFEST, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    return lambda request: reply(request, 200, content, Content_Type=media_type, **headers)


PLAIN = json.dumps({"schemaVersion": 2, "config": {}, "layers": []}).encode()
SAID = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "config": {}, "layers": []}).encode()
SCHEMA_1 = json.dumps({"schemaVersion": 1, "name": "app", "fsLayers": []}).encode()
DOCKER = "application/vnd.docker.distribution.manifest"


@pytest.mark.parametrize(
    ("respond", "what"),
    [
        (answer(PLAIN, Docker_Content_Digest=sha256(b"other")), "what the registry sends is not"),
        (answer(PLAIN, Docker_Content_Digest="sha256:../../etc"), "is not a digest"),
        (answer(SAID), "says itself that it is"),
        (answer(SCHEMA_1, f"{DOCKER}.v1+prettyjws"), "schema 1"),
        (answer(SCHEMA_1, f"{DOCKER}.v1+json; charset=utf-8"), "schema 1"),
        (answer(SCHEMA_1, "application/json"), "schema 1"),
        (answer(PLAIN, "text/html"), "unknown type of manifest 'text/html'"),
        (answer(PLAIN, "application/json"), "unknown type of manifest ''"),
        (answer(b"<html>", "application/json"), "no JSON object"),
        (answer(b"[" * 100_000), "no JSON object"),
        (answer(b"[]"), "no JSON object"),
        (answer(PLAIN, Content_Encoding="gzip"), ""),
    ],
)
def test_manifests_that_are_none(registry: TinyRegistry, respond: Any, what: str) -> None:
    registry.trouble = on("manifests", respond)
    client = Registry(registry.host, options())
    if not what:  # a header alone changes no byte
        assert client.manifest("app", "v1") == (PLAIN, MANIFEST)
        return
    with pytest.raises(HardenError, match=what):
        client.manifest("app", "v1")


def test_a_type_that_only_the_document_says(registry: TinyRegistry) -> None:
    registry.trouble = on("manifests", answer(SAID, "application/json"))
    assert Registry(registry.host, options()).manifest("app", "v1")[1] == INDEX


def test_a_digest_that_is_not_said_is_computed(pushed: TinyRegistry) -> None:
    content = pushed.manifests["app", "v1"][1]
    pushed.trouble = on("manifests", answer(content))
    found = Registry(pushed.host, options()).head("app", "v1")
    assert (found.digest, found.size, found.media_type) == (sha256(content), len(content), MANIFEST)


def test_a_truncated_document_is_fetched_again(pushed: TinyRegistry) -> None:
    content = pushed.manifests["app", "v1"][1]

    def short(request: BaseHTTPRequestHandler) -> None:
        reply(request, 200, content[:-5], Content_Type=MANIFEST, Content_Length=str(len(content)))
        request.close_connection = True

    pushed.trouble = on("manifests", short, 2)
    assert Registry(pushed.host, options()).manifest("app", "v1") == (content, MANIFEST)


def test_foreign_addresses_are_never_asked(registry: TinyRegistry, tmp_path: Path) -> None:
    with TinyRegistry() as elsewhere:
        layer = tar(entry("a"))
        config = {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]}}
        config_part = registry.blob(json.dumps(config).encode(), f"{OCI}.config.v1+json")
        urls = [f"http://{elsewhere.host}/layer"]
        for media_type, fits in ((f"{OCI}.layer.nondistributable.v1.tar", False), (f"{OCI}.layer.v1.tar", True)):
            part = {**registry.blob(layer, media_type), "urls": urls}
            if not fits:
                registry.blobs.pop(part["digest"])
            registry.put("app", {"schemaVersion": 2, "config": config_part, "layers": [part]}, MANIFEST, "v1")
            try:
                scan.scan(find.find(f"{registry.host}/app:v1", platform="linux/amd64", options=options()), [])
            except HardenError as error:
                assert "foreign" in error.what
            else:
                assert fits
        assert elsewhere.seen == []


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<html>", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "must be an object"),
        (b'{"manifests": [{"size": 1}]}', "mediaType is missing"),
    ],
)
def test_lists_of_referrers_that_are_none(registry: TinyRegistry, content: bytes, what: str) -> None:
    registry.trouble = on("referrers", answer(content, INDEX))
    with pytest.raises(HardenError, match=what):
        Registry(registry.host, options()).listed("app", sha256(b""))


def test_pages_of_referrers(registry: TinyRegistry) -> None:
    one = {"mediaType": MANIFEST, "digest": sha256(b"1"), "size": 1, "artifactType": "a"}

    def page(request: BaseHTTPRequestHandler, last: int) -> None:
        number = int(request.path.rpartition("=")[2]) if "page=" in request.path else 0
        path = request.path.partition("?")[0]
        link = f'<{path}?page={number + 1}>; rel="next"' if number < last else "<http://elsewhere/>; rel=next"
        reply(request, 200, json.dumps({"manifests": [one]}).encode(), Content_Type=INDEX, Link=link)

    registry.trouble = on("referrers", lambda request: page(request, 2))
    assert len(Registry(registry.host, options()).listed("app", sha256(b""))) == 3
    registry.trouble = on("referrers", lambda request: page(request, 10_000))
    with pytest.raises(HardenError, match="does not end"):
        Registry(registry.host, options()).listed("app", sha256(b""))


def test_a_registry_that_fails_to_say_what_refers(registry: TinyRegistry) -> None:
    registry.has_referrers = False
    registry.trouble = on("manifests", lambda request: reply(request, 403))
    assert Registry(registry.host, options()).listed("app", sha256(b"")) == []
    with pytest.raises(HardenError, match="refuses it"):
        Registry(registry.host, options()).tagged("app", sha256(b""))


# --- limits and retries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_passes_is_tried_again(pushed: TinyRegistry, status: int) -> None:
    pushed.trouble = on("manifests", lambda request: reply(request, status, Retry_After="0"), 4)
    Registry(pushed.host, options()).head("app", "v1")
    assert len(asked(pushed, "manifests")) == 5
    pushed.seen.clear()
    pushed.trouble = on("manifests", lambda request: reply(request, status))
    with pytest.raises(Trouble) as error:
        Registry(pushed.host, options()).head("app", "v1")
    assert (error.value.status, len(asked(pushed, "manifests"))) == (status, 5)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 501])
def test_what_does_not_pass_is_asked_once(pushed: TinyRegistry, status: int) -> None:
    pushed.trouble = on("manifests", lambda request: reply(request, status))
    with pytest.raises(HardenError):
        Registry(pushed.host, options()).head("app", "v1")
    assert len(asked(pushed, "manifests")) == 1


def test_a_limit_is_explained(pushed: TinyRegistry) -> None:
    limits: dict[str, Any] = {"RateLimit_Limit": "100;w=21600", "RateLimit_Remaining": "0;w=21600", "Retry_After": "5400"}
    pushed.trouble = on("manifests", lambda request: reply(request, 429, **limits))
    with pytest.raises(HardenError) as error:
        Registry(pushed.host, options()).head("app", "v1")
    assert error.value.what == "the registry refuses more requests for now: its limit is 100 in 6 hours, 0 are left"
    assert error.value.how.startswith("wait 90 minutes, or log in (--creds USER")
    assert len(asked(pushed, "manifests")) == 1  # nobody waits that long


def test_pauses_are_told(pushed: TinyRegistry) -> None:
    told: list[str] = []
    pushed.trouble = on("manifests", lambda request: reply(request, 503, Retry_After="0"), 1)
    Registry(pushed.host, options(patience=Patience(tell=told.append))).head("app", "v1")
    assert told == [f"{pushed.host}/app:v1: the registry answers 503; trying again in 0.0 s (1 of 4)"]


def test_words_of_a_registry_drive_no_terminal(pushed: TinyRegistry) -> None:
    said = {"errors": [{"code": "DENIED", "message": "\x1b]0;owned\x07\x1b[2J\n\u202ebad" + "x" * 5000}]}
    pushed.trouble = on("manifests", lambda request: reply(request, 403, json.dumps(said).encode()))
    with pytest.raises(HardenError) as error:
        Registry(pushed.host, options()).manifest("app", "v1")
    assert error.value.what.isprintable()
    assert "DENIED: \ufffd]0;owned" in error.value.what
    assert len(error.value.what) < 300


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"errors": []}', b'{"errors": [1]}', b'{"errors": [{"code": 1}]}', b"[" * 9000, b"x" * 99_999]
)
def test_words_that_are_none(pushed: TinyRegistry, body: bytes) -> None:
    pushed.trouble = on("manifests", lambda request: reply(request, 403, body))
    with pytest.raises(HardenError, match=r"refuses it\n"):
        Registry(pushed.host, options()).manifest("app", "v1")


@pytest.mark.parametrize(
    "said",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_answer(pushed: TinyRegistry, said: bytes) -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(said)
        request.close_connection = True

    pushed.trouble = on("manifests", respond)
    with pytest.raises(HardenError, match="cannot be reached"):
        Registry(pushed.host, options()).manifest("app", "v1")
