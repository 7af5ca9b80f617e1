"""What is wrong between the parts of a project: names that nothing defines, cycles, contradictions within a service.

Sources: compose-go's loader/validate.go and graph/cycle.go for what compose refuses; the rest is what Docker refuses or ignores later.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from hardener.sources.compose import ports, scalars, words
from hardener.sources.compose.tree import Items, Keys, Leaf, Node
from hardener.sources.expansion import HOLE
from hardener.sources.service import Problem, Project, Resource, Service, Setting
from hardener.sources.unknown import UNKNOWN
from hardener.text import Place

History = tuple[tuple[Place, str], ...]
_Read = Callable[[Node | None, Place], Setting[int] | Setting[float] | None]

_TWINS: Final[tuple[tuple[str, str, str, _Read], ...]] = (
    ("mem_limit", "limits", "memory", scalars.size),
    ("cpus", "limits", "cpus", scalars.number),
    ("pids_limit", "limits", "pids", scalars.integer),
    ("mem_reservation", "reservations", "memory", scalars.size),
)
"""Keys of a service, and the keys of `deploy.resources` that say the same."""


def check(project: Project, tree: Keys) -> None:
    """Add to a project's problems what contradicts itself."""
    services = {service.name: service for service in project.services}
    found, models = tree.get("services"), tree.get("models")
    for service in project.services:
        checker = _Checker(project, services, service)
        checker.references()
        for model in service.models:
            if isinstance(model.value, str) and not (isinstance(models, Keys) and model.value in models.entries):
                checker.undefined("model", model.value, model.place, tuple(models.entries) if isinstance(models, Keys) else ())
        checker.contradictions()
        keys = found.get(service.name) if isinstance(found, Keys) else None
        if isinstance(keys, Keys):
            checker.written(keys)
    if len(services) > 1:
        _cycles(project, services)
        from hardener.sources.compose import collisions

        collisions.check(project)
    if project.secrets or project.configs or project.volumes:
        _resources(project)
    if services and (project.networks or project.volumes or project.configs):
        _unused(project)


