"""Checks on where an image comes from, how old it is, and whether its layers and its history tell the truth."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.rules import known_images
from hardener.rules.image_survey import STRANGE

if TYPE_CHECKING:
    from hardener.rules.checks import Check
    from hardener.rules.context import ImageContext
    from hardener.rules.image_contents import Contents
    from hardener.rules.image_facts import StepOf
    from hardener.text import Span

_OLD: Final = 180  # days without a rebuild: two seasons of security updates
_PRODUCTS: Final = {
    "amzn": "amazonlinux", "ol": "oraclelinux", "opensuse-leap": "opensuse/leap", "debian": "debian", "ubuntu": "ubuntu",
    "alpine": "alpine", "fedora": "fedora", "centos": "centos",
}  # fmt: skip


def _top(contents: Contents, path: str) -> Span:
    found = contents.view.find(path)
    return contents.document.file.line_span(1) if found is None else contents.at(found.layer)


def end_of_life(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI501: the distribution gets no more security updates."""
    distribution = contents.distribution
    product = _PRODUCTS.get(distribution.id)
    ended = known_images.release_ended(product, distribution.version_id) if product and distribution.version_id else None
    if ended is not None and (not context.today or ended.date < context.today):
        path = "etc/os-release" if contents.view.find("etc/os-release") is not None else "usr/lib/os-release"
        yield Match(_top(contents, path), {"name": ended.name, "date": ended.date}, about="distribution")


def _created(contents: Contents) -> date | None:
    """Return the day on which an image was built; None for builds that set the clock back to be reproducible."""
    text = (contents.image.config.created or "")[:10]
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year >= 2013 else None  # the year in which Docker was released


