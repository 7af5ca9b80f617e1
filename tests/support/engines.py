"""Docker engines on this machine: one that only pretends, on a socket or over TLS, and the real one with folders of its own."""

import hashlib
import json
import os
import re
import shutil
import socketserver
import ssl
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
from certificates import Certificate
from layouts import entry, folder, tar
from registries import reply


def saved_image(layer: bytes, *, architecture: str, user: str = "", tags: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """Return an image as an engine saves it: its id, and the archive."""
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}
    content = json.dumps({"os": "linux", "architecture": architecture, "config": {"User": user}, "rootfs": rootfs}).encode()
    digits = hashlib.sha256(content).hexdigest()
    row = {"Config": f"{digits}.json", "RepoTags": list(tags) or None, "Layers": ["one/layer.tar"]}
    members = [
        folder("one"),
        entry("one/layer.tar", layer),
        entry(f"{digits}.json", content),
        entry("manifest.json", json.dumps([row]).encode()),
    ]
    return f"sha256:{digits}", tar(*members)


class FakeEngine:
    """Answers as the API does, on a socket in a folder, or on a port of 127.0.0.1 over TLS to those who have its certificate.

    `images` are archives by name and id; `trouble` sees each request first, and returns True when it has answered it.
    """

    def __init__(self, tmp: Path, certificate: Certificate | None = None) -> None:
        self.images: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.trouble: Callable[[BaseHTTPRequestHandler], bool] = lambda _: False
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 20

            def do_GET(self) -> None:
                owner.asked.append(self.path)
                if not owner.trouble(self):
                    owner.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # the client went away

        class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # somebody without a certificate

        self._server: socketserver.BaseServer
        if certificate is None:
            self.path = str(tmp / "engine.sock")
            self._server = UnixServer(self.path, Handler)
            self.url = f"unix://{self.path}"
        else:
            server = TcpServer(("127.0.0.1", 0), Handler)
            context = certificate.server_context()
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(certificate.path)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            self._server = server
            self.url = f"tcp://127.0.0.1:{server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer ImageInspect and ImageGet; the image in pieces, for its length is not known before."""
        found = re.fullmatch(r"/images/(.+)/(json|get)", request.path)
        name = urllib.parse.unquote(found[1]) if found else ""
        if found is None or name not in self.images:
            reply(request, 404, json.dumps({"message": f"No such image: {name}"}).encode())
        elif found[2] == "json":
            reply(request, 200, b'{"Id": "sha256:0"}')
        else:
            request.send_response(200)
            request.send_header("Transfer-Encoding", "chunked")
            request.end_headers()
            content = self.images[name]
            for at in range(0, len(content), 3000):
                piece = content[at : at + 3000]
                request.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            request.wfile.write(b"0\r\n\r\n")


class DockerDaemon:
    """The real engine, with folders and a socket of its own, and without a network."""

    def __init__(self, tmp: Path) -> None:
        self.folder = tmp
        self.url = f"unix://{tmp}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        if shutil.which("dockerd") is None or shutil.which("docker") is None:
            pytest.skip("docker.io is not installed")
        if os.geteuid() != 0:
            pytest.skip("kernel: only root starts an engine")
        words = ["dockerd", f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec", f"--pidfile={self.folder}/pid"]
        words += [
            f"--host={self.url}",
            "--iptables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--bridge=none",
            "--storage-driver=vfs",
        ]
        for _ in range(2):  # on a busy machine its containerd may not be there in time, which says nothing of the kernel
            if self._starts(words):
                return self
            self._end()
        said = (self.folder / "log").read_text(errors="replace").strip().splitlines()
        pytest.skip(f"kernel: dockerd does not start: {said[-1] if said else ''}")

    def _starts(self, words: list[str]) -> bool:
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        for _ in range(300):
            if self._process.poll() is not None:
                break
            if self.docker("version").returncode == 0:
                return True
            time.sleep(0.1)
        return False

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def docker(self, *words: str, content: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run `docker` with this engine."""
        return subprocess.run(["docker", "-H", self.url, *words], input=content, capture_output=True, check=False)

    def _end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None
            subprocess.run(["umount", f"{self.folder}/data"], stderr=subprocess.DEVNULL, check=False)  # it binds it to itself
