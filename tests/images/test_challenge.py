"""What a registry asks of who wants in, as RFC 9110 has it and as registries write it."""

import time

import pytest

from hardener.errors import HardenError
from hardener.images import challenge


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="a b"', [("basic", {"realm": "a b"})]),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/nginx:pull,push"',
            [
                (
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:library/nginx:pull,push",
                    },
                )
            ],
        ),
        ("Bearer realm=https://a/token,service=b", [("bearer", {"realm": "https://a/token", "service": "b"})]),
        ('Bearer realm = "a" , Service\t= b', [("bearer", {"realm": "a", "service": "b"})]),
        ('Basic realm="x", Bearer realm="y", Negotiate', [("basic", {"realm": "x"}), ("bearer", {"realm": "y"}), ("negotiate", {})]),
        ("Negotiate YII=, Basic", [("negotiate", {}), ("basic", {})]),
        ("NTLM abc==", [("ntlm", {})]),
        (r'Basic realm="a\"b\\, Bearer realm=c"', [("basic", {"realm": 'a"b\\, Bearer realm=c'})]),
        ('Bearer realm="a",realm="b"', [("bearer", {"realm": "a"})]),
        (', ,Basic realm="a",,', [("basic", {"realm": "a"})]),
        ('Bearer realm="open', [("bearer", {})]),
        ('"nonsense"', []),
        ("realm=x", []),
        ('Bearer realm="a" é Basic', [("bearer", {"realm": "a"})]),
    ],
)
def test_challenges(header: str, found: list[tuple[str, dict[str, str]]]) -> None:
    assert [tuple(one) for one in challenge.parse(header)] == found


def test_a_long_header_takes_no_long_time() -> None:
    began = time.process_time()
    for piece in ("a", "a ", 'a="', "a=,", "\\", '"\\', "a ="):
        challenge.parse("Bearer " + piece * 20_000)
    assert time.process_time() - began < 10


def test_tokens_come_before_passwords() -> None:
    found = challenge.parse('Basic realm="x", Bearer realm="y"')
    assert challenge.choose(found, "r").scheme == "bearer"
    assert challenge.choose(found[:1], "r").scheme == "basic"
    with pytest.raises(HardenError, match="asks for 'ntlm'"):
        challenge.choose(challenge.parse("NTLM"), "r")


@pytest.mark.parametrize(
    ("url", "registry", "private", "warned"),
    [
        ("https://auth.docker.io/token", "registry-1.docker.io", True, False),
        ("https://ghcr.io/token", "ghcr.io", True, False),
        ("https://gitlab.example/jwt", "registry.gitlab.example", True, False),
        ("https://sso.elsewhere.example/token", "registry.other.test", True, True),
        ("http://registry.other.test/token", "registry.other.test", False, False),
        ("http://127.0.0.1:1/token", "127.0.0.1:5000", True, False),
        ("http://10.0.0.1/token", "10.0.0.2", False, True),
    ],
)
def test_where_a_password_may_go(url: str, registry: str, private: bool, warned: bool) -> None:
    found = challenge.realm(url, registry, resolve=False)
    assert (found.private, bool(found.warning)) == (private, warned)
