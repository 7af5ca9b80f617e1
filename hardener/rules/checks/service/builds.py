"""The `build:` section: what a build may do on the machine that runs it, and where its parts come from."""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Final

from hardener.finding import Match, Severity
from hardener.oci.reference import error as reference_error
from hardener.oci.reference import split
from hardener.rules.checks import Check
from hardener.rules.checks.service.images import builds
from hardener.rules.context import ServiceContext
from hardener.rules.image_names import moves
from hardener.rules.services import at
from hardener.sources.expansion import HOLE
from hardener.sources.service import Build, Service, Setting
from hardener.text import Pattern, SourceFile


def _build(service: Service) -> Build | None:
    return service.build if builds(service) else None


# --- rights -------------------------------------------------------------------------------------------------------------------


def privileged_build(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS621: the build runs privileged."""
    build = _build(service)
    if build is not None and build.privileged is not None and build.privileged.value is True:
        yield at(build.privileged)


def host_network_build(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS622: the RUN instructions of the build use the host's network."""
    build = _build(service)
    if build is not None and build.network is not None and build.network.value == "host":
        yield at(build.network)


_ENTITLEMENTS: Final = {
    "security.insecure": (
        Severity.HIGH,
        "lets every `RUN --security=insecure` of the Dockerfile run with all capabilities and no seccomp profile",
    ),
    "network.host": (Severity.MEDIUM, "lets every `RUN --network=host` of the Dockerfile use the host's network"),
}


def entitlement(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS623: the build is allowed what BuildKit refuses by default."""
    build = _build(service)
    for setting in () if build is None else build.entitlements:
        entry = _ENTITLEMENTS.get(setting.text)
        if entry is not None:
            yield at(setting, severity=entry[0], entitlement=setting.text, what=entry[1])


def agent_in_build(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS624: the build may use the SSH agent with all its keys."""
    build = _build(service)
    for setting in () if build is None else build.ssh:
        name = setting.text
        if name and HOLE not in name and not any(char in name for char in "/\\.=~"):  # not the path of a socket or a key
            yield at(setting, name=name)


# --- contexts -----------------------------------------------------------------------------------------------------------------

# Source: BuildKit's util/gitutil, and docker's builder/remotecontext.
_GIT: Final = Pattern(
    r"(?:git@[\w.-]+:|ssh://|git://)\S+|https?://[^\s#?]+\.git(?:[#?]\S*)?|(?:https?://)?(?:github|gitlab)\.com/[^\s/]+/[^\s/#?]+(?:[#?]\S*)?"
)
_COMMIT: Final = Pattern(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PINNED: Final = Pattern(r"[?&](?:checksum|commit)=[0-9a-f]{7,}")


def _contexts(service: Service) -> "Iterator[Setting[str]]":
    build = _build(service)
    if build is not None:
        if build.context is not None:
            yield build.context
        for extra in build.additional_contexts:
            if extra.value is not None:
                yield extra.value


def moving_context(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS625: the sources come from a branch or tag of a git repository."""
    for setting in _contexts(service):
        text = setting.known
        if text is None or not _GIT.fullmatch(text) or _PINNED.search(text):
            continue
        reference = text.partition("#")[2].partition(":")[0]
        if not _COMMIT.fullmatch(reference):
            yield at(setting, what=f"{reference!r}, which can move" if reference else "the default branch")


def plain_context(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS626: the sources come over a connection that anybody on the way can change."""
    for setting in _contexts(service):
        text = setting.text
        if text.startswith(("http://", "git://")) and not text.partition("://")[2].startswith(("localhost", "127.0.0.1", "[::1]")):
            yield at(setting, scheme=text.partition("://")[0])


def unpinned_context_image(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS627: an additional context is an image without a version."""
    build = _build(service)
    for extra in () if build is None else build.additional_contexts:
        text = None if extra.value is None else extra.value.known
        if extra.value is None or text is None or not text.startswith("docker-image://"):
            continue
        name = text.removeprefix("docker-image://")
        reference = split(name)
        if not reference_error(name) and reference.digest is None and (reference.tag in (None, "latest") or moves(reference)):
            yield at(extra.value, image=name)


def outside_dockerfile(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS628: the Dockerfile lies outside of the build context."""
    build = _build(service)
    if build is None or build.dockerfile is None or build.context is None or build.dockerfile.place == build.context.place:
        return
    path, folder = build.dockerfile.known, build.context.known
    if path and folder and path.startswith("/") and folder.startswith("/") and not path.startswith(folder.rstrip("/") + "/"):
        yield at(build.dockerfile, file=build.dockerfile.text)


# --- what is not there --------------------------------------------------------------------------------------------------------


def _dockerfile(service: Service) -> str | None:
    """Return the path of the Dockerfile on this machine."""
    build = _build(service)
    path = None if build is None or build.dockerfile is None else build.dockerfile.known
    return path if path is not None and posixpath.isabs(path) else None


def unseen_dockerfile(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS629: the Dockerfile cannot be read."""
    path = _dockerfile(service)
    if path is None or context.stage_of(service) is not None:
        return
    found = context.project.read(path)
    if (found is None or isinstance(found, str)) and service.build is not None and service.build.dockerfile is not None:
        written = posixpath.relpath(path, context.project.folder)
        yield at(service.build.dockerfile, file=written, reason=found or "there is no such file")


def unknown_target(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS630: the stage that `target:` names is not in the Dockerfile."""
    build = _build(service)
    target = None if build is None or build.target is None else build.target.known
    if build is None or build.target is None or not target or context.stage_of(service) is not None:
        return
    if build.inline is not None:
        text = build.inline.known
    else:
        path = _dockerfile(service)
        text = None if path is None else context.file(path)
    if text is None:
        return
    from hardener.sources import dockerfile

    stages = dockerfile.parse(SourceFile("Dockerfile", text)).stages
    if stages:
        names = [stage.name for stage in stages if stage.name is not None]
        yield at(build.target, target=target, stages=f"its stages are {', '.join(names)}" if names else "none of its stages has a name")


CHECKS: Final[Mapping[str, Check]] = {
    "HS621": privileged_build,
    "HS622": host_network_build,
    "HS623": entitlement,
    "HS624": agent_in_build,
    "HS625": moving_context,
    "HS626": plain_context,
    "HS627": unpinned_context_image,
    "HS628": outside_dockerfile,
    "HS629": unseen_dockerfile,
    "HS630": unknown_target,
}
