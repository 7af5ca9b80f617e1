"""Serves a quote of the day from a file: GET /quote, GET /healthz."""

import json
import os
import signal
import threading
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

QUOTES = Path(os.environ.get("QUOTES_FILE", Path(__file__).with_name("quotes.json")))


def quote_of(day: date, quotes: list[dict[str, str]]) -> dict[str, str]:
    """Return the quote of a day; each comes round in turn."""
    return quotes[day.toordinal() % len(quotes)]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/healthz":
            self.reply(200, {"status": "ok"})
        elif self.path == "/quote":
            self.reply(200, quote_of(date.today(), json.loads(QUOTES.read_text(encoding="utf-8"))))
        else:
            self.reply(404, {"error": "no such resource"})

    def reply(self, status: int, body: dict[str, str]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("", int(os.environ.get("PORT", "8001"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()
