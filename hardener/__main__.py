"""`python -m hardener`: the same as `harden`."""

from hardener.cli import start

start()
