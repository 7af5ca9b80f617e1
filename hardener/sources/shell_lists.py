"""Put commands together: pipelines, lists and compound commands, whatever the shell language.

A reader recognises words and operators and tells a `ListBuilder`, which keeps the books: what pipes into what, which compound
command encloses which, which options are in force. Compound commands live on a stack, so depth costs no recursion.
"""

from typing import Final

from hardener.record import NamedTuple
from hardener.sources.programs import set_options
from hardener.sources.shell import MAX_DEPTH, Command, Pipeline, Problem, Redirect, Script, Word
from hardener.text import View

OPENERS: Final = {"if": "if", "loop": "for, while or until", "case": "case", "group": "{", "subshell": "("}


class _Frame(NamedTuple):
    """What is set aside while the inside of a compound command is read."""

    kind: str
    compound: Command
    pipeline: Pipeline
    members: list[Command]
    scope: tuple[str, ...]
    enclosing: Command | None
    pipefail: bool
    errexit: bool


class ListBuilder:
    """Builds one list of commands: a whole script or the inside of a substitution."""

    __slots__ = (
        "closed", "command", "enclosing", "errexit", "frames", "has_scripts", "is_function", "is_piped", "last", "leading", "members",
        "operator", "pipefail", "pipeline", "problems", "scope", "script", "view", "words",
    )  # fmt: skip

    def __init__(self, script: Script, view: View, problems: list[Problem]) -> None:
        self.script = script
        self.view = view
        self.problems = problems
        self.scope = script.scope
        self.pipefail = script.pipefail
        self.errexit = script.errexit
        self.enclosing: Command | None = None
        self.frames: list[_Frame] = []
        self.command: Command | None = None
        self.words: list[Word] = []
        self.has_scripts = False  # whether any of the words may hold a substitution
        self.leading: list[Word] = []  # `!` and `time`, which stand before simple and compound commands alike
        self.last = 0  # where the command being built ends so far
        self.closed: Command | None = None  # a compound command that has just ended and may still be redirected
        self.pipeline: Pipeline | None = None
        self.members: list[Command] = []
        self.operator = ""
        self.is_piped = False  # a `|` waits for its right side, which may stand on a later line
        self.is_function = False  # the next compound command is a function's body

    def problem(self, message: str, start: int, end: int) -> None:
        """Note something that the shell would refuse."""
        self.problems.append(Problem(message, self.view.span(start, end)))

    def begin(self, start: int) -> Command:
        """Start a simple command at `start`."""
        if self.closed is not None:
            self.end_pipeline("")
        self.is_function = False
        self.command = command = self._new(start)
        return command

    def _new(self, start: int) -> Command:
        leading = self.leading
        if leading:
            start = leading[0].start
            self.words[:0] = leading
            self.leading = []
        pipeline = self.pipeline
        if pipeline is None:
            pipeline = self.pipeline = Pipeline(self.script, self.operator)
            self.members = []
            self.script.own.append(pipeline)
        command = Command(self.script, self.view, start, pipeline, self.scope, self.enclosing, pipefail=self.pipefail, errexit=self.errexit)
        self.members.append(command)
        self.script.nodes.append(command)
        self.is_piped = False
        return command

    def forget(self) -> None:
        """Take back the simple command being built, which turned out to be something else."""
        self.script.nodes.pop()
        self.members.pop()
        if not self.members:
            self.script.own.pop()
            self.pipeline = None
        self.words.clear()
        self.command = None

    def finish(self) -> None:
        """End the simple command being built, if any."""
        command = self.command
        if command is None:
            if not self.leading:
                return
            self.last = self.leading[-1].end
            command = self.begin(self.leading[0].start)
        words = self.words
        command.words = tuple(words)
        command.end = self.last
        if self.has_scripts:
            own(words, command)
            self.has_scripts = False
        if words and words[0].text == "set":
            self.pipefail, self.errexit = set_options([word.text for word in words[1:]], pipefail=self.pipefail, errexit=self.errexit)
        words.clear()
        self.command = None

    def pipe(self, start: int, end: int) -> None:
        """Act on a `|`."""
        self.finish()
        self.closed = None
        if self.pipeline is None or self.is_piped:
            self.problem("nothing is piped here", start, end)
        else:
            self.is_piped = True

    def end_pipeline(self, operator: str) -> None:
        """End the command and the pipeline being built; `operator` joins what follows to it."""
        self.finish()
        if self.pipeline is None or (operator == "\n" and self.is_piped):
            return
        self.closed = None
        self.is_piped = False
        self.pipeline.commands = tuple(self.members)
        self.pipeline = None
        self.operator = operator

    def end_all(self, end: int) -> None:
        """End everything, also what is still open."""
        while self.frames:
            self._unclosed()
            self._pop(end)
        self.end_pipeline("")

    def open(self, kind: str, start: int) -> Command:
        """Start a compound command at `start`."""
        if self.closed is not None:
            self.end_pipeline("")
        compound = self._new(start)
        compound.words = tuple(self.words)
        self.words.clear()
        label = "function" if self.is_function else kind
        compound.compound = label
        compound.inner_start = compound.inner_end = len(self.script.nodes)
        frame = _Frame(kind, compound, compound.pipeline, self.members, self.scope, self.enclosing, self.pipefail, self.errexit)
        self.frames.append(frame)
        if len(self.scope) < MAX_DEPTH:
            self.scope = (*self.scope, label)
        self.is_function = False
        self.enclosing = compound
        self.pipeline = None
        self.operator = ""
        return compound

    def innermost(self, kind: str) -> int:
        """Return the place on the stack of the innermost compound command of this kind that may end here, -1 without one.

        Nothing ends across the parenthesis of a subshell.
        """
        frames = self.frames
        for at in range(len(frames) - 1, max(-1, len(frames) - 1 - MAX_DEPTH), -1):
            if frames[at].kind == kind:
                return at
            if frames[at].kind == "subshell":
                break
        return -1

    def close(self, kind: str, pos: int) -> bool:
        """End the innermost compound command of this kind at `pos`; False when there is none that may end here."""
        at = self.innermost(kind)
        if at < 0:
            return False
        self.end_pipeline("")
        self.close_above(at, pos)
        self._pop(pos)
        return True

    def close_above(self, at: int, pos: int) -> None:
        """End, as unclosed, whatever was opened after the compound command at place `at` of the stack."""
        while len(self.frames) > at + 1:
            self._unclosed()
            self._pop(pos)
        self.end_pipeline("")

    def _unclosed(self) -> None:
        frame = self.frames[-1]
        start = frame.compound.start
        self.problem(f"this {OPENERS[frame.kind]} is never closed", start, start + 1)

    def _pop(self, end: int) -> None:
        self.end_pipeline("")
        frame = self.frames.pop()
        compound = frame.compound
        compound.end = end
        compound.inner_end = len(self.script.nodes)
        self.pipeline = frame.pipeline
        self.members = frame.members
        self.scope = frame.scope
        self.enclosing = frame.enclosing
        if frame.kind == "subshell":
            self.pipefail, self.errexit = frame.pipefail, frame.errexit
        self.closed = compound

    def redirect(self, redirect: Redirect) -> Command:
        """Attach a redirection to the command being built, or to the compound one that has just ended; return it."""
        command = self.command
        if command is None and self.closed is not None:
            command = self.closed
            command.end = redirect.end
        elif command is None:
            command = self.begin(redirect.start)
        command.add_redirect(redirect)
        self.last = redirect.end
        return command


def own(words: "list[Word] | tuple[Word, ...]", command: Command) -> None:
    """Make `command` the parent of the substitutions in `words`."""
    for word in words:
        for script in word.scripts:
            command.holds_scripts = True
            script.parent = command
