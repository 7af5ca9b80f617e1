"""What every attack gets: a place for its files that outlives a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Return a folder for the files of a module's containers."""
    path = Path(tempfile.mkdtemp(prefix=f"harden-test-{os.getpid()}-"))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)
