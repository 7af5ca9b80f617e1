"""Our quick NamedTuple behaves like the one of typing."""

import pickle
import typing

import pytest

from hardener import record


class Theirs(typing.NamedTuple):
    """A record."""

    first: int
    second: str = "x"
    third: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        """Twice the first."""
        return self.first * 2


class Ours(record.NamedTuple):
    """A record."""

    first: int
    second: str = "x"
    third: tuple[int, ...] = ()

    @property
    def twice(self) -> int:
        """Twice the first."""
        return self.first * 2


@pytest.mark.parametrize(
    ("args", "named"),
    [((1,), {}), ((1, "a"), {}), ((1, "a", (2,)), {}), ((), {"first": 1}), ((1,), {"third": (3,)}), ((1,), {"second": "b", "third": ()})],
)
def test_construction(args: tuple[typing.Any, ...], named: dict[str, typing.Any]) -> None:
    ours, theirs = Ours(*args, **named), Theirs(*args, **named)
    assert tuple(ours) == tuple(theirs)
    assert (ours.first, ours.second, ours.third, ours.twice) == (theirs.first, theirs.second, theirs.third, theirs.twice)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._asdict() == theirs._asdict()
    assert hash(ours) == hash(theirs)


@pytest.mark.parametrize(
    ("args", "named"),
    [((), {}), ((1, "a", (), 4), {}), ((1,), {"first": 1}), ((1,), {"fourth": 1}), ((), {"second": "b"}), ((1, 2, 3, 4), {"first": 1})],
)
def test_wrong_construction(args: tuple[typing.Any, ...], named: dict[str, typing.Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*args, **named)


def test_everything_else() -> None:
    record_ = Ours(1)
    assert record_._replace(second="y") == (1, "y", ())
    replace: typing.Any = record_._replace
    with pytest.raises((TypeError, ValueError)):
        replace(nothing=1)
    assert Ours._fields == Theirs._fields
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours._make([1, "b", ()]) == Ours(1, "b")
    assert pickle.loads(pickle.dumps(record_)) == record_
    with pytest.raises(AttributeError):
        setattr(record_, "first", 2)  # noqa: B010
    with pytest.raises(AttributeError):
        setattr(record_, "other", 2)  # noqa: B010
    match record_:
        case Ours(first, second):
            assert (first, second) == (1, "x")
    assert Ours(1) < Ours(2)
