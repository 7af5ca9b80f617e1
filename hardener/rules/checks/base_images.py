"""Checks on base images: which image a build starts from, and whether tomorrow it is still the same one.

An image may be named in FROM, `COPY --from`, `RUN --mount=from` and `# syntax`; all are pulled and trusted alike.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.oci.reference import error as reference_error
from hardener.oci.registries import covers, registry_name
from hardener.rules.checks import Check
from hardener.rules.context import Context
from hardener.rules.facts import PairSubject
from hardener.rules.image_names import digest_error, follows_channel, moves
from hardener.sources.commands import Invocation
from hardener.sources.dockerfile import Dockerfile
from hardener.sources.expansion import DECLARED, HOLE, PLATFORM_ARGS, Known
from hardener.sources.instructions import Instruction
from hardener.sources.stages import ImageReference, Stage, images
from hardener.text import Pattern, Span, View

_BARE_WORD = Pattern(r"[A-Za-z0-9][\w-]*", re.ASCII)
_PLATFORM_PARTS = Pattern(r"[a-z0-9]+(?:/[a-z0-9_.-]+){0,2}")
_ARCHITECTURES: Final = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64"}
_NOTHING = Pattern(r"(?:0|f|false|off|no)", re.IGNORECASE)
_PLAIN_TARGET: Final = ("$TARGETPLATFORM", "${TARGETPLATFORM}")


# --- what several checks ask --------------------------------------------------------------------------------------------------


def names_no_image(image: ImageReference) -> bool:
    """Whether a `from=` most likely means a stage: a number, the name of a stage that does not come earlier, or a bare word that is
    no well-known image. The syntax rules speak about those."""
    if image.role not in ("copy", "mount") or image.stage is not None:
        return False
    if not _BARE_WORD.fullmatch(image.raw):
        return False
    from hardener.rules.known_images import OFFICIAL

    name = image.raw.lower()
    if name not in OFFICIAL:
        return True
    return image.instruction is not None and any(stage.name == name for stage in image.instruction.document.stages)


def _text(image: ImageReference) -> str:
    return image.value.text if isinstance(image.value, Known) else image.raw


def is_image(image: ImageReference) -> bool:
    """Whether a reference names an image that will be pulled, in a form that can be."""
    if not image.is_external or not image.raw:
        return False
    if image.role in ("copy", "mount") and ("$" in image.raw or names_no_image(image)):
        return False
    if image.role == "from" and "$" in image.raw and _has_undeclared(image):
        return False
    return not (isinstance(image.value, Known) and reference_error(image.value.text))


def _match(reference: ImageReference, **values: str) -> Match:
    """Return a match on a reference; where an ARG decides it, that is related."""
    related = tuple((span, "this default is used") for span in reference.value.sources)
    return Match(reference.span, {"image": _text(reference), **values}, related)


# --- tags and digests ---------------------------------------------------------------------------------------------------------


def untagged(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield references with neither tag nor digest."""
    if image.role != "syntax" and is_image(image):
        yield _match(image)


