"""Every field that the model holds, in every form of the Compose Specification, is what Docker Compose makes of it."""

from pathlib import Path

import compose_oracle
import compose_shape
import pytest

FIXTURES = compose_oracle.fixtures()


@pytest.mark.parametrize("folder", FIXTURES, ids=lambda folder: folder.name)
def test_same_shape(folder: Path, tmp_path: Path) -> None:
    if compose_oracle.recording():
        compose_oracle.record(folder, tmp_path.resolve())
    ours = compose_shape.shape(compose_oracle.load(folder))
    theirs = compose_shape.theirs(compose_oracle.expected(folder))
    for kind, things in theirs.items():
        # Compose leaves out resources that no service uses.
        assert set(things) <= set(ours[kind]) if kind != "services" else set(things) == set(ours[kind])
        for name, thing in things.items():
            assert ours[kind][name] == thing, f"{kind}.{name}"
