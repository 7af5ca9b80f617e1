"""What a policy asks of images, held to the names in Dockerfiles, compose files and run lines: each key of `images:` a rule of its own.

Such rules exist only while a policy has `images:`; they have the severity of what a policy forbids, and no comment ignores them. Whether
an image is signed is not in its name: `harden run` and `harden image verify` look.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hardener.engine.ready import Judged
from hardener.finding import Confidence, Match, Rule, Severity
from hardener.policies.gate import IMAGES_TAG
from hardener.policies.images import IMAGES_KEYS, gaps
from hardener.sources.expansion import HOLE

if TYPE_CHECKING:
    from hardener.policies.images import Gap, Images
    from hardener.sources.dockerfile import Dockerfile
    from hardener.sources.service import Project


def judge_dockerfile(images: "Images", document: "Dockerfile") -> Iterator[Judged]:
    """Yield every image that a Dockerfile pulls and that is not what a policy asks for."""
    from hardener.rules.checks.base_images import is_image
    from hardener.sources.stages import images as named

    for image in named(document):
        if isinstance(image.registry, str) and is_image(image):
            repository = image.repository if isinstance(image.repository, str) else None
            for gap in gaps(images, image.registry, repository, has_digest=image.digest is not None):
                yield _judged(images, gap, image.raw, Match(image.span))


def judge_services(images: "Images", project: "Project") -> Iterator[Judged]:
    """Yield every image that the services of a project pull and that is not what a policy asks for."""
    from hardener.rules.checks.service.images import in_registry

    for service in project.services:
        reference = in_registry(service, project)
        if reference is None or service.image is None:
            continue
        image = service.image
        repository = None if HOLE in reference.repository else reference.repository
        # A variable in the last part may bring its own digest.
        has_digest = reference.digest is not None or HOLE in image.text.rpartition("/")[2]
        for gap in gaps(images, reference.registry, repository, has_digest=has_digest):
            match = Match(image.place.span, related=image.history, file=image.place.file)
            yield _judged(images, gap, image.text.replace(HOLE, "…"), match)


def _judged(images: "Images", gap: "Gap", name: str, match: Match) -> Judged:
    return Judged(_rule(gap), match, f"{name} {gap.says}; the policy {images.policy} wants {gap.wants}")


def _rule(gap: "Gap") -> Rule:
    """Return the rule that stands for a key of a policy."""
    return Rule(
        id=f"images.{gap.key}",
        name=f"policy-images-{gap.key}",
        on="image",
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        title=f"Not what the policy asks of images: {gap.key}",
        message="",
        why=f"The policy asks for it ({gap.where}): {IMAGES_KEYS[gap.key]}.",
        how="Name another image, or change the policy.",
        references=(),
        same_as=(),
        tags=(IMAGES_TAG,),
        profiles=(),
    )
