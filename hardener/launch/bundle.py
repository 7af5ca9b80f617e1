"""An OCI bundle: a folder with a config.json and the root filesystem that it names, executed as it is written.

What a bundle asks for is what it gets: where that is looser than the default policy, it is said; where a policy is asked for that does not
allow it, it is refused.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.launch import cache, roots
from hardener.launch.files import real
from hardener.launch.specification import Draft, judge, policy_file
from hardener.oci import json_text
from hardener.oci.runtime import Spec
from hardener.runtime.job import Rootfs
from hardener.runtime.layers import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.launch.request import Request
    from hardener.runtime.places import Places

MOST: Final = 4 << 20
"""Bytes of a config.json: more is none."""


def draft(request: Request, places: Places, *, strictly: bool) -> Draft:
    """Return what the bundle in the folder `request.root` says, with its paths made absolute; `strictly` holds it to the policy."""
    spec = read(request.root)
    if spec.root is None:
        raise HardenError(
            "the bundle names no root filesystem", where=f"{request.root}/config.json", how='write {"root": {"path": "rootfs"}}'
        )
    spec.root.path = join(request.root, spec.root.path)
    judged = []
    for at, mount in enumerate(spec.mounts):
        if mount.source and (mount.type in (None, "bind", "none") or any(option in ("bind", "rbind") for option in mount.options)):
            mount.source = real(join(request.root, mount.source), f"{request.root}/config.json: mounts[{at}]")  # a policy judges no links
            judged.append(mount.destination)
    looser = judge(cache.load(policy_file(request.policy), places.cache).runtime(), spec, refuse=strictly)
    return Draft(spec, Rootfs(judged=tuple(judged)), roots.Root(spec.root.path), looser, (), ())


def read(folder: str) -> Spec:
    """Return the specification of a bundle."""
    path = f"{folder}/config.json"
    try:
        with open(path, "rb") as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise HardenError("it is too large for a config.json", where=path, how="name the folder of a bundle")
        document = json_text.scan(data.decode().strip())
    except OSError as error:
        raise HardenError(f"it cannot be read: {error.strerror}", where=path, how="a bundle is a folder with a config.json") from None
    except (ValueError, RecursionError) as error:
        raise HardenError(f"it is no JSON: {error}", where=path, how="mend it there; `runc spec` writes a new one") from None
    return Spec.parse(document)
