"""The server: GET /healthz, /compare?left=1.0&right=1.0rc1, /newest?v=1.0&v=2.0&allowed=<2."""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from versions.ordering import BadRequest, compare, newest


def answer(target: str) -> tuple[int, dict[str, object]]:
    """Return the status and the body for a request target."""
    url = urlsplit(target)
    query = parse_qs(url.query)
    try:
        match url.path:
            case "/healthz":
                return 200, {"status": "ok"}
            case "/compare":
                return 200, compare(query["left"][0], query["right"][0])
            case "/newest":
                return 200, newest(query["v"], query.get("allowed", [""])[0])
    except BadRequest as error:
        return 400, {"error": str(error)}
    except KeyError as error:
        return 400, {"error": f"missing parameter {error}"}
    return 404, {"error": "no such resource"}


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests as JSON."""

    def do_GET(self) -> None:
        status, body = answer(self.path)
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serve until SIGTERM."""
    server = ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("PORT", "8000"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
