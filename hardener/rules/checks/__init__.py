"""Decisions too subtle for `match:`: one function per rule, grouped by topic, listed under the rule's id.

A check is a generator: it gets a subject and the context and yields a `Match` for each place where the rule holds. What it cannot
know it does not yield. Its rule's YAML file says what the user is told.
"""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Final

from hardener.finding import Match

Check = Callable[[Any, Any], Iterable[Match]]
"""`(subject, context) -> matches`; the subject's type follows from the rule's `on:`, the context is a `Context`, for services a
`ServiceContext`, for images an `ImageContext`."""

SERVICE_TOPICS: Final = (
    "capabilities", "isolation", "mounts", "ports", "credentials", "images", "builds", "posture", "conflicts", "limits", "life", "swarm",
    "structure", "chains",
)  # fmt: skip
"""The modules of `checks/service/`: about services, and imported only where there are any."""

IMAGE_TOPICS: Final = ("accounts", "privileges", "configuration", "secrets", "secret_files", "leftovers", "tools", "provenance")
"""The modules of `checks/image/`: about images, and imported only where there are any."""

TOPICS: Final = (
    "base_images", "users", "privileges", "secrets", "secret_files", "packages", "network", "downloads", "tls", "origins",
    "layers", "metadata", "labels", "health", "syntax", "shell_use", "shell_programs", "dash",
)  # fmt: skip


def checks() -> Mapping[str, Check]:
    """Return every check on Dockerfiles by the id of its rule."""
    return _collect("hardener.rules.checks", TOPICS)


def service_checks() -> Mapping[str, Check]:
    """Return every check on services by the id of its rule."""
    return _collect("hardener.rules.checks.service", SERVICE_TOPICS)


def image_checks() -> Mapping[str, Check]:
    """Return every check on images by the id of its rule."""
    return _collect("hardener.rules.checks.image", IMAGE_TOPICS)


def _collect(package: str, topics: Iterable[str]) -> Mapping[str, Check]:
    found: dict[str, Check] = {}
    for topic in topics:
        table: Mapping[str, Check] = import_module(f"{package}.{topic}").CHECKS
        for rule_id, check in table.items():
            if rule_id in found:
                raise ValueError(f"two checks are listed under {rule_id}")
            found[rule_id] = check
    return found
