"""The layers of an image as folders, for whoever runs us.

An ordinary user unpacks as the root of a user namespace: so the files belong to the ids that a container of the user will have, as far as
/etc/subuid has them, and to its root user otherwise.
"""

from __future__ import annotations

import posix

from hardener.images.image import folders as folders_of
from hardener.runtime import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.images.image import Image


def layers(image: Image, cache: str) -> tuple[str, ...]:
    """Return the folders of an image's layers, the lowest first; `cache` is made if need be, for us alone."""
    folders = folders_of(image, cache)
    if all(posix.access(folder, posix.F_OK) for folder in folders):
        return folders
    from hardener.images import unpack

    places.ensure(cache)
    if posix.geteuid() == 0:
        return unpack.layers(image, cache)
    from hardener.runtime import borrowed

    borrowed.as_root(lambda: unpack.layers(image, cache))
    return folders
