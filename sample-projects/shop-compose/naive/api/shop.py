"""The shop's API: GET /api/products, POST /api/orders, GET /api/healthz.

Orders are kept in PostgreSQL; the list of products is cached in Redis, without which the shop is slower and otherwise the same.
"""

import json
import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pg8000.native
import redis

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (id serial PRIMARY KEY, name text UNIQUE NOT NULL, cents integer NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id serial PRIMARY KEY, product integer NOT NULL REFERENCES products, quantity integer NOT NULL);
INSERT INTO products (name, cents) VALUES ('Kettle', 3900), ('Teapot', 5200), ('Cup', 800) ON CONFLICT DO NOTHING;
"""


def setting(name: str, default: str = "") -> str:
    """Return a setting: the content of the file that NAME_FILE names, or the value of NAME."""
    path = os.environ.get(f"{name}_FILE")
    return Path(path).read_text(encoding="utf-8").strip() if path else os.environ.get(name, default)


def database() -> pg8000.native.Connection:
    return pg8000.native.Connection(
        user=setting("DATABASE_USER", "shop"),
        password=setting("DATABASE_PASSWORD"),
        host=setting("DATABASE_HOST", "localhost"),
        port=int(setting("DATABASE_PORT", "5432")),
        database=setting("DATABASE_NAME", "shop"),
        timeout=5,
    )


def cache() -> redis.Redis:
    return redis.Redis(
        host=setting("CACHE_HOST", "localhost"), password=setting("CACHE_PASSWORD") or None, socket_timeout=1, decode_responses=True
    )


def products() -> str:
    """Return the products as JSON, from the cache when it has them."""
    store = cache()
    try:
        cached = store.get("products")
        if cached is not None:
            return str(cached)
    except redis.RedisError:
        store = None
    connection = database()
    try:
        rows = connection.run("SELECT id, name, cents FROM products ORDER BY id")
    finally:
        connection.close()
    listing = json.dumps([{"id": number, "name": name, "cents": cents} for number, name, cents in rows])
    if store is not None:
        store.set("products", listing, ex=30)
    return listing


def order(product: int, quantity: int) -> int:
    """Store an order and return its number."""
    connection = database()
    try:
        ((number,),) = connection.run(
            "INSERT INTO orders (product, quantity) VALUES (:product, :quantity) RETURNING id", product=product, quantity=quantity
        )
    finally:
        connection.close()
    return int(number)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/api/healthz":
            self.reply(200, '{"status": "ok"}')
        elif self.path == "/api/products":
            self.reply(200, products())
        else:
            self.reply(404, '{"error": "no such resource"}')

    def do_POST(self) -> None:
        if self.path != "/api/orders":
            self.reply(404, '{"error": "no such resource"}')
            return
        length = min(int(self.headers.get("Content-Length", "0")), 10_000)
        try:
            wanted = json.loads(self.rfile.read(length))
            number = order(int(wanted["product"]), int(wanted["quantity"]))
        except (ValueError, KeyError, TypeError, pg8000.native.DatabaseError):
            self.reply(400, '{"error": "not an order"}')
            return
        self.reply(201, json.dumps({"order": number}))

    def reply(self, status: int, body: str) -> None:
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    connection = database()
    for statement in SCHEMA.strip().splitlines():
        connection.run(statement)
    connection.close()
    server = ThreadingHTTPServer(("", int(setting("PORT", "8000"))), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"listening on port {server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
