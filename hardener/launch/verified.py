"""Which images were found to be signed, with which keys: kept beside the store, so that they start without a network.

    DATA/images/verified/ALGORITHM-DIGITS-FINGERPRINT    one line for each name that a signature of this key gave the image, or an empty one

What is kept says no more than that a signature was checked here. It is believed as the unpacked layers are: nobody else can write there.
Remove the file, and the signature is looked for again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from hardener.images.signatures.verify import fits
from hardener.oci.image import split_digest
from hardener.runtime import places

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardener.images.signatures.verify import Verification
    from hardener.oci.reference import Reference

LARGEST: Final = 64 << 10
_KIND, _REGULAR, _OTHERS_WRITE = 0o170000, 0o100000, 0o022


def record(data: str, verification: Verification) -> None:
    """Keep that an image was found to be signed. `data` is the user's folder for data."""
    found: dict[str, list[str]] = {}
    for one in verification.valid:
        if one.key is not None:
            found.setdefault(_path(data, verification.subject.digest, one.key.fingerprint), []).append(one.repository)
    for path, names in found.items():
        places.ensure(os.path.dirname(os.path.dirname(path)))
        places.ensure(os.path.dirname(path))
        known = _names(path) or []
        fresh = f"{path}.{os.getpid()}"
        try:
            # Whatever the umask: what others may write to is not believed.
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "w", encoding="utf-8") as file:
                file.write("".join(f"{name}\n" for name in dict.fromkeys([*known, *names])))
            os.replace(fresh, path)
        except OSError as error:
            raise places.trouble(error, path) from error


def holds(data: str, digest: str, fingerprints: Iterable[str], wanted: Reference | None, signed_as: Sequence[str]) -> bool:
    """Tell whether one of some keys was found to have signed an image, under a name that fits."""
    places.trust(_path(data, digest, ""))
    return any(
        fits(name, wanted, signed_as)
        for fingerprint in fingerprints
        if fingerprint
        for name in _names(_path(data, digest, fingerprint)) or ()
    )


def _path(data: str, digest: str, fingerprint: str) -> str:
    algorithm, digits = split_digest(digest)
    return f"{data}/images/verified/{algorithm}-{digits}-{fingerprint}"


def _names(path: str) -> list[str] | None:
    """Return the names of a file that nobody else can have written; None without one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None
    with open(fd, encoding="utf-8", errors="replace") as file:
        found = os.fstat(fd)
        if found.st_mode & _KIND != _REGULAR or found.st_mode & _OTHERS_WRITE or found.st_uid not in (0, os.geteuid()):
            return None
        return file.read(LARGEST).splitlines()
