"""What a service amounts to when its image is taken into account: its user, its health check, its ports.

The image is the stage of the Dockerfile that the service builds, where that is at hand, and otherwise what is public knowledge about a
well-known image. What neither tells is `UNKNOWN`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple
from hardener.rules.accounts import is_root, sets_user, stays_root, steps_down_image
from hardener.rules.checks import Check
from hardener.rules.checks.service.images import image_of
from hardener.rules.context import ServiceContext
from hardener.rules.known_images import checks_health
from hardener.sources.service import Service
from hardener.sources.unknown import UNKNOWN, UnknownType
from hardener.text import Place

if TYPE_CHECKING:
    from hardener.rules.context import Context
    from hardener.sources.stages import Stage


class Account(NamedTuple):
    """The user that a service's first process has.

    `name` is what is written; "" where nothing is, which is root. `steps_down`: it starts as root, and the entrypoint goes on as another
    user, as far as files or common knowledge tell.
    """

    name: str
    is_root: bool
    steps_down: bool
    source: str  # service (its `user:`), dockerfile, image
    place: Place | None  # where it is said; None for what an image is known to do


def runs_as(service: Service, context: ServiceContext) -> Account | UnknownType:
    """Return who a service runs as; UNKNOWN when a variable or an image that nobody knows decides it."""
    user = service.user
    if user is not None and user.text.strip():  # an empty one is not set
        root = is_root(user.text)
        return UNKNOWN if root is None else Account(user.text, root, False, "service", user.place)
    return image_user(service, context)


def image_user(service: Service, context: ServiceContext) -> Account | UnknownType:
    """Return who the image of a service runs as, whatever the service's own `user:` says."""
    stage = context.stage_of(service)
    if stage is not None:
        return _user_of_stage(stage, service, context)
    if service.build is not None:
        return UNKNOWN
    return _user_of_image(_name_and_tag(service))


def _user_of_stage(stage: "Stage", service: Service, context: ServiceContext) -> Account | UnknownType:
    from hardener.rules.checks.users import identity, image_text, steps_down

    steps = steps_down(stage, dockerfile_context(stage, service, context))
    found = identity(stage)
    if found is not None:
        root = is_root(found.text)
        if root is None:
            return UNKNOWN
        return Account(found.text, root, root and steps, "dockerfile", Place(stage.document.file, found.span))
    if stage.effective.get("USER") is not None:
        return UNKNOWN
    origin = Place(stage.document.file, stage.image.span)
    if stage.root.image.is_scratch:
        return Account("", True, steps, "dockerfile", origin)
    base = _user_of_image(image_text(stage))
    if base is UNKNOWN:
        return UNKNOWN
    if "ENTRYPOINT" in stage.effective or not base.steps_down:
        return base._replace(steps_down=base.is_root and steps, source="dockerfile", place=origin)
    return base._replace(source="dockerfile", place=origin)


def _user_of_image(text: str | None) -> Account | UnknownType:
    """Return who a well-known image runs as."""
    if text is None:
        return UNKNOWN
    if sets_user(text):
        return Account("", False, False, "image", None)
    if steps_down_image(text):
        return Account("", True, True, "image", None)
    return Account("", True, False, "image", None) if stays_root(text) else UNKNOWN


def _name_and_tag(service: Service) -> str | None:
    reference = image_of(service)
    if reference is None or reference is UNKNOWN:
        return None
    return reference.name if reference.tag is None else f"{reference.name}:{reference.tag}"


def has_healthcheck(service: Service, context: ServiceContext) -> bool | UnknownType:
    """Return whether anything tests the health of a service: its own `healthcheck:`, or its image's."""
    own = service.healthcheck
    if own is not None:
        if own.disabled is not None and own.disabled.value is not False:
            return UNKNOWN if own.disabled.value is UNKNOWN else False
        if own.test is not None:
            return True
    return image_has_healthcheck(service, context)


def image_has_healthcheck(service: Service, context: ServiceContext) -> bool | UnknownType:
    """Return whether the image of a service has a HEALTHCHECK, whatever the service says."""
    stage = context.stage_of(service)
    if stage is not None:
        instruction = stage.effective.get("HEALTHCHECK")
        if instruction is not None:
            return instruction.text.strip().lower() != "none"
        image = stage.root.image
        if image.is_scratch:
            return False
        found = checks_health(image.name) if isinstance(image.name, str) else None
        return UNKNOWN if found is None else found
    if service.build is not None:
        return UNKNOWN
    reference = image_of(service)
    if reference is None or reference is UNKNOWN:
        return UNKNOWN
    found = checks_health(reference.name)
    return UNKNOWN if found is None else found


def dockerfile_context(stage: "Stage", service: Service, context: ServiceContext) -> "Context":
    """Return what checks on Dockerfiles want to know, with the files of the build context as neighbours."""
    from hardener.rules.context import Context

    build = service.build
    folder = build.context.known if build is not None and build.context is not None else None

    def neighbour(name: str) -> str | None:
        return None if folder is None else context.file(f"{folder.rstrip('/')}/{name}")

    return Context(stage.document, context.settings, neighbour)


CHECKS: Final[Mapping[str, Check]] = {}
