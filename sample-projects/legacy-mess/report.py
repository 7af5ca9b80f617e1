"""Prints who signed the guestbook how often; run by cron in the worker image."""

import sqlite3

from guestbook import DATABASE

with sqlite3.connect(DATABASE) as db:
    for author, count in db.execute("select author, count(*) from entry group by author order by 2 desc, 1"):
        print(f"{count:6} {author}")
