"""The image of a service: pinned, trusted, current.

A service that builds its image pulls none, and neither does one that runs what another service of the project builds: both are silent.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

from hardener.finding import Match, Severity
from hardener.oci.reference import Reference, split
from hardener.oci.reference import error as reference_error
from hardener.oci.registries import covers, registry_name
from hardener.rules.checks import Check
from hardener.rules.context import ServiceContext
from hardener.rules.image_names import digest_error, follows_channel, moves
from hardener.sources.expansion import HOLE
from hardener.sources.service import Project, Service, Setting
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Pattern, Place, Span

_NEVER_PULLED: Final = frozenset({"never", "build"})
_VERSION: Final = Pattern(r"v?\d+(?:\.\d+)*")
_PULLED_AGAIN: Final = ("always", "daily", "weekly", "every_")
_BUILD: Final = Pattern(r"\b(?:docker|podman|nerdctl)\s+(?:(?:buildx|image|builder)\s+)?build\b(?:\\\r?\n|[^\n;|&`])*")
_TAG: Final = Pattern(r"\s(?:-t|--tag)[\s=]\s*[\"']?([\w./:-]+)")


def image_of(service: Service) -> Reference | UnknownType | None:
    """Return the image that a service pulls; None when it builds its own (or names none), UNKNOWN when a variable decides it."""
    image = service.image
    if image is None or builds(service) or service.provider is not None:
        return None
    text = image.known
    return UNKNOWN if text is None else split(text)


def builds(service: Service) -> bool:
    """Whether the image of a service is built where it runs; a stack deployment never builds."""
    return service.build is not None and service.origin != "stack"


@lru_cache(maxsize=4)
def _built(project: Project) -> frozenset[str]:
    """Return the images that services of a project build, or that a file with run lines builds (`docker build -t app .`)."""
    found: set[str] = set()
    if project.kind == "commands":
        text = project.file.text
        for command in _BUILD.finditer(text) if "build" in text else ():
            found.update([tag[1] for tag in _TAG.finditer(command[0])])
    for service in project.services:
        if service.build is not None and service.origin != "stack":
            names = (*service.build.tags, *(() if service.image is None else (service.image,)))
            found.update(name.text for name in names)
    return frozenset(found)


def in_registry(service: Service, project: Project) -> Reference | None:
    """Return the image of a service that comes from a registry, parts of its name perhaps open (HOLE); None where there is none."""
    image = service.image
    if image is None or builds(service) or service.provider is not None or image.text in _built(project):
        return None
    reference = split(image.text)
    if HOLE in image.text.partition("/")[0] or HOLE in reference.registry or reference_error(image.text.replace(HOLE, "x")):
        return None
    return reference


def _pulled(service: Service, context: ServiceContext) -> tuple[Reference, Setting[str]] | None:
    """Return the image that a service pulls from somewhere, when it is known and well-formed."""
    image = service.image
    if image is None or builds(service) or service.provider is not None or not (text := image.known):
        return None
    if text in _built(context.project) or (service.pull_policy is not None and service.pull_policy.text in _NEVER_PULLED):
        return None
    return None if reference_error(text) else (split(text), image)


def _place(image: Setting[str], part: str = "") -> Place:
    """Return where an image is named: the default of a variable, where that gives the part that matters."""
    place = image.place
    if part and image.view is None:
        written = place.text
        at = written.rfind(f"-{part}}}")
        if at >= 0 and 0 <= written.find("${") < at:
            return Place(place.file, Span(place.span.start + at + 1, place.span.start + at + 1 + len(part)))
    return place


def _match(setting: Setting[str], part: str = "", /, **values: str) -> Match:
    place = _place(setting, part)
    return Match(place.span, {"image": setting.text, **values}, setting.history, file=place.file)


def _unpinned(setting: Setting[str], part: str = "", /, **values: str) -> Match:
    """Return the match of an image that may change. The examples of a document deploy nothing, so there it weighs less."""
    match = _match(setting, part, **values)
    return match._replace(severity=Severity.LOW) if setting.place.file.path.endswith((".md", ".markdown")) else match


# --- tags and digests ---------------------------------------------------------------------------------------------------------


def untagged(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS601: neither tag nor digest."""
    found = _pulled(service, context)
    if found is not None and found[0].tag is None and found[0].digest is None:
        yield _unpinned(found[1])


