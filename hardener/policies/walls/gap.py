"""What the modules of this folder give: for each key a function that finds gaps, and one that closes them."""

from __future__ import annotations

from hardener.oci.runtime import Linux, Mount, Resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Final, TypeAlias

    from hardener.oci.runtime import Spec
    from hardener.policies.runtime import Runtime

    Gaps: TypeAlias = "Callable[[Runtime, Spec], Iterator[Gap]]"
    Settle: TypeAlias = "Callable[[Runtime, Spec], None]"


class Gap:
    """Where a specification is looser than a key: what it says, and what the policy wants. `key` says more exactly which key it is."""

    __slots__ = ("key", "says", "wants")

    def __init__(self, says: str, wants: str, key: str = "") -> None:
        self.says = says
        self.wants = wants
        self.key = key


class Wall:
    """A key: what of it a specification does not satisfy, and how it is made to."""

    __slots__ = ("gaps", "key", "settle")

    def __init__(self, key: str, gaps: Gaps, settle: Settle) -> None:
        self.key = key
        self.gaps = gaps
        self.settle = settle


def linux_of(spec: Spec) -> Linux:
    """Return the part that is particular to Linux, an empty one where there is none; `enforce.apply` has made sure that there is."""
    return spec.linux if spec.linux is not None else Linux()


def resources_of(spec: Spec) -> Resources:
    """Return the limits, likewise."""
    resources = linux_of(spec).resources
    return resources if resources is not None else Resources()


OPPOSITES: Final = {"ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec"}
"""Mount options that a policy can ask for, and the words that undo them."""


def has_option(options: tuple[str, ...], option: str) -> bool:
    """Tell whether a mount has an option: the last word counts, and recursive words come after all others."""
    on = False
    undo = OPPOSITES[option]
    for word in options:
        if word in (option, f"r{option}"):
            on = True
        elif word == undo:
            on = False
    return on and f"r{undo}" not in options


def add_option(mount: Mount, option: str) -> None:
    """Give a mount an option."""
    undo = OPPOSITES[option]
    mount.options = (*[word for word in mount.options if word not in (option, undo, f"r{undo}")], option)


def is_bind(mount: Mount) -> bool:
    """Tell whether a mount shows something of the host."""
    return mount.type in ("bind", "rbind") or "bind" in mount.options or "rbind" in mount.options
