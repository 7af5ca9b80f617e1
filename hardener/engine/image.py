"""Images -> findings: look through an image once, judge what was found, and put each finding where its reader can mend it.

analyse   one pass over the layers, with everything in it that any rule asks for; nothing is written, nothing executed
judge     rules on the contents, and on the history where it is as good as a Dockerfile (dispatch_images.py)
anchor    to the lines of the Dockerfile that was given, or to the line that names the image (image_anchors.py)
"""

from __future__ import annotations

import os
from json import dumps
from typing import TYPE_CHECKING, Final

from hardener.engine.lint import Linter, Opened, crash_error
from hardener.engine.outcome import Outcome, finish
from hardener.engine.ready import Crash, Judged
from hardener.images.find import TRANSPORTS
from hardener.rules import image_credentials, image_document, image_words
from hardener.rules.context import ImageContext
from hardener.rules.image_contents import KEPT_BYTES, Contents, is_kept
from hardener.rules.image_programs import Programs
from hardener.text import Place, SourceFile, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hardener.engine.image_anchors import Anchors
    from hardener.images.image import Image
    from hardener.images.scan import Scanner


def analyse(image: Image, further: Sequence[Scanner] = (), *, secrets_alone: bool = False) -> Contents:
    """Look through an image once, with further scanners beside those that rules need; return what was found.

    `secrets_alone`: only what the rules on credentials need.

    Raises `HardenError` when a layer is not what its digests say, or goes beyond a limit.
    """
    from hardener.images.kept import Kept
    from hardener.images.packages.scanner import PackageScanner
    from hardener.images.scan import scan
    from hardener.rules.secrets.scanner import SecretScanner

    kept = Kept(is_kept, limit=KEPT_BYTES)
    programs = Programs()
    packages = PackageScanner()
    secrets = SecretScanner()
    view = scan(image, (packages, secrets, *(() if secrets_alone else (kept, programs)), *further))
    document = image_document.read(image)
    owned, found = packages.owned(view), packages.packages(view)
    return Contents(image, document, view, kept, programs, owned=owned, packages=found, unread=packages.notes, scanner=secrets)


def identity(image: Image) -> str:
    """Return what an image is called without tag and digest: the same for all its builds."""
    reference = image.reference
    if reference is not None:
        return f"{reference.registry}/{reference.repository}"
    name = image.name.partition("@")[0]
    above, slash, last = name.rpartition("/")
    transport, colon, rest = last.partition(":") if not slash else ("", "", last)
    if colon and transport in TRANSPORTS:  # oci:layout:v1, in one word
        return f"{transport}:{rest.partition(':')[0]}"
    return f"{above}{slash}{last.partition(':')[0]}"


def judge(linter: Linter, contents: Contents, outcome: Outcome, anchors: Anchors | None = None, only: str = "") -> None:
    """Judge an image, and add what comes of it to `outcome`. `only`: the rules whose ids begin so."""
    document = contents.document
    if anchors is not None:
        anchors.align(document)  # it may know better than we do which lines are of the base image
    opened = _Places(linter, contents, anchors)
    plan = opened.plan
    dispatch = plan.images_of(only)
    for rule in dispatch.rules:
        outcome.rules[rule.id] = rule
    outcome.files.update(opened.files)
    context = ImageContext(contents, plan.settings, linter.options.today)
    found: dict[tuple[str, str, Span], Judged] = {}
    for result in dispatch.judge(context):
        if isinstance(result, Crash):
            outcome.errors.append(crash_error(result, document.file.path))
        else:
            found.setdefault((result.rule.id, result.match.about, result.match.span if not result.match.about else Span(0, 0)), result)
    opened.mask({*contents.secrets, *image_credentials.quoted(contents)})
    for result in sorted(found.values(), key=lambda each: (each.match.span, each.rule.id, each.match.about)):
        opened.weigh(result, outcome)
    outcome.notices.extend(opened.notices())


MOST_SECRETS: Final = 500
"""Credentials of one image's text that are hidden one by one; of more, all of the text is."""

SURE: Final = 12
"""Characters of a credential of the image that is hidden in the files of others, too."""


class _Places:
    """The files that the findings of one image stand in: the image's own text, the Dockerfile, or the file that names the image."""

    def __init__(self, linter: Linter, contents: Contents, anchors: Anchors | None) -> None:
        self._linter = linter
        self._document = contents.document
        self._anchors = anchors
        self._identity = identity(contents.image)
        self._opened: dict[str, Opened] = {}
        first = anchors.files[0] if anchors is not None else (self._document.file, os.path.join(linter.options.cwd, contents.image.name))
        self.plan = linter.plan(linter.config(first[1]))
        self.files: dict[str, str] = {}
        for file, absolute in anchors.files if anchors is not None else (first,):
            self._open(file, absolute)
            self.files[file.path] = absolute

    def _open(self, file: SourceFile, absolute: str) -> None:
        linter = self._linter
        config = linter.config(absolute)
        plan = linter.plan(config)
        comments = None
        # An image's own text may say what it likes: it does not ignore anything.
        if linter.options.honour_ignores and file is not self._document.file and self._anchors is not None:
            comments = self._anchors.comments(file, plan.selector, today=linter.options.today, forbidden=config.forbidden_ignores)
        self._opened[file.path] = Opened(file, absolute, config, plan, comments, linter.options, image=self._identity)

    def mask(self, secrets: Iterable[str]) -> None:
        """Let no report quote credentials of the image's text: many read the logs of builds."""
        secrets = sorted(secrets, key=len, reverse=True)
        for opened in self._opened.values():
            text, known = opened.file.text, secrets
            if opened.file is not self._document.file:  # of others: a short one may be any word there
                known = [*image_credentials.found((), (text,)), *[secret for secret in secrets if len(secret) >= SURE]]
            elif len(secrets) > MOST_SECRETS:
                known, text = [], "".join([each if each == "\n" else "*" for each in text])
            for secret in known[:MOST_SECRETS]:
                for written in {secret, image_words.quoted(secret).strip('"'), dumps(secret, ensure_ascii=False)[1:-1]}:
                    text = text.replace(written, "*" * len(written))
            if text != opened.file.text:
                opened.file = SourceFile(opened.file.path, text)

    def weigh(self, result: Judged, outcome: Outcome) -> None:
        """Turn a match into a finding, at the place where it is shown."""
        match = result.match
        place = self._place(match.span)
        related = tuple((self._place(where) if isinstance(where, Span) else where, text) for where, text in match.related)
        moved = result._replace(match=match._replace(span=place.span, related=related))
        opened = self._opened[place.file.path]
        severity = opened.plan.severity(moved)
        if severity is not None:
            opened.weigh(moved, severity, outcome)

    def _place(self, span: Span) -> Place:
        """Return where a part of the image's text is shown, in a text without credentials, which has the same offsets."""
        place = Place(self._document.file, span) if self._anchors is None else self._anchors.place(span)
        return Place(self._opened[place.file.path].file, place.span)

    def notices(self) -> Iterable[str]:
        """Yield what there is to say about the ignore comments."""
        for opened in self._opened.values():
            yield from opened.notices(())


def lint(linter: Linter, images: Iterable[tuple[Contents, Anchors | None]], only: str = "") -> Outcome:
    """Judge images; findings come back sorted by place, with fingerprints. `only`: see `judge`."""
    outcome = Outcome([], [], [], [], {}, {})
    for contents, anchors in images:
        judge(linter, contents, outcome, anchors, only)
    finish(outcome, fingerprints=linter.options.fingerprints)
    return outcome