def latest(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS602: the tag `latest`."""
    found = _pulled(service, context)
    if found is not None and found[0].tag == "latest" and found[0].digest is None:
        yield _unpinned(found[1], "latest")


def moving_tag(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS603: a tag that names a channel or a flavour, not a version."""
    found = _pulled(service, context)
    if found is not None and found[0].tag and found[0].digest is None and moves(found[0]):
        tag = found[0].tag
        yield _unpinned(found[1], tag, tag=tag, what="follows a channel" if follows_channel(tag) else "names a flavour and no version")


def without_digest(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS604: a proper tag and no digest; what has no proper tag is the business of other rules."""
    found = _pulled(service, context)
    if found is not None and found[0].digest is None and found[0].tag not in (None, "latest") and not moves(found[0]):
        yield _unpinned(found[1])


def pulled_again(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS608: an image that may be another tomorrow is pulled at every start."""
    policy = service.pull_policy
    if policy is None or not isinstance(policy.value, str) or not policy.value.startswith(_PULLED_AGAIN):
        return
    found = _pulled(service, context)
    if found is not None and found[0].digest is None and (found[0].tag in (None, "latest") or moves(found[0])):
        yield Match(
            policy.place.span,
            {"policy": policy.value, "image": found[1].text},
            ((found[1].place, "this tag moves"),),
            file=policy.place.file,
        )


# --- where from, and how old --------------------------------------------------------------------------------------------------


def untrusted_registry(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS605: an image from a registry that the team does not list; the tag may be open."""
    patterns = context.settings.trusted_registries
    image, reference = service.image, in_registry(service, context.project) if patterns else None
    if image is None or reference is None:
        return
    repository = None if HOLE in reference.repository else reference.repository
    if not covers(reference.registry, repository, patterns):
        yield _match(image, image=image.text.replace(HOLE, "…"), registry=registry_name(reference.registry))


def end_of_life(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS606: an image of a release that gets no more fixes."""
    found = _pulled(service, context)
    if found is None:
        return
    from hardener.rules.known_images import ended

    releases = [f"{release.name} (since {release.date})" for release in ended(found[0], found[0].tag)]
    if releases:
        yield _match(found[1], found[0].tag or "", what=" and ".join(releases))


def invalid_reference(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS607: an image that Docker cannot read."""
    image = service.image
    if image is None or service.provider is not None or image.known is None:
        return
    text = image.known
    reference = split(text)
    reason = reference_error(text) or ("" if reference.digest is None else digest_error(reference.digest))
    if reason:
        yield _match(image, reason=reason)


# --- several services ---------------------------------------------------------------------------------------------------------


def conflicting_digests(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS609: one name and tag with two digests, or one digest under two tags."""
    digests: dict[tuple[str, str], tuple[str, Place]] = {}
    tags: dict[tuple[str, str], tuple[str, Place]] = {}
    for service in project.services:
        reference, image = image_of(service), service.image
        if not isinstance(reference, Reference) or image is None or reference.digest is None or reference.tag is None:
            continue
        first, place = digests.setdefault((reference.name, reference.tag), (reference.digest, image.place))
        if first != reference.digest and service.platform is None:
            what = f"{reference.name}:{reference.tag} has two digests in this project"
            yield Match(image.place.span, {"what": what}, ((place, "the other digest"),), file=image.place.file)
            continue
        first, place = tags.setdefault((reference.name, reference.digest), (reference.tag, image.place))
        if first != reference.tag:
            what = f"one digest of {reference.name} is called {first} here and {reference.tag} there"
            yield Match(image.place.span, {"what": what}, ((place, "the other tag"),), file=image.place.file)


def mixed_tags(project: Project, context: ServiceContext) -> Iterator[Match]:
    """HS610: one image with several versions in one project; variants (`-worker`, `-fpm`) are images of their own."""
    seen: dict[tuple[str, str], tuple[str, Place]] = {}
    for service in project.services:
        found = _pulled(service, context)
        if found is None or not found[0].tag:
            continue
        reference, image = found
        version, variant = _version(reference.tag or "")
        if not version:
            continue
        first, place = seen.setdefault((reference.name, variant), (reference.tag or "", image.place))
        if first != reference.tag:
            yield Match(
                image.place.span,
                {"image": reference.name, "tag": reference.tag or "", "other": first},
                ((place, f"{first} is used here"),),
                file=image.place.file,
            )


def _version(tag: str) -> tuple[str, str]:
    """Return the version that a tag starts with, and the rest of it."""
    match = _VERSION.match(tag)
    return ("", tag) if match is None else (match[0], tag[match.end() :])


CHECKS: Final[Mapping[str, Check]] = {
    "HS601": untagged,
    "HS602": latest,
    "HS603": moving_tag,
    "HS604": without_digest,
    "HS605": untrusted_registry,
    "HS606": end_of_life,
    "HS607": invalid_reference,
    "HS608": pulled_again,
    "HS609": conflicting_digests,
    "HS610": mixed_tags,
}