class _Checker:
    """The checks of one service."""

    __slots__ = ("problems", "project", "service", "services")

    def __init__(self, project: Project, services: dict[str, Service], service: Service) -> None:
        self.project = project
        self.problems = project.problems
        self.services = services
        self.service = service

    def add(self, code: str, place: Place, message: str, related: History = (), **values: str) -> None:
        self.problems.append(Problem(code, place, message, related, {"service": self.service.name, **values}))

    def references(self) -> None:
        """Say which names nothing defines."""
        service, project = self.service, self.project
        for network in service.networks:
            if network.name not in project.networks and network.name != "default":
                self.undefined("network", network.name, network.place, tuple(project.networks))
        for mount in service.mounts:
            if mount.type == "volume" and isinstance(mount.source, str) and mount.source not in project.volumes:
                self.undefined("volume", mount.source, mount.source_place, tuple(project.volumes), mount.history)
        for kind, grants, known in (("secret", service.secrets, project.secrets), ("config", service.configs, project.configs)):
            for grant in grants:
                if grant.source not in known and HOLE not in grant.source:
                    self.undefined(kind, grant.source, grant.place, tuple(known))
        if service.build is not None:
            for grant in service.build.secrets:
                if grant.source not in project.secrets and HOLE not in grant.source:
                    self.undefined("secret", grant.source, grant.place, tuple(project.secrets))
            for context in service.build.additional_contexts:
                if context.value is not None and context.value.known is not None and context.value.known.startswith("service:"):
                    self.named(context.value, context.value.known)
        for dependency in service.depends_on:
            name = dependency.name
            if HOLE in name:
                continue
            if name == service.name:
                self.add("dependency-cycle", dependency.place, f"{name!r} depends on itself", cycle=f"{name} → {name}")
            elif name not in self.services:
                self.undefined("service", name, dependency.place, tuple(self.services))
            elif dependency.required:
                self.disabled(name, dependency.place)
        for setting in (service.network_mode, service.ipc, service.pid, service.uts, service.cgroup):
            if setting is not None and setting.known is not None and setting.known.startswith("service:"):
                self.named(setting, setting.known)
        for setting in service.volumes_from:
            if setting.known is not None and not setting.known.startswith("container:"):
                self.named(setting, setting.known.partition(":")[0])
        for setting in service.links:
            if setting.known is not None:
                self.named(setting, setting.known.partition(":")[0])

    def named(self, setting: Setting[str], name: str) -> None:
        """Say so when a setting names a service that is not there."""
        name = name.removeprefix("service:")
        if name not in self.services:
            at = setting.text.find(name)
            place = setting.place
            if setting.view is not None and at >= 0:
                place = Place(place.file, setting.view.span(at, at + len(name)))
            self.undefined("service", name, place, tuple(self.services), setting.history)

    def disabled(self, name: str, place: Place) -> None:
        """Say so when a service that is needed does not run where this one does."""
        mine, other = self.service.profiles, self.services[name].profiles
        wanted = {profile.known for profile in other}
        if not other or None in wanted or any(profile.known is None or profile.known in wanted for profile in mine):
            return
        names = ", ".join(sorted(str(profile) for profile in wanted))
        message = f"{self.service.name!r} needs {name!r}, which only runs with the profile {names}"
        related = ((other[0].place, "the profile"),)
        self.add("disabled-dependency", place, message, related, name=name, profiles=names)

    def undefined(self, kind: str, name: str, place: Place, known: tuple[str, ...], history: History = ()) -> None:
        from hardener.errors import suggest

        close = suggest(name, known)
        message = f"the service {self.service.name!r} uses the {kind} {name!r}, which nothing defines" + (f": {close}" if close else "")
        self.add(f"undefined-{kind}", place, message, history, name=name, kind=kind, hint=f": {close}" if close else "")

    def contradictions(self) -> None:
        """Say which settings of the service do not go together."""
        service = self.service
        build, image = service.build, service.image
        if image is None and build is None and service.provider is None:
            self.add("no-image", service.place, f"the service {service.name!r} has neither `image` nor `build`")
        if build is not None:
            if image is not None and service.pull_policy is None and not self.project.is_stack:
                message = f"compose builds it, and names what it built {image.text.replace(HOLE, '…')!r}"
                self.add("build-and-image", image.key, message, ((build.key, "it is built here"),), image=image.text.replace(HOLE, "…"))
            if build.inline is not None and "build.dockerfile" in service.keys:
                message = "`dockerfile` and `dockerfile_inline` exclude each other"
                self.add("conflicting-keys", service.keys["build.dockerfile"], message, ((build.inline.key, "the other one"),))
        mode = service.network_mode
        if mode is not None:
            if service.networks:
                message = "`network_mode` and `networks` exclude each other"
                self.add(
                    "conflicting-keys", mode.key, message, ((service.keys.get("networks", service.networks[0].place), "the other one"),)
                )
            shared = mode.known is not None and (mode.known in ("host", "none") or mode.known.startswith(("service:", "container:")))
            if shared and service.ports and mode.known is not None:
                where = service.keys.get("ports", service.ports[0].place)
                message = f"`ports` has no effect with `network_mode: {mode.known}`"
                self.add("ports-without-network", where, message, ((mode.place, "the network mode"),), mode=mode.known)
        self.scale()
        if len(service.mounts) > 1:
            self.targets()
        for port in service.ports:
            if isinstance(port.target, str) and isinstance(port.published, str) and "-" in port.published + port.target:
                sizes = ports.mismatched(port.published, port.target)
                if sizes is not None:
                    message = f"{sizes[0]} published ports for {sizes[1]} ports of the container"
                    self.add("port-range-mismatch", port.place, message, port.history, published=port.published, target=port.target)

    def scale(self) -> None:
        """Say what several containers of a service cannot share."""
        service = self.service
        replicas = None if service.deploy is None else service.deploy.replicas
        scale = service.scale
        if scale is not None and replicas is not None and scale.value not in (UNKNOWN, replicas.value) and replicas.value is not UNKNOWN:
            message = f"`scale: {scale.value}` and `deploy.replicas: {replicas.value}` disagree"
            self.add("conflicting-keys", scale.key, message, ((replicas.place, "the other one"),))
        number = scale or replicas
        if number is None or not isinstance(number.value, int) or number.value < 2 or self.project.is_stack:
            return
        name = service.container_name
        if name is not None:
            message = f"{number.value} containers cannot have one name, {name.text.replace(HOLE, '…')!r}"
            self.add("container-name-with-replicas", name.place, message, ((number.place, "their number"),), count=str(number.value))
        for port in service.ports:
            if isinstance(port.published, str) and isinstance(port.target, str):
                host, container = ports.span(port.published), ports.span(port.target)
                if host is not None and container is not None and len(host) < number.value * len(container):
                    message = f"{number.value} containers cannot all publish port {port.published}"
                    related = ((number.place, "their number"),)
                    self.add("port-with-replicas", port.place, message, related, count=str(number.value), port=port.published)

    def limits(self, keys: Keys) -> None:
        """Say which limits are given twice and differ: compose refuses that."""
        deploy = keys.get("deploy")
        resources = deploy.get("resources") if isinstance(deploy, Keys) else None
        if not isinstance(resources, Keys):
            return
        for key, section, twin, read in _TWINS:
            one, others = keys.entries.get(key), resources.get(section)
            other = others.entries.get(twin) if isinstance(others, Keys) else None
            if one is None or other is None:
                continue
            left, right = read(one.value, one.key), read(other.value, other.key)
            if left is not None and right is not None and left.value not in (UNKNOWN, right.value) and right.value is not UNKNOWN:
                message = f"`{key}: {left.text}` and `deploy.resources.{section}.{twin}: {right.text}` disagree"
                self.add("conflicting-keys", one.key, message, ((right.place, "the other one"),))

    def health(self, keys: Keys) -> None:
        """Say so when a health test in list form does not start with what tells how it is run."""
        test = keys.get("test")
        first = test.items[0] if isinstance(test, Items) and test.items else None
        if isinstance(first, Leaf) and first.kind == "str" and not first.is_unknown and first.text not in ("CMD", "CMD-SHELL", "NONE"):
            message = f"the health test starts with {first.text!r}; it must start with CMD, CMD-SHELL or NONE"
            self.add("invalid-health-test", first.place, message, first.history, value=first.text)

    def targets(self) -> None:
        """Say what is mounted over each other."""
        seen: dict[str, Place] = {}
        for mount in self.service.mounts:
            if not isinstance(mount.target, str) or not mount.target:
                continue
            first = seen.setdefault(mount.target, mount.target_place)
            if first is not mount.target_place:
                message = f"two mounts at {mount.target!r}"
                self.add("duplicate-mount-target", mount.target_place, message, ((first, "the other one"),), target=mount.target)

    def written(self, keys: Keys) -> None:
        """Say what only shows in how the service is written: commands that are cut short, limits in two spellings."""
        for name in ("command", "entrypoint"):
            leaf = keys.get(name)
            if isinstance(leaf, Leaf) and not leaf.is_null:
                self.command(name, leaf)
        self.limits(keys)
        health = keys.get("healthcheck")
        if isinstance(health, Keys):
            self.health(health)
        for event in ("pre_start", "post_start", "pre_stop"):
            hooks = keys.get(event)
            if isinstance(hooks, Items):
                for hook in hooks.items:
                    leaf = hook.get("command") if isinstance(hook, Keys) else None
                    if isinstance(leaf, Leaf) and not leaf.is_null:
                        self.command(f"{event}.command", leaf)

    def command(self, name: str, leaf: Leaf) -> None:
        _, stop, error = words.split(leaf.text)
        if error:
            if HOLE not in leaf.text:
                self.add("invalid-command", leaf.place, f"compose cannot read `{name}`: {error}", leaf.history, key=name, reason=error)
        elif stop >= 0:
            end = stop
            while end < len(leaf.text) and leaf.text[end] in ";&|<>":
                end += 1
            place = leaf.place if leaf.view is None else Place(leaf.place.file, leaf.view.span(stop, end))
            operator, rest = leaf.text[stop:end], leaf.text[stop:].replace(HOLE, "…")
            rest = rest if len(rest) <= 60 else rest[:57] + "…"
            message = f"no shell runs `{name}`: compose stops reading at {operator!r} and drops {rest!r}"
            self.add("shell-operator-in-command", place, message, leaf.history, key=name, operator=operator, dropped=rest)