def old_image(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI502: nobody has built the image anew for long."""
    created = _created(contents)
    if created is None or not context.today:
        return
    days = (date.fromisoformat(context.today) - created).days
    if days > _OLD:
        yield Match(contents.document.file.line_span(1), {"date": created.isoformat(), "days": str(days)}, about="age")


CLASSIC_ADD: Final = re.compile(r"ADD (?:--\S+ )*(dir|file|multi):[0-9a-f]{12} ")
"""How the classic builder writes an ADD of what is not an address: by a digest."""


def added_files(subject: StepOf, context: ImageContext) -> Iterator[Match]:
    """HI503: ADD of local files, as the classic builder has it; the names of BuildKit's history are HD515's.

    `file:` may be an archive that was unpacked: one file came of a mere copy.
    """
    step = subject.step
    match = CLASSIC_ADD.match(step.text)
    if match is None or not step.own or step.layer is None:
        return
    files = [summary for summary in subject.contents.view.layers if summary.layer.index == step.layer.index]
    if match[1] == "file" and files[0].added + files[0].changed > 2:
        return
    what = {"dir": "a folder", "file": "a file", "multi": "files"}[match[1]]
    yield Match(step.span, {"what": what}, about=f"step:{step.text[match.end() :]}")


def undigested(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI504: the name by which the image was asked for may mean another one tomorrow."""
    reference = contents.image.reference
    if reference is None or reference.digest is not None:
        return
    digest = contents.image.index_digest or contents.image.digest
    tag = reference.tag or "latest"
    values = {"tag": tag, "digest": digest, "name": reference.name}
    yield Match(contents.document.file.line_span(1), values, severity=Severity.LOW if tag == "latest" else None, about="digest")


def deceptive_name(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI505: a name with characters that cannot be seen, that turn the direction of writing, or that drive a terminal."""
    for seen in contents.survey.strange:
        found = STRANGE.search(seen.path.rpartition("/")[2])
        if found is not None:
            code = ord(found[0])
            what = "a control character" if code < 0xA0 else "a character that turns the direction of writing or cannot be seen"
            shown = STRANGE.sub(lambda match: f"<U+{ord(match[0]):04X}>", seen.path)
            yield Match(contents.at(seen.layer), {"name": f"/{shown}", "what": f"{what} (U+{code:04X})"}, about=f"file:{shown}")


# Notes of the readers about what may hide something; the others are mere oddities.
_HIDING: Final = re.compile(r"behind the end|lead out of|disagree")

# What comes of looking at a folder of this machine, what rules of their own tell, and names that only matter on other systems.
_NO_FINDING: Final = re.compile(
    r"nothing verifies|other filesystems|may not be read|steps of the history|device nodes|control characters|only in case"
)


def odd_layers(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI506: the layers hold what no builder writes, and what readers disagree on."""
    for note in contents.view.notes:
        if _NO_FINDING.search(note):
            continue
        if note.startswith("layer ") and (number := note[6:].partition(":")[0]).isdecimal() and int(number) <= len(contents.image.layers):
            span = contents.at(contents.image.layers[int(number) - 1])
        else:
            span = contents.document.file.line_span(1)
        what = note.partition(": ")[2] or note
        severity = None if _HIDING.search(what) else Severity.INFO
        yield Match(span, {"what": what}, severity=severity, about=f"note:{re.sub(r'[0-9]+', '#', what.partition(', first')[0])}")


def odd_history(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI507: nobody can tell what made the layers."""
    if not contents.document.fits and contents.image.layers:
        steps = sum(step.index >= 0 and step.history is not None and not step.history.empty_layer for step in contents.document.steps)
        values = {"steps": str(steps), "layers": str(len(contents.image.layers))}
        yield Match(contents.document.file.line_span(1), values, about="history")


_TRUSTED: Final = re.compile(r"^\s*deb(?:-src)?\s+\[[^\]]*\btrusted=yes\b|^Trusted:\s*yes", re.MULTILINE | re.IGNORECASE)
_UNCHECKED: Final = re.compile(
    r"^\s*(?:gpgcheck|repo_gpgcheck|pkg_gpgcheck|sslverify)\s*=\s*(?:0|no|false|off)\s*$", re.MULTILINE | re.IGNORECASE
)
_APT_UNSAFE: Final = re.compile(
    r"AllowUnauthenticated\s+\"?(?:true|1|yes)|AllowInsecureRepositories\s+\"?(?:true|1|yes)|Verify-Peer\s+\"?(?:false|0|no)", re.IGNORECASE
)
_PIP_TRUSTS: Final = re.compile(r"^\s*trusted-host\s*=\s*\S", re.MULTILINE)
_SOURCES: Final = (
    ("etc/apt/sources.list", _TRUSTED, "apt takes packages without signatures"),
    ("etc/apt/apt.conf.d/", _APT_UNSAFE, "apt takes packages without signatures, or from anybody"),
    ("etc/yum.repos.d/", _UNCHECKED, "dnf takes packages without signatures, or from anybody"),
    ("etc/yum.conf", _UNCHECKED, "dnf takes packages without signatures, or from anybody"),
    ("etc/dnf/dnf.conf", _UNCHECKED, "dnf takes packages without signatures, or from anybody"),
    ("etc/zypp/repos.d/", _UNCHECKED, "zypper takes packages without signatures"),
    ("etc/pip.conf", _PIP_TRUSTS, "pip takes packages from a host that need not prove who it is"),
    ("root/.pip/pip.conf", _PIP_TRUSTS, "pip takes packages from a host that need not prove who it is"),
    ("root/.config/pip/pip.conf", _PIP_TRUSTS, "pip takes packages from a host that need not prove who it is"),
)


def unverified_packages(contents: Contents, context: ImageContext) -> Iterator[Match]:
    """HI508: package managers in the image were told to believe anybody."""
    for prefix, pattern, what in _SOURCES:
        folder = prefix if prefix.endswith("/") else f"{prefix}.d/" if prefix.endswith("sources.list") else ""
        paths = [] if prefix.endswith("/") else [prefix]
        paths += sorted(path for path, _ in contents.below(folder)) if folder else []
        for path in paths:
            text = (contents.text(path) or b"").decode("utf-8", "replace")
            lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "//", ";")))
            found = pattern.search(lines)
            if found is not None:
                values = {"what": what, "path": f"/{path}", "text": " ".join(found[0].split())[:60]}
                yield Match(_top(contents, path), values, about=f"file:{path}")


CHECKS: Final[Mapping[str, Check]] = {
    "HI501": end_of_life,
    "HI502": old_image,
    "HI503": added_files,
    "HI504": undigested,
    "HI505": deceptive_name,
    "HI506": odd_layers,
    "HI507": odd_history,
    "HI508": unverified_packages,
}
