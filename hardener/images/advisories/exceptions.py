"""What of the vulnerabilities found is accepted: a list of the user's, or OpenVEX documents of who knows the software better.

An ignore file has one vulnerability a line, under any of its names, perhaps with the package that it is accepted for, and why:

    CVE-2024-1234 openssl  expires=2027-01-31  # not reachable: no TLS here

Of OpenVEX, the statements `not_affected` and `fixed` are heeded, for a product that is this package, or this image with or without it.
Source: github.com/openvex/spec, 0.2.0.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from hardener.errors import HardenError
from hardener.record import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT: Final = 64 << 20  # bytes of one file
_STATUSES: Final = ("not_affected", "affected", "fixed", "under_investigation")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Rule(NamedTuple):
    """One thing that is accepted."""

    id: str  # any name of the vulnerability
    aliases: tuple[str, ...]
    packages: tuple[str, ...]  # names or package URLs; none: any package
    reason: str
    where: str  # file, and line or statement
    expires: str = ""  # ISO date, "" for never


class Named(NamedTuple):
    """What a rule is held against: a vulnerability's names, and those of its package."""

    ids: frozenset[str]
    names: frozenset[str]  # of packages, and what they are built from
    purls: tuple[str, ...]


def ignore_file(path: str) -> tuple[Rule, ...]:
    """Return the rules of an ignore file. Raises `HardenError` at the line that is wrong."""
    rules = []
    for number, line in enumerate(_read(path).splitlines(), 1):
        told, _, reason = line.partition("#")
        words = told.split()
        if not words:
            continue
        where = f"{path}:{number}"
        expires = [word.partition("=")[2] for word in words if word.startswith("expires=")]
        names = [word for word in words if "=" not in word]
        if len(expires) > 1 or len(names) + len(expires) != len(words) or not 1 <= len(names) <= 2:
            raise HardenError(
                "a line is ID, perhaps a package and expires=YYYY-MM-DD, and # why", where=where, how="CVE-2024-1234 openssl  # why"
            )
        if expires and not _DATE.fullmatch(expires[0]):
            raise HardenError(f"{expires[0]!r} is no date", where=where, how="as in expires=2027-01-31")
        rules.append(Rule(names[0], (), tuple(names[1:]), reason.strip(), where, expires[0] if expires else ""))
    return tuple(rules)


def vex(path: str, image_names: Iterable[str]) -> tuple[Rule, ...]:
    """Return the rules of an OpenVEX document on an image that has these names and digests. Raises `HardenError`."""
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError):
        raise HardenError("this is no JSON", where=path, how="--vex takes OpenVEX documents") from None
    context = document.get("@context") if isinstance(document, dict) else None
    if not isinstance(context, str) or "openvex" not in context or not isinstance(document.get("statements"), list):
        raise HardenError("this is no OpenVEX document", where=path, how="its @context names openvex.dev, and it has statements")
    known = frozenset(image_names)
    rules: list[Rule] = []
    for number, statement in enumerate(document["statements"], 1):
        rules += _statement(statement, f"{path} (statement {number})", known)
    return tuple(rules)


def _statement(statement: object, where: str, image_names: frozenset[str]) -> Iterator[Rule]:
    if not isinstance(statement, dict):
        raise HardenError("a statement is no object", where=where, how="see github.com/openvex/spec")
    status = statement.get("status")
    if status not in _STATUSES:
        raise HardenError(f"unknown status {status!r:.40}", where=where, how=f"known: {', '.join(_STATUSES)}")
    vulnerability = statement.get("vulnerability")
    named = vulnerability.get("name") if isinstance(vulnerability, dict) else vulnerability
    if not isinstance(named, str) or not named:
        raise HardenError("a statement does not say what vulnerability it is about", where=where, how="vulnerability: {name: CVE-…}")
    if status not in ("not_affected", "fixed"):
        return
    aliases = vulnerability.get("aliases") if isinstance(vulnerability, dict) else ()
    names = tuple(alias for alias in aliases if isinstance(alias, str)) if isinstance(aliases, list) else ()
    words = [statement.get(key) for key in ("justification", "impact_statement", "status_notes")]
    reason = f"VEX: {status}" + "".join(f", {word}" for word in words if isinstance(word, str) and word)
    for product in _list(statement, "products", where):
        id_ = _id(product)
        parts = _list(product, "subcomponents", where) if isinstance(product, dict) else []
        if _is_image(id_, image_names):
            if not all(_id(part) for part in parts):
                raise HardenError("a part of a product has no @id", where=where, how="name it by its package URL")
            yield Rule(named, names, tuple(_id(part) for part in parts), reason, where)
        elif id_:  # a package itself
            yield Rule(named, names, (id_,), reason, where)


def _list(owner: dict[str, object], key: str, where: str) -> list[object]:
    value = owner.get(key) or []
    if not isinstance(value, list):
        raise HardenError(f"{key} is no list", where=where, how="see github.com/openvex/spec")
    return value


def _id(product: object) -> str:
    told = product.get("@id") if isinstance(product, dict) else product
    return told if isinstance(told, str) else ""


def _is_image(id_: str, names: frozenset[str]) -> bool:
    """Whether a product is the image: by its name or digest, or a package URL of type oci with either."""
    if id_ in names:
        return True
    if not id_.startswith("pkg:oci/"):
        return False
    path, _, qualifiers = id_.removeprefix("pkg:oci/").partition("?")
    version = unquote(path.partition("@")[2])
    if version:
        return version in names
    address = next(
        (unquote(value) for key, _, value in (each.partition("=") for each in qualifiers.split("&")) if key == "repository_url"), ""
    )
    return bool(address) and address in names


def applies(rule: Rule, named: Named) -> bool:
    """Whether a rule is about a vulnerability."""
    if named.ids.isdisjoint((rule.id, *rule.aliases)):
        return False
    return not rule.packages or any(
        package in named.names or any(_same(package, purl) for purl in named.purls) for package in rule.packages
    )


def _same(told: str, purl: str) -> bool:
    """Whether a package URL means a package: what it leaves out may be anything."""
    if not told.startswith("pkg:"):
        return False
    wanted, _, wanted_qualifiers = told.partition("#")[0].partition("?")
    has, _, has_qualifiers = purl.partition("#")[0].partition("?")
    if wanted_qualifiers and not {*wanted_qualifiers.split("&")} <= {*has_qualifiers.split("&")}:
        return False
    if "@" in wanted.rpartition("/")[2]:
        return unquote(wanted) == unquote(has)
    return unquote(wanted) == unquote(has.rpartition("@")[0] if "@" in has.rpartition("/")[2] else has)


def _read(path: str) -> str:
    try:
        with open(path, "rb") as stream:
            data = stream.read(LIMIT + 1)
    except OSError as error:
        raise HardenError(f"cannot be read: {error.strerror}", where=path, how="check the path and its permissions") from None
    if len(data) > LIMIT:
        raise HardenError(f"this is larger than {LIMIT >> 20} MiB", where=path, how="split it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HardenError("this is no UTF-8 text", where=path, how="save it as UTF-8") from None
