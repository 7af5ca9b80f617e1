"""Rules x one image -> matches: the counterpart of dispatch.py, imported only where there are images.

The lines of an image's history are no Dockerfile, but some rules on Dockerfiles hold for them just as well: those that look at one
command or one instruction by itself. They judge the lines of who built the image, never those of its base. What the history does not
have cannot be judged: stages, mounts, comments, the names of local files, the values of variables in a RUN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from hardener.engine.ready import Crash, Judged, Ready, apply
from hardener.rules import image_facts
from hardener.rules.checks import Check, image_checks
from hardener.rules.checks.image.provenance import CLASSIC_ADD
from hardener.rules.image_facts import ITEMS, FileOf, LayerOf, StepOf
from hardener.text import SourceFile, Span

if TYPE_CHECKING:
    from hardener.finding import Rule
    from hardener.rules.context import ImageContext
    from hardener.rules.image_document import ImageDocument
    from hardener.rules.load import RuleSource

KINDS: Final = ("image", "image.file", "image.layer", "image.step", *(f"image.{item}" for item in ITEMS))

ON_HISTORY: Final = frozenset(
    {
        *("HD204", "HD205", "HD206"),  # sudo, and passwords of accounts
        *("HD421", "HD425"),  # an index updated alone, a release upgraded
        *("HD441", "HD442"),  # packages and repositories without signatures
        *("HD501", "HD502", "HD504", "HD505", "HD507", "HD508", "HD509", "HD510", "HD511", "HD512"),  # what is fetched, and how
        *("HD513", "HD515"),  # ADD
    }
)
"""Rules on Dockerfiles that are true of a line of history as well."""

_HEAD: Final = "FROM scratch\n"


class ImageDispatch:
    """The rules on images, sorted by kind of subject."""

    def __init__(self, sources: Iterable[RuleSource], known: Mapping[str, Check] | None = None) -> None:
        table = image_checks() if known is None else known
        self.rules: list[Rule] = []
        self._by_kind: dict[str, list[Ready]] = {kind: [] for kind in KINDS}
        self._on_history: list[RuleSource] = []
        for source in sources:
            rule = source.rule
            if rule.id in ON_HISTORY:
                self._on_history.append(source)
                self.rules.append(rule)
            if rule.on not in self._by_kind:
                continue
            check = table.get(rule.id)
            if check is None and source.match is None:
                raise ValueError(f"{rule.id} has neither `match:` nor a check")
            self.rules.append(rule)
            self._by_kind[rule.on].append(Ready(source, check))

    def judge(self, context: ImageContext) -> list[Judged | Crash]:
        """Return every match of every rule on an image, in no particular order."""
        contents = context.contents
        out: list[Judged | Crash] = []
        for kind, subjects in (
            ("image", iter((contents,))),
            ("image.step", (StepOf(contents, step) for step in contents.document.steps)),
            ("image.layer", (LayerOf(contents, summary, step) for summary, step in contents.summaries())),
            ("image.file", (FileOf(contents, path, found) for path, found in contents.view)),
            *((f"image.{item}", image_facts.items(contents, item)) for item in ITEMS),
        ):
            rules = self._by_kind[kind]
            if rules:
                for subject in subjects:
                    self._apply(rules, subject, context, out)
        if self._on_history:
            out += self._history(contents.document)
        return out

    def _apply(self, rules: list[Ready], subject: object, context: ImageContext, out: list[Judged | Crash]) -> None:
        first = len(out)
        apply(rules, subject, context, context.contents.document.file, out)
        for at in range(first, len(out)):
            result = out[at]
            if isinstance(result, Judged) and not result.match.about:
                out[at] = result._replace(match=result.match._replace(about=image_facts.about(subject)))

    def _history(self, document: ImageDocument) -> Iterator[Judged | Crash]:
        """Yield what rules on Dockerfiles say of the lines of who built the image."""
        from hardener.engine.dispatch import Dispatch
        from hardener.rules.context import Context
        from hardener.sources import dockerfile

        parsed = dockerfile.parse(SourceFile(document.file.path, _HEAD + document.file.text))
        for result in Dispatch(self._on_history).judge(Context(parsed)):
            if isinstance(result, Crash):
                yield result
                continue
            start, end = result.match.span
            span = Span(max(0, start - len(_HEAD)), max(0, end - len(_HEAD)))
            step = document.step_at(span)
            if step is None or not step.own or step.index < 0:
                continue
            # HI503 knows more of ADD where the classic builder has left no name.
            if result.rule.id != "HD515" or not CLASSIC_ADD.match(step.text):
                about = f"step:{document.file.slice(span)}"
                match = result.match._replace(span=span, related=(), anchors=(), fix=None, about=about)
                yield result._replace(match=match)
