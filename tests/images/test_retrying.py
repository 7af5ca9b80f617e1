"""How long we wait before something is tried again, and what a limit says."""

import pytest

from hardener.images import retrying


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        *[
            (None, None),
            ("", None),
            ("7", 7.0),
            (" 120 ", 120.0),
            ("0", 0.0),
            ("9" * 400, 999_999_999.0),
            ("-1", None),
            ("soon", None),
            ("²", None),
        ],
        *[("Fri, 31 Dec 1999 23:59:59 GMT", 0.0), ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0), ("Thu, 01 Jan 99999 00:01:40 GMT", None)],
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retrying.retry_after_s(header, 10.0 if header and "1970" in header else 2e9) == seconds


def test_pauses_double_up_to_a_limit() -> None:
    for attempt, middle in ((1, 0.5), (2, 1.0), (5, 8.0), (9, 30.0)):
        pauses = [retrying.backoff_s(attempt, 0.5) for _ in range(50)]
        assert middle / 2 <= min(pauses) < max(pauses) <= middle * 3 / 2


@pytest.mark.parametrize(
    ("headers", "pause_s", "what", "how"),
    [
        ({}, None, "the registry refuses more requests for now", "wait a while"),
        ({"ratelimit-limit": "100;w=21600"}, 60.0, "its limit is 100 in 6 hours", "wait 1 minute,"),
        ({"ratelimit-limit": "200", "ratelimit-remaining": "3"}, 3600.0, "its limit is 200, 3 are left", "wait 1 hour,"),
        ({"ratelimit-limit": "x;w=y"}, 0.2, "the registry refuses more requests for now", "wait 1 s,"),
        ({"ratelimit-limit": "5;w=" + "9" * 99}, 90.0, "its limit is 5 in", "wait 90 s,"),
    ],
)
def test_limits_are_explained(headers: dict[str, str], pause_s: float | None, what: str, how: str) -> None:
    said, advice = retrying.too_many(headers, pause_s)
    assert what in said
    assert advice.startswith(how)
    assert "--creds USER" in advice


def test_trying_again_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)

    def fail(**more: float | None) -> int:
        calls = []

        def action() -> None:
            calls.append(1)
            raise retrying.Trouble("no", where="there", again=more.pop("again", True) is True, pause_s=more.get("pause_s"))

        with pytest.raises(retrying.Trouble) as error:
            retrying.Patience(pause_s=1.0).run(action)
        assert not error.value.again
        return len(calls)

    assert fail() == 5
    assert [round(sum(slept)) in range(7, 24), len(slept)] == [True, 4]
    slept.clear()
    assert fail(again=False) == 1
    assert fail(pause_s=3.0) == 5
    assert slept == [3.0] * 4
    with pytest.raises(AssertionError):  # it may succeed later, only not while somebody waits
        fail(pause_s=1000.0)
