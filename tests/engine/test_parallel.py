"""Work spread over forked processes: results in order, errors carried over, no child left behind."""

import os
from collections.abc import Sequence

import pytest

from hardener.engine.parallel import can_fork, spread
from hardener.errors import HardenError

pytestmark = pytest.mark.skipif(not can_fork(), reason="kernel: this platform has no fork")


def squares(items: Sequence[int]) -> list[int]:
    return [item * item for item in items]


def assert_no_children() -> None:
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("jobs", [1, 2, 3, 7])
def test_shares_are_interleaved_and_in_order(jobs: int) -> None:
    parts = spread(squares, range(10), jobs)
    assert len(parts) == jobs
    for index, part in enumerate(parts):
        assert part == [item * item for item in range(10)[index::jobs]]
    assert_no_children()


def test_more_jobs_than_items() -> None:
    assert spread(squares, range(2), 4) == [[0], [1], [], []]


def test_large_results_do_not_block() -> None:
    def large(items: Sequence[int]) -> list[str]:
        return ["x" * 3_000_000 for _ in items]

    assert [len(part[0]) for part in spread(large, range(3), 3)] == [3_000_000] * 3


def test_an_error_of_a_child_is_raised_here() -> None:
    parent = os.getpid()

    def fail(items: Sequence[int]) -> int:
        if os.getpid() != parent:
            raise HardenError("what", where="where", how="how")
        return 0

    with pytest.raises(HardenError) as caught:
        spread(fail, range(4), 2)
    assert (caught.value.what, caught.value.where, caught.value.how) == ("what", "where", "how")
    assert_no_children()


def test_an_error_of_the_parent_leaves_no_child() -> None:
    parent = os.getpid()

    def fail(items: Sequence[int]) -> int:
        if os.getpid() == parent:
            raise HardenError("here")
        return 0

    with pytest.raises(HardenError, match="here"):
        spread(fail, range(4), 3)
    assert_no_children()


def test_a_child_that_dies_is_an_error_not_silence() -> None:
    parent = os.getpid()

    def die(items: Sequence[int]) -> int:
        if os.getpid() != parent:
            os._exit(9)
        return 0

    with pytest.raises(RuntimeError, match="a worker process died"):
        spread(die, range(4), 2)
    assert_no_children()
