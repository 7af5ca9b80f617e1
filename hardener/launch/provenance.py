"""What a policy's `images:` says to an image that is about to be started: by its name before anything is fetched, by its signature before
anything is unpacked. Imported only under a policy that has `images:`.

Signatures are not looked for here, where nothing speaks with registries: an image starts when it was found to be signed before
(verified.py), and else `Unverified` asks whoever runs us to look, and to try again.
"""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.images.signatures.keys import fingerprint
from hardener.launch import verified
from hardener.oci import reference as references
from hardener.policies import images as wanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hardener.images.signatures.verify import Subject
    from hardener.oci.reference import Reference
    from hardener.policies.images import Gap, Images, Signed


class Unverified(HardenError):
    """An image that has to be signed, and was not found to be so yet. `folder` is its layout; "" for one of a registry."""

    def __init__(self, policy: str, name: str, subject: Subject, folder: str, rule: Signed) -> None:
        how = f"harden image verify --key {rule.keys[0].name} {name}"
        super().__init__(f"the policy {policy} wants {name} to be signed, which was not checked yet", where=rule.where, how=how)
        self.policy = policy
        self.name = name
        self.subject = subject
        self.folder = folder
        self.rule = rule


class Provenance:
    """A policy's `images:`, and the user's folder for data, which remembers what was verified."""

    def __init__(self, images: Images, data: str) -> None:
        self._images = images
        self._data = data

    def check_name(self, text: str) -> Reference:
        """Return the reference that a text is; refuse one that the policy does not allow."""
        if why := references.error(text):
            raise HardenError(f"{text!r} is no name of an image: {why}", where="harden run", how="write REGISTRY/NAME[:TAG|@DIGEST]")
        named = references.split(text)
        self._refuse(text, wanted.gaps(self._images, named.registry, named.repository, has_digest=named.digest is not None))
        return named

    def check_file(self, folder: str) -> None:
        """Refuse an image layout that the policy does not allow."""
        self._refuse(folder, wanted.file_gaps(self._images, _name_of(folder)))

    def _refuse(self, text: str, gaps: tuple[Gap, ...]) -> None:
        for gap in gaps:
            raise HardenError(
                f"{text} {gap.says}: the policy {self._images.policy} refuses it", where=gap.where, how=f"it wants {gap.wants}"
            )

    def check_signed(self, name: str, subject: Subject, folder: str = "") -> None:
        """Raise `Unverified` unless an image was found to be signed with a key of each entry that is about it."""
        named = subject.reference
        rules = wanted.file_rules(self._images, _name_of(folder)) if named is None else wanted.rules(self._images, named)
        for rule in rules:
            fingerprints = [fingerprint(key.pem.encode()) for key in rule.keys]
            if not verified.holds(self._data, subject.digest, fingerprints, named, rule.signed_as):
                raise Unverified(self._images.policy, name, subject, folder, rule)


def _name_of(folder: str) -> str:
    """Return what policies call an image layout: by where it really lies."""
    from os.path import realpath

    return f"oci:{realpath(folder)}"
