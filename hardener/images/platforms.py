"""Platforms as `os/architecture/variant`: which one an image is for, and whether this machine runs it."""

from __future__ import annotations

import posix

from hardener.errors import HardenError
from hardener.oci.image import Platform

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# By the names of uname(2). Source: github.com/containerd/platforms, database.go.
MACHINES: Final = {
    "x86_64": ("amd64", ""),
    "aarch64": ("arm64", "v8"),
    "armv7l": ("arm", "v7"),
    "armv6l": ("arm", "v6"),
    "i686": ("386", ""),
    "ppc64le": ("ppc64le", ""),
    "riscv64": ("riscv64", ""),
    "s390x": ("s390x", ""),
}
_ALIASES: Final = {"x86_64": ("amd64", ""), "x86-64": ("amd64", ""), "aarch64": ("arm64", ""), "armhf": ("arm", "v7"), "i386": ("386", "")}
_EMULATORS: Final = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "arm": "qemu-arm", "386": "qemu-i386"}


def machine() -> Platform:
    """Return what this machine is."""
    name = posix.uname().machine
    architecture, variant = MACHINES.get(name, (name, ""))
    return Platform(os="linux", architecture=architecture, variant=variant or None)


def parse(text: str) -> Platform:
    """Return the platform of `linux/arm64`, `linux/arm/v7` or `arm64`."""
    parts = text.lower().split("/")
    if len(parts) == 1 and parts[0] != "linux":
        parts = ["linux", *parts]
    if len(parts) not in (2, 3) or not all(parts):
        raise HardenError(f"{text!r} is not a platform", where="--platform", how="write linux/amd64, linux/arm64 or linux/arm/v7")
    if parts[0] != "linux":
        raise HardenError(f"containers of {parts[0]} do not run here", where=f"--platform {text}", how="choose one of linux")
    architecture, variant = _ALIASES.get(parts[1], (parts[1], ""))
    return Platform(os="linux", architecture=architecture, variant=(parts[2] if len(parts) == 3 else variant) or None)


def matches(wanted: Platform, found: Platform) -> bool:
    """Tell whether an image for `found` is one for `wanted`; a variant that one of them does not say is no difference."""
    if (wanted.os, wanted.architecture) != (found.os, found.architecture):
        return False
    return wanted.variant is None or found.variant is None or wanted.variant == found.variant


def show(platform: Platform) -> str:
    """Return a platform as it is written."""
    return "/".join(filter(None, (platform.os, platform.architecture, platform.variant)))


def check_runs_here(platform: Platform) -> None:
    """Refuse a platform whose programs this machine can neither run nor emulate."""
    ours = machine()
    if platform.architecture == ours.architecture or (platform.architecture, ours.architecture) == ("386", "amd64"):
        return
    emulator = _EMULATORS.get(platform.architecture or "", f"qemu-{platform.architecture}")
    try:
        with open(f"/proc/sys/fs/binfmt_misc/{emulator}", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:  # not registered, or no binfmt_misc at all
        lines = []
    # With F the kernel has opened the emulator already: the container need not have it.
    if "enabled" not in lines or not any(line.startswith("flags:") and "F" in line[6:] for line in lines):
        raise HardenError(
            f"the image is for {show(platform)}, and this machine is {show(ours)}",
            where="--platform",
            how=f"take an image for {show(ours)}, or register {emulator} with binfmt_misc (package qemu-user-static, flag F)",
        )
