"""What a service amounts to when its image is taken into account: its user, its health check, its ports.

The image is the stage of the Dockerfile that the service builds, where that is at hand, and otherwise what is public knowledge about a
well-known image. What neither tells is `UNKNOWN`.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.finding import Match, Severity
from hardener.record import NamedTuple
from hardener.rules.accounts import is_root, sets_user, stays_root, steps_down_image
from hardener.rules.checks import Check
from hardener.rules.checks.service.images import image_of
from hardener.rules.context import ServiceContext
from hardener.rules.known_images import checks_health, exposes_nothing
from hardener.rules.services import at, is_complete
from hardener.sources.expansion import HOLE
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


# --- rules --------------------------------------------------------------------------------------------------------------------


def no_user(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS611: neither the service nor its image sets a user, so it runs as root."""
    if service.user is not None or service.is_one_off or not is_complete(service):
        return
    account = image_user(service, context)
    if account is UNKNOWN or account.name or not account.is_root or account.steps_down:
        return
    related = () if account.place is None else ((account.place, "nothing in this stage sets USER"),)
    image = "the Dockerfile" if account.place is not None else "" if service.image is None else service.image.text
    yield Match(service.place.span, {"service": service.name or "the container", "image": image}, related, file=service.place.file)


def user_undone(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS612: the service runs as root what its image would run as another user."""
    user = service.user
    if user is None or not user.text.strip() or is_root(user.text) is not True:
        return
    account = image_user(service, context)
    if account is UNKNOWN or account.is_root:
        return
    related = () if account.place is None else ((account.place, "the image's own user"),)
    image = (
        f"USER {account.name} of the image" if account.name else f"the user that {'' if service.image is None else service.image.text} sets"
    )
    severity = Severity.LOW if service.is_one_off else None
    yield at(user, severity=severity, related=related, user=user.text, image=image)


# What databases listen on, and what moves it.
_LISTENING: Final[Mapping[str, tuple[frozenset[int], str]]] = {
    "postgres": (frozenset({5432}), "PGPORT"),
    "mysql": (frozenset({3306, 33060}), "MYSQL_TCP_PORT"),
    "mariadb": (frozenset({3306}), "MYSQL_TCP_PORT"),
    "mongo": (frozenset({27017}), ""),
    "redis": (frozenset({6379}), ""),
    "memcached": (frozenset({11211}), ""),
}


def silent_port(service: Service, context: ServiceContext) -> Iterator[Match]:
    """HS614: a published port on which nothing listens, as far as EXPOSE or common knowledge tell."""
    if not service.ports or service.network_mode is not None:
        return
    found = _listening(service, context)
    if found is None:
        return
    known, what, related = found
    told = " ".join(_told(service))
    for port in service.ports:
        target = port.target
        if target is not UNKNOWN and target.isascii() and target.isdecimal() and int(target) not in known and target not in told:
            numbers = ", ".join(map(str, sorted(known)))
            yield Match(port.place.span, {"port": target, "what": what, "known": numbers}, port.history + related, file=port.place.file)


def _told(service: Service) -> Iterator[str]:
    """Yield what a service is told, which may be a port to listen on."""
    check = None if service.healthcheck is None else service.healthcheck.test
    for words in (service.command, service.entrypoint, check):
        if words is not None:
            yield from (word.text for word in words.words)
    yield from (variable.value.text for variable in service.environment if variable.value is not None)


def _listening(service: Service, context: ServiceContext) -> tuple[frozenset[int], str, tuple[tuple[Place, str], ...]] | None:
    """Return the ports that a service listens on, who says so, and where; None when that is not known."""
    stage = context.stage_of(service)
    if stage is not None:
        return _exposed(stage)
    reference = image_of(service)
    if reference is None or reference is UNKNOWN or reference.name not in _LISTENING:
        return None
    ports, variable = _LISTENING[reference.name]
    if service.entrypoint is not None or (variable and service.variable(variable) is not None):
        return None
    if service.command is not None and any(
        "port" in word.text or word.text.startswith("-") or HOLE in word.text for word in service.command.words
    ):
        return None
    if (
        any(mount.target is UNKNOWN or mount.target.startswith("/etc") or "conf" in mount.target for mount in service.mounts)
        or service.configs
    ):
        return None
    return ports, f"{reference.name} listens on", ()


def _exposed(stage: "Stage") -> tuple[frozenset[int], str, tuple[tuple[Place, str], ...]] | None:
    from hardener.rules.reading import partial
    from hardener.rules.starts import lineage_of

    known: set[int] = set()
    related: tuple[tuple[Place, str], ...] = ()
    line = lineage_of(stage)
    for ancestor in line:
        for instruction in ancestor.instructions:
            if instruction.name != "EXPOSE":
                continue
            for word in instruction.words:
                number = partial(word, instruction).partition("/")[0]
                first, dash, last = number.partition("-")
                if not first.isdecimal() or (dash and not last.isdecimal()) or len(first) > 5 or len(last) > 5:
                    return None
                known.update(range(int(first), int(last if dash else first) + 1))
            related = ((Place(stage.document.file, instruction.span), "what the image exposes"),)
    if not known:
        return None
    base = line[-1].image
    if not base.is_scratch and not (isinstance(base.name, str) and exposes_nothing(base.name)):
        return None
    return frozenset(known), "the Dockerfile exposes", related


CHECKS: Final[Mapping[str, Check]] = {
    "HS611": no_user,
    "HS612": user_undone,
    "HS614": silent_port,
}