def _cycles(project: Project, services: dict[str, Service]) -> None:
    """Say which services wait for each other."""
    needs: dict[str, dict[str, Place]] = {}
    for name, service in services.items():
        wanted = {dependency.name: dependency.place for dependency in service.depends_on if dependency.name != name}
        for setting in service.links:
            if setting.known is not None:
                wanted.setdefault(setting.known.partition(":")[0], setting.place)
        for shared in (service.network_mode, service.ipc, service.pid, service.uts, service.cgroup):
            if shared is not None and shared.known is not None and shared.known.startswith("service:"):
                wanted.setdefault(shared.known.removeprefix("service:"), shared.place)
        for setting in service.volumes_from:
            if setting.known is not None and not setting.known.startswith("container:"):
                wanted.setdefault(setting.known.partition(":")[0], setting.place)
        needs[name] = {other: place for other, place in wanted.items() if other in services}
    if not any(needs.values()):
        return
    done: set[str] = set()
    for start in needs:
        path: list[str] = []
        _walk(project, needs, start, path, done)


def _walk(project: Project, needs: dict[str, dict[str, Place]], start: str, path: list[str], done: set[str]) -> None:
    """Follow what a service needs, without recursion: a chain may be as long as the file."""
    stack = [(start, iter(needs[start]))] if start not in done else []
    if stack:
        path.append(start)
    while stack:
        name, rest = stack[-1]
        for other in rest:
            if other in path:
                cycle = [*path[path.index(other) :], other]
                message = f"these services wait for each other: {' → '.join(cycle)}"
                related = tuple([(needs[one][two], f"{one!r} needs {two!r}") for one, two in pairwise(cycle)][:-1])
                project.problems.append(
                    Problem("dependency-cycle", needs[name][other], message, related, {"cycle": " → ".join(cycle), "service": name})
                )
            elif other not in done:
                stack.append((other, iter(needs[other])))
                path.append(other)
                break
        else:
            stack.pop()
            path.pop()
            done.add(name)


