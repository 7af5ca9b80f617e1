"""What is mounted from this machine: the form of `docker run --volume`."""

from __future__ import annotations

from hardener.errors import HardenError, suggest
from hardener.oci.runtime import Mount


def volume(text: str) -> Mount:
    """Return the mount for `SOURCE:DESTINATION[:OPTIONS]`, the form of `docker run --volume`."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1].startswith("/"):
        raise HardenError(f"{text!r} is not a volume", where="--volume", how="write SOURCE:/DESTINATION, then :ro or :rw if you like")
    source, destination = parts[0], parts[1]
    if not source.startswith(("/", ".")):
        raise HardenError(
            f"{source!r} would be a named volume, and there are none yet", where="--volume", how=f"write ./{source} for a folder"
        )
    options = parts[2].split(",") if len(parts) == 3 else []
    for option in options:
        if option not in ("ro", "rw", "nosuid", "nodev", "noexec", "noidmap"):
            how = suggest(option, ["ro", "rw", "nosuid", "nodev", "noexec", "noidmap"])
            raise HardenError(f"unknown option {option!r} of a volume", where=f"--volume {text}", how=how or "ro, rw, noexec or noidmap")
    return Mount(destination=destination, type="bind", source=source, options=("rbind", "nosuid", "nodev", *(options or ["rw"])))