def latest(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield references to `latest`."""
    if image.role != "syntax" and is_image(image):
        yield _match(image)


def moving_tag(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield references to a tag that names a channel or a flavour, not a version."""
    if image.role != "syntax" and isinstance(image.tag, str) and moves(image.reference) and is_image(image):
        yield _match(image, tag=image.tag, what="follows a channel" if follows_channel(image.tag) else "names a flavour and no version")


def without_digest(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield references with a proper tag and no digest; what has no proper tag is the business of other rules."""
    tag = image.tag
    if isinstance(tag, str) and tag != "latest" and not moves(image.reference) and is_image(image):
        yield _match(image)


def unpinned_syntax(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield `# syntax=` frontends without a version."""
    if image.digest is None and (image.tag is None or image.tag == "latest" or moves(image.reference)) and is_image(image):
        yield _match(image)


def digest_without_version(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield digests whose version a reader cannot see."""
    if image.tag in (None, "latest") and is_image(image):
        yield _match(image)


def conflicting_digests(document: Dockerfile, context: Context) -> Iterator[Match]:
    """Yield digests that differ from an earlier one of the same name and tag; a FROM with a platform may have its own."""
    seen: dict[tuple[str, str], tuple[str, Span]] = {}
    for image in images(document):
        name, tag, digest = image.name, image.tag, image.digest
        if not (isinstance(name, str) and isinstance(tag, str) and isinstance(digest, str)):
            continue
        if image.role == "from" and image.instruction is not None and image.instruction.flag("platform") is not None:
            continue
        first, span = seen.setdefault((name, tag), (digest, image.span))
        if first != digest:
            yield Match(image.span, {"image": f"{name}:{tag}"}, ((span, "the other digest"),))


def stale_base_digest(pair: PairSubject, context: Context) -> Iterator[Match]:
    """Yield a base.digest label that its FROM does not bear out."""
    stage = pair.instruction.stage
    if stage is None or pair.instruction.is_trigger or pair.pair.value is None or not isinstance(pair.value, str):
        return
    image = stage.root.image
    if not image.is_external or not isinstance(image.name, str):
        return
    if image.digest is None:
        yield Match(pair.pair.value.span, {"image": _text(image), "what": "is not pinned to a digest"}, ((image.span, "the base image"),))
    elif isinstance(image.digest, str) and image.digest != pair.value:
        yield Match(pair.pair.value.span, {"image": _text(image), "what": "has another digest"}, ((image.span, "the base image"),))


# --- where from, and how old --------------------------------------------------------------------------------------------------


def untrusted_registry(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield images from registries that the team does not list."""
    patterns = context.settings.trusted_registries
    registry = image.registry
    if not patterns or not isinstance(registry, str) or not is_image(image):
        return
    repository = image.repository
    if not covers(registry, repository if isinstance(repository, str) else None, patterns):
        yield _match(image, registry=registry_name(registry))


def end_of_life(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield images of releases that get no more fixes."""
    if image.role == "syntax" or not isinstance(image.name, str) or not is_image(image):
        return
    if image.tag is not None and not isinstance(image.tag, str):
        return
    from hardener.rules.known_images import ended

    found = [f"{release.name} (since {release.date})" for release in ended(image.reference, image.tag)]
    if found:
        yield _match(image, what=" and ".join(found))


def full_size_base(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield the base of the final stage when it is the large variant of an image."""
    image = stage.root.image
    if not isinstance(image.name, str) or not is_image(image) or (image.tag is not None and not isinstance(image.tag, str)):
        return
    from hardener.rules.known_images import slim_exists

    if slim_exists(image.name, image.tag):
        yield _match(image, what="the full variant, with compilers and headers", instead=f"a -slim variant of {image.name}")
    elif image.name == "nvidia/cuda" and image.tag is not None and "-devel" in image.tag:
        yield _match(image, what="the development variant, with compilers and headers", instead="the -runtime or -base variant")


# --- variables and validity ---------------------------------------------------------------------------------------------------


def undeclared_arg(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield variables in FROM, and in its platform, that no ARG before the first FROM declares."""
    from hardener.rules.variables import nearest, uses

    declared = stage.document_scope.bindings
    views = [word.view for word in stage.origin.words[:1]]
    views += [View.of(stage.document.file, flag.value_span) for flag in stage.origin.flags if flag.name == "platform"]
    for view in views:
        for use in uses(view):
            name = use.name
            if name in declared or name in PLATFORM_ARGS:
                continue
            meant = nearest(name, [*declared, *sorted(PLATFORM_ARGS)])
            hint = f"; perhaps {meant} is meant" if meant else ""
            what = "so it can never be set" if use.optional else "so it is always empty"
            yield Match(use.span, {"name": name, "what": what, "hint": hint}, severity=Severity.LOW if use.optional else None)


def invalid_reference(image: ImageReference, context: Context) -> Iterator[Match]:
    """Yield references that Docker cannot read, the defaults of ARGs filled in."""
    if not image.raw or image.is_scratch or not isinstance(image.value, Known) or (image.role in ("copy", "mount") and "$" in image.raw):
        return
    text = image.value.text
    if image.stage is not None:
        if image.role == "from" and image.stage.name != text:
            # FROM compares with the lower-cased names of stages, COPY --from ignores case.
            reason = f"the stage is called {image.stage.name!r}: stage names are lower-case, and FROM minds it"
            yield _match(image, reason=reason)
        return
    if image.role == "from" and _has_undeclared(image):
        return
    reason = reference_error(text) or (digest_error(image.digest) if isinstance(image.digest, str) else "")
    if reason:
        yield _match(image, image=text or image.raw, reason=reason)


def _has_undeclared(image: ImageReference) -> bool:
    """Whether a FROM uses a variable that is not declared and has no default: what it means then is not what is written."""
    from hardener.rules.variables import uses

    instruction = image.instruction
    if instruction is None or instruction.stage is None or not instruction.words:
        return False
    declared = instruction.stage.document_scope.bindings
    return any(not use.optional and use.name not in declared and use.name not in PLATFORM_ARGS for use in uses(instruction.words[0].view))


def argument_without_default(stage: Stage, context: Context) -> Iterator[Match]:
    """Yield base images that are no image unless somebody passes a build argument."""
    image = stage.image
    value = image.value
    if isinstance(value, Known) or DECLARED not in value.partial or _has_undeclared(image):
        return
    text = value.partial.replace(DECLARED, "")
    if HOLE not in text and reference_error(text):
        yield Match(image.span, {"image": image.raw, "name": ", ".join(dict.fromkeys(value.names))})


# --- platforms ----------------------------------------------------------------------------------------------------------------


def constant_platform(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield a fixed platform, unless the name of the stage says that it is meant."""
    flag = instruction.flag("platform")
    if flag is None or not flag.value or "$" in flag.value or not _PLATFORM_PARTS.fullmatch(flag.value.lower()):
        return
    stage = instruction.stage
    name = "" if stage is None or stage.name is None else stage.name
    parts = [_ARCHITECTURES.get(part, part) for part in flag.value.lower().split("/")[:2]]
    if not any(part in name for part in parts):
        yield Match(flag.value_span, {"platform": flag.value})


def redundant_platform(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield `--platform=$TARGETPLATFORM`, which is the default."""
    flag = instruction.flag("platform")
    if flag is not None and flag.value in _PLAIN_TARGET:
        stage = instruction.stage
        if stage is None or "TARGETPLATFORM" not in stage.document_scope.bindings:
            yield Match(flag.span)


# --- trust --------------------------------------------------------------------------------------------------------------------

_TRUST: Final = "DOCKER_CONTENT_TRUST"


def content_trust_off(instruction: Instruction, context: Context) -> Iterator[Match]:
    """Yield places that switch signature checks of the Docker client off."""
    for pair in instruction.pairs:
        if pair.key.text == _TRUST and pair.value is not None and _NOTHING.fullmatch(pair.value.text):
            yield Match(pair.span)
    if instruction.name != "RUN" or not any(_TRUST in view.text for view in (instruction.rest, *(h.body for h in instruction.heredocs))):
        return
    script = instruction.script
    for command in script.commands if script is not None else ():
        for assignment in command.assignments:
            if assignment.name == _TRUST and _NOTHING.fullmatch(assignment.value.text):
                yield Match(assignment.span)


# Versions with a hole that was exploited, or with planted code, as they are asked for; a distribution's fixed builds are not among them.
_PINNED: Final = (
    (
        r"(?:openssl|openssl-dev|openssl-libs|openssl3|libssl3|libssl-dev|libcrypto3)(?:==?|~=?)3\.0\.[0-6](?:-(?!.*ubuntu)[\w.+~]+)?",
        "CVE-2022-3602",
    ),
    (r"(?:openssl|libssl3|libssl-dev)=3\.0\.(?:2-0ubuntu1(?:\.[1-6])?|5-2ubuntu1)", "CVE-2022-3602"),
    (r"(?:xz-utils|liblzma5|liblzma-dev)=5\.6\.[01](?:-[\w.~]+)?", "CVE-2024-3094, planted code"),
    (r"(?:xz|xz-libs|xz-dev)=5\.6\.[01](?:-r[01])?", "CVE-2024-3094, planted code"),
    (
        r"event-stream@3\.3\.6|ua-parser-js@(?:0\.7\.29|0\.8\.0|1\.0\.0)|eslint-scope@3\.7\.2|node-ipc@(?:10\.1\.[12]|9\.2\.2)|"
        r"coa@(?:2\.0\.[34]|2\.1\.[13]|3\.0\.1|3\.1\.3)|rc@(?:1\.2\.9|1\.3\.9|2\.3\.9)|chalk@5\.6\.1|debug@4\.4\.2|"
        r"ultralytics==8\.3\.4[1256]",
        "planted code",
    ),
)
_ARCHIVES: Final = (
    (r"\bopenssl-3\.0\.[0-6](?=\.tar\b|\.zip\b)", "CVE-2022-3602"),
    (r"\bopenssl-1\.0\.1[a-f]?(?=\.tar\b|\.zip\b)", "CVE-2014-0160, Heartbleed"),
    (r"\bxz-5\.6\.[01](?=\.tar\b)", "CVE-2024-3094, planted code"),
    (
        r"\blog4j-core-2\.(?!3\.[12]|12\.[2-4])(?:[0-9]|1[0-4])(?:\.[0-9]+)?(?:-(?:beta|alpha|rc)[0-9]*)?(?=\.jar\b)",
        "CVE-2021-44228, Log4Shell",
    ),
)
_DIGIT = Pattern(r"\d")


def vulnerable_package(invocation: Invocation, context: Context) -> Iterator[Match]:
    """Yield pinned versions that are known for a hole or for planted code."""
    for word in invocation.command.args:
        text = word.text
        if not word.static or not _DIGIT.search(text):
            continue
        for pattern, advisory in _PINNED if "=" in text or "@" in text else ():
            if re.fullmatch(pattern, text):
                yield Match(word.span, {"package": text, "advisory": advisory})
        for pattern, advisory in _ARCHIVES if "." in text else ():
            match = re.search(pattern, text)
            if match is not None:
                yield Match(word.part(*match.span()), {"package": match[0], "advisory": advisory})


CHECKS: Final[Mapping[str, Check]] = {
    "HD101": untagged,
    "HD102": latest,
    "HD103": moving_tag,
    "HD104": without_digest,
    "HD105": unpinned_syntax,
    "HD106": untrusted_registry,
    "HD107": end_of_life,
    "HD108": full_size_base,
    "HD109": digest_without_version,
    "HD110": conflicting_digests,
    "HD111": stale_base_digest,
    "HD112": undeclared_arg,
    "HD113": invalid_reference,
    "HD114": argument_without_default,
    "HD115": constant_platform,
    "HD116": redundant_platform,
    "HD117": content_trust_off,
    "HD118": vulnerable_package,
}
