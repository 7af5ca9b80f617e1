"""What launches that were killed have left of control groups goes with the next container that ends."""

import os
from pathlib import Path

from hardener.runtime import leftovers
from hardener.runtime.state import State


def test_old_groups_go_and_young_ones_stay(tmp_path: Path) -> None:
    shared = tmp_path / "harden"
    old, young = shared / "one.1f2e3d4c5b6a", shared / "two.6a5b4c3d2e1f"
    for group in (old, young):
        group.mkdir(parents=True)
    os.utime(old, (0, 0))
    leftovers.end(State(id="x", name="x", status="exited", cgroups=(str(shared / "gone"),)))
    assert [path.name for path in shared.iterdir()] == [young.name]
    os.utime(young, (0, 0))
    leftovers.end(State(id="x", name="x", status="exited", cgroups=(str(shared / "gone"),)))
    assert not shared.exists()
