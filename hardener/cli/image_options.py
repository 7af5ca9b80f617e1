"""The options of every command that names an image: which one, for which platform, and how its registry is spoken to."""

from __future__ import annotations

import sys
from os.path import isdir
from typing import TYPE_CHECKING, Final

from hardener.errors import HardenError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from hardener.images.image import Image
    from hardener.images.registry import RegistryOptions

VARIABLE: Final = "HARDENER_PASSWORD"


def configure(parser: ArgumentParser) -> None:
    """Declare IMAGE, and the options that say how to get it."""
    parser.add_argument(
        "image",
        metavar="IMAGE",
        help="NAME:TAG of a registry, oci:DIR:TAG, oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME, docker://NAME or a path",
    )
    registry_flags(parser)


def registry_flags(parser: ArgumentParser) -> None:
    """Declare the options that say how a registry is spoken to."""
    group = parser.add_argument_group("images of registries")
    group.add_argument("--platform", default="", metavar="OS/ARCH", help="take the image for this platform: linux/arm64, linux/arm/v7")
    group.add_argument(
        *("--creds",),
        metavar="USER[:PASSWORD]",
        help=f"log in as USER; without a password it is read from ${VARIABLE}, asked for on a terminal, or read from standard input",
    )
    group.add_argument("--ca", default="", metavar="FILE", help="trust these certificates (PEM) as well, and speak TLS only")
    group.add_argument(
        *("--insecure",),
        action="append",
        default=[],
        metavar="HOST[:PORT]",
        help="take this registry without TLS, or with any certificate (may be repeated)",
    )
    group.add_argument("--docker-config", default="", metavar="DIR", help="read logins from DIR/config.json, not from ~/.docker")
    group.add_argument(
        *("--mirror",),
        action="append",
        default=[],
        metavar="[REGISTRY=]HOST[/PATH]",
        help="ask this mirror of a registry (docker.io unless said) first (may be repeated)",
    )


def options(args: Namespace, tell: Callable[[str], None] | None = None) -> RegistryOptions:
    """Return what the options say. `tell` hears of warnings and of pauses; without it they go to standard error."""
    from hardener.images.registry import RegistryOptions
    from hardener.images.retrying import Patience

    tell = tell or notice
    if args.docker_config and not isdir(args.docker_config):
        raise HardenError(
            "there is no such folder", where=f"--docker-config {args.docker_config}", how="name the folder with config.json in it"
        )
    creds = _creds(args.creds) if args.creds is not None else None
    if creds is not None:
        args.creds = ":".join(creds)  # whoever asks again must not be asked again
    return RegistryOptions(
        creds=creds,
        ca=args.ca,
        insecure=tuple(_host(one, "--insecure") for one in args.insecure),
        mirrors=tuple(_mirror(one) for one in args.mirror),
        docker_config=args.docker_config,
        warn=tell,
        patience=Patience(tell=tell),
    )


def image(args: Namespace, data: str = "") -> Image:
    """Return the image that is named; `data` is the folder of the store."""
    from hardener.images import find

    return find.find(args.image, platform=args.platform, data=data, options=options(args))


def images(args: Namespace, data: str) -> list[Image]:
    """Return all images that are named, the further ones too."""
    found = [image(args, data)]
    for name in args.further:
        args.image = name
        found.append(image(args, data))
    return found


def notice(text: str) -> None:
    """Print a warning to standard error."""
    from hardener.cli import tame

    print(f"harden: {tame(text)}", file=sys.stderr)


def _creds(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not user:
        raise HardenError("the name of the user is missing", where="--creds", how="write USER or USER:PASSWORD")
    if not colon:
        password = _password(user)
    if not password:
        raise HardenError("the password is empty", where=f"--creds {user}", how=f"set {VARIABLE}, or type it when asked")
    return user, password


def _password(user: str) -> str:
    from os import environ

    if given := environ.get(VARIABLE):
        return given
    if sys.stdin is not None and sys.stdin.isatty():
        from getpass import getpass

        try:
            return getpass(f"Password of {user}: ")
        except EOFError:
            return ""
    return sys.stdin.readline().rstrip("\r\n") if sys.stdin is not None else ""


def _host(text: str, flag: str) -> str:
    from hardener.images import hosts

    host, _ = hosts.split(text)
    if not host or not set(text).isdisjoint("/@*?# "):
        raise HardenError(f"{text!r} is no host", where=flag, how="write HOST or HOST:PORT, without http://")
    return text


def _mirror(text: str) -> tuple[str, str]:
    registry, equals, place = text.partition("=")
    if not equals:
        registry, place = "docker.io", text
    host, _, path = place.partition("/")
    _host(host, "--mirror")
    _host(registry, "--mirror")
    if not set(path).isdisjoint("?#%:@ ") or ".." in path.split("/"):
        raise HardenError(f"{path!r} is no path", where=f"--mirror {text}", how="write HOST or HOST/PATH")
    return registry, place.strip("/")
