"""A guestbook from the days when everything lived on one server: WSGI, SQLite, HTML made by hand."""

import os
import sqlite3
from html import escape
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

DATABASE = os.environ.get("GUESTBOOK_DB", "/var/lib/guestbook/guestbook.db")


def connect():
    os.makedirs(os.path.dirname(os.path.abspath(DATABASE)), exist_ok=True)
    db = sqlite3.connect(DATABASE)
    db.execute("create table if not exists entry (id integer primary key, author text not null, words text not null)")
    return db


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/healthz":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok\n"]
    if path != "/":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"not found\n"]
    db = connect()
    try:
        if method == "POST":
            size = min(int(environ.get("CONTENT_LENGTH") or 0), 10_000)
            form = parse_qs(environ["wsgi.input"].read(size).decode("utf-8", "replace"))
            author, words = form.get("author", ["anonymous"])[0], form.get("words", [""])[0]
            if words:
                with db:
                    db.execute("insert into entry (author, words) values (?, ?)", (author, words))
            start_response("303 See Other", [("Location", "/")])
            return [b""]
        rows = db.execute("select author, words from entry order by id desc limit 50").fetchall()
    finally:
        db.close()
    entries = "".join(f"<li><b>{escape(author)}</b>: {escape(words)}</li>" for author, words in rows)
    page = (
        "<!doctype html><title>Guestbook</title><h1>Guestbook</h1>"
        '<form method="post"><input name="author"><input name="words"><button>Sign</button></form>'
        f"<ul>{entries}</ul>"
    )
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [page.encode()]


if __name__ == "__main__":
    with make_server("", int(os.environ.get("PORT", "8080")), application) as server:
        print(f"listening on port {server.server_port}", flush=True)
        server.serve_forever()
