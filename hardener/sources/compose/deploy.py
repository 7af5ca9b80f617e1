"""`deploy:`. Its resource limits become the service's own, so that a rule need not know two spellings."""

from hardener.sources.compose import scalars
from hardener.sources.compose.devices import gpus
from hardener.sources.compose.tree import Items, Keys, Node
from hardener.sources.service import Deploy, Service, Setting, Update
from hardener.text import Place


def deploy(node: Node | None, key: Place, service: Service) -> Deploy | None:
    """Return the deployment of a service, and set those limits of the service that it does not set itself."""
    if not isinstance(node, Keys):
        return None
    found = Deploy(node.place, key)
    for name, entry in node.entries.items():
        value, at = entry.value, entry.key
        match name:
            case "mode" | "endpoint_mode":
                setattr(found, name, scalars.text(value, at))
            case "replicas":
                found.replicas = scalars.integer(value, at)
            case "labels":
                found.labels = scalars.variables(value, "deploy.labels")
            case "update_config":
                found.update = _update(value, at)
            case "rollback_config":
                found.rollback = _update(value, at)
            case "restart_policy" if isinstance(value, Keys):
                for name, entry in value.entries.items():
                    if name == "condition":
                        found.restart_condition = scalars.text(entry.value, entry.key)
                    elif name == "max_attempts":
                        found.restart_max_attempts = scalars.integer(entry.value, entry.key)
            case "placement" if isinstance(value, Keys):
                _placement(found, value)
            case "resources" if isinstance(value, Keys):
                _resources(value, service)
    return found


def _update(node: Node, key: Place) -> Update | None:
    if not isinstance(node, Keys):
        return None
    found = Update(node.place, key)
    for name, entry in node.entries.items():
        match name:
            case "parallelism":
                found.parallelism = scalars.integer(entry.value, entry.key)
            case "delay" | "monitor":
                setattr(found, name, scalars.duration(entry.value, entry.key))
            case "failure_action" | "order":
                setattr(found, name, scalars.text(entry.value, entry.key))
            case "max_failure_ratio":
                found.max_failure_ratio = scalars.number(entry.value, entry.key)
    return found


def _placement(found: Deploy, keys: Keys) -> None:
    for name, entry in keys.entries.items():
        value = entry.value
        if name == "constraints":
            found.constraints = scalars.texts(value, entry.key)
        elif name == "max_replicas_per_node":
            found.max_replicas_per_node = scalars.integer(value, entry.key)
        elif name == "preferences" and isinstance(value, Items):
            preferences: list[Setting[str]] = []
            for item in value.items:
                spread = item.entries.get("spread") if isinstance(item, Keys) else None
                preference = None if spread is None else scalars.text(spread.value, spread.key)
                if preference is not None:
                    preferences.append(preference)
            found.preferences = tuple(preferences)


def _resources(keys: Keys, service: Service) -> None:
    for name, entry in keys.entries.items():
        if not isinstance(entry.value, Keys):
            continue
        for field, limit in entry.value.entries.items():
            value, key = limit.value, limit.key
            match name, field:
                case "limits", "memory" if service.memory is None:
                    service.memory = scalars.size(value, key)
                case "limits", "cpus" if service.cpus is None:
                    service.cpus = scalars.number(value, key)
                case "limits", "pids" if service.pids_limit is None:
                    service.pids_limit = scalars.integer(value, key)
                case "reservations", "memory" if service.memory_reservation is None:
                    service.memory_reservation = scalars.size(value, key)
                case "reservations", "devices" if service.gpus is None:
                    service.gpus = gpus(value, key)
