"""The options that say how to get an image: who logs in, whom is trusted, and what may be asked first."""

import argparse
import io
import sys
from argparse import Namespace

import pytest

from hardener.cli import image_options
from hardener.errors import HardenError


def parsed(*words: str) -> Namespace:
    parser = argparse.ArgumentParser()
    image_options.configure(parser)
    return parser.parse_args(["nginx", *words])


def test_what_is_said_is_what_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    args = parsed(
        *("--creds", "me:a:b", "--ca", "ca.pem", "--insecure", "one.example", "--insecure", "[::1]:5000", "--docker-config", "/"),
        *("--mirror", "cache.example/hub", "--mirror", "quay.io=cache.example:8443"),
    )
    found = image_options.options(args)
    assert (found.creds, found.ca, found.insecure, found.docker_config) == (("me", "a:b"), "ca.pem", ("one.example", "[::1]:5000"), "/")
    assert found.mirrors == (("docker.io", "cache.example/hub"), ("quay.io", "cache.example:8443"))
    found.warn("careful \x1b[2J")
    assert capsys.readouterr().err == "harden: careful ␛[2J\n"
    assert image_options.options(parsed()).creds is None


def test_a_password_comes_from_the_environment_or_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("typed\r\nmore\n"))
    args = parsed("--creds", "me")
    for _ in range(2):  # one command may open several registries
        assert image_options.options(args).creds == ("me", "typed")
    monkeypatch.setenv("HARDENER_PASSWORD", "set")
    assert image_options.options(parsed("--creds", "me")).creds == ("me", "set")
    monkeypatch.delenv("HARDENER_PASSWORD")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(HardenError, match="the password is empty") as error:
        image_options.options(parsed("--creds", "me"))
    assert error.value.where == "--creds me"


def test_a_password_is_asked_for_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    asked: list[str] = []

    def getpass(question: str) -> str:
        asked.append(question)
        if len(asked) > 1:
            raise EOFError
        return "hidden"

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", getpass)
    assert image_options.options(parsed("--creds", "me")).creds == ("me", "hidden")
    assert asked == ["Password of me: "]
    with pytest.raises(HardenError, match="the password is empty"):
        image_options.options(parsed("--creds", "me"))


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--creds", ":password"), "the name of the user is missing"),
        (("--insecure", "http://host"), "'http://host' is no host"),
        (("--insecure", "*"), "'*' is no host"),
        (("--insecure", "host:port"), "'host:port' is no host"),
        (("--insecure", ""), "'' is no host"),
        (("--mirror", "https://host"), "'https:' is no host"),
        (("--mirror", "host/../up"), "'../up' is no path"),
        (("--mirror", "host/a?b"), "'a?b' is no path"),
        (("--mirror", "a/b=host"), "'a/b' is no host"),
        (("--docker-config", "/nowhere"), "there is no such folder"),
    ],
)
def test_what_makes_no_sense_is_refused(words: tuple[str, ...], what: str) -> None:
    with pytest.raises(HardenError) as error:
        image_options.options(parsed(*words))
    assert error.value.what == what