def _resources(project: Project) -> None:
    """Say which secrets and configs have no content, or two, and which external volumes have settings that nobody reads."""
    for kind, found, ways in (
        ("secret", project.secrets, ("file", "environment")),
        ("config", project.configs, ("file", "environment", "content")),
    ):
        for resource in found.values():
            given = [way for way in ways if way in resource.settings]
            if len(given) > 1:
                message = f"the {kind} {resource.name!r} has both `{given[0]}` and `{given[1]}`"
                _say(project, "conflicting-keys", resource.settings[given[1]].key, message, resource)
            elif not given and resource.external is False and resource.driver is None and "driver" not in resource.settings:
                message = f"the {kind} {resource.name!r} says neither {' nor '.join(f'`{way}`' for way in ways)}, and is not external"
                _say(project, "empty-resource", resource.place, message, resource)
    for resource in project.volumes.values():
        if resource.external is True:
            extra = next((setting.key for name, setting in resource.settings.items() if name != "name"), None)
            if extra is None and resource.driver_opts:
                extra = resource.driver_opts[0].key
            if extra is not None:
                message = f"the volume {resource.name!r} is external: nothing else can be set for it here"
                _say(project, "conflicting-keys", extra, message, resource)


def _unused(project: Project) -> None:
    """Say which networks, volumes and configs no service uses."""
    volumes: set[str] = set()
    networks = {"default"}
    configs: set[str] = set()
    for service in project.services:
        networks.update(network.name for network in service.networks)
        configs.update(grant.source for grant in service.configs)
        if service.credential_spec is not None:
            configs.add(service.credential_spec.text)
        for mount in service.mounts:
            if mount.source is UNKNOWN:
                volumes.update(project.volumes)
            elif mount.source is not None:
                volumes.add(mount.source)
    if any(HOLE in name for name in networks | configs):
        return
    for kind, found, used in (
        ("network", project.networks, networks), ("volume", project.volumes, volumes), ("config", project.configs, configs),
    ):  # fmt: skip
        for resource in found.values():
            if resource.name not in used:
                _say(project, "unused-resource", resource.place, f"no service uses the {kind} {resource.name!r}", resource)


def _say(project: Project, code: str, place: Place, message: str, resource: Resource) -> None:
    project.problems.append(Problem(code, place, message, (), {"kind": resource.kind, "name": resource.name}))
