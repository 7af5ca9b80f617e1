"""Read the shell inside a Dockerfile: commands, words, pipelines, and the code that hides in their arguments.

Rules ask what a script *runs*, so this reader looks through everything that stands between a line of text and a program: prefixes
(`sudo -E`, `env X=1`, `timeout 5`), compound commands, substitutions, and strings that another shell reads (`sh -c "…"`, `eval`,
exec form). Every word knows its place in the file, also inside quoted scripts. It never raises: what cannot be read becomes a
`Problem`, and reading goes on behind it. The POSIX grammar is in `shell_posix`, PowerShell and cmd in `shell_windows`.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hardener.record import NamedTuple
from hardener.sources import programs
from hardener.text import Span, View, ViewBuilder

if TYPE_CHECKING:
    from hardener.sources.options import Options

MAX_DEPTH: Final = 64  # nested substitutions that are read; deeper ones are skipped over
MAX_REREADS: Final = 8  # levels of `sh -c` inside `sh -c`: each reads its text again

_GLOB = re.compile(r"[*?\[]")


class Problem(NamedTuple):
    """Something in a script that a shell would refuse, such as an unterminated quote."""

    message: str
    span: Span


class Shell(NamedTuple):
    """A shell as an argv or a shebang line names it: `dialect` is `sh`, `bash`, `powershell`, `cmd` or `other`."""

    dialect: str
    pipefail: bool
    errexit: bool


class Word:
    """One word of a command.

    `text` has the quotes removed and the expansions as written; `start` and `end` are offsets in `view`. `static` says that no
    expansion or substitution takes part (a glob may); `scripts` are the substitutions in it.
    """

    __slots__ = ("end", "start", "text", "view")

    static: bool = True
    quoted: bool = False
    scripts: "tuple[Script, ...]" = ()

    def __init__(self, view: View, start: int, end: int, text: str) -> None:
        self.view = view
        self.start = start
        self.end = end
        self.text = text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    @property
    def raw(self) -> str:
        """The word as written, quotes included."""
        return self.view.text[self.start : self.end]

    @property
    def span(self) -> Span:
        """Where the word stands in the file, quotes included."""
        return self.view.span(self.start, self.end)

    @property
    def glob(self) -> bool:
        """Whether the shell would look for file names: an unquoted `*`, `?` or `[`."""
        return _GLOB.search(self.text) is not None

    @property
    def content(self) -> View:
        """`text` as a view: what a nested script is read from, and how a part of a word gets its span."""
        return self.view.sub(self.start, self.end)

    def part(self, start: int, end: int) -> Span:
        """Return the file span of `text[start:end]`."""
        return self.content.span(start, end)

    def tail(self, start: int) -> "Word":
        """Return the word that `text[start:]` is, such as the value of an assignment."""
        return Word(self.view, self.start + start, self.end, self.text[start:])


class QuotedWord(Word):
    """A word with quotes, escapes or expansions. `parts` are its pieces after unquoting: their text and offset in the view."""

    __slots__ = ("_glob", "found", "parts", "quoted", "scripts", "static")

    def __init__(self, view: View, start: int) -> None:
        super().__init__(view, start, start, "")
        self.parts: list[tuple[str, int]] = []
        self.static = True
        self.quoted = False
        self.scripts: tuple[Script, ...] = ()
        self.found: list[Script] = []  # the scripts, while the word is being read
        self._glob = False

    @property
    def glob(self) -> bool:
        """Whether the shell would look for file names: an unquoted `*`, `?` or `[`."""
        return self._glob

    @property
    def content(self) -> View:
        """`text` as a view, put together from the pieces between the quotes and escapes."""
        builder = ViewBuilder()
        if not self.parts:
            builder.add("", self.view.offset(self.start))
        for text, at in self.parts:
            append(builder, self.view, at, text)
        return builder.build()

    def add(self, text: str, at: int) -> None:
        """Append an unquoted, unexpanded piece."""
        self.parts.append((text, at))
        if not self._glob and _GLOB.search(text):
            self._glob = True

    def finish(self, end: int) -> Word:
        """Close the word at `end`; a word that turns out plain becomes a plain `Word`."""
        parts = self.parts
        if len(parts) == 1 and self.static and not self.quoted and len(parts[0][0]) == end - self.start:
            return Word(self.view, self.start, end, parts[0][0])
        self.end = end
        self.text = "".join([text for text, _ in parts])
        if self.found:
            self.scripts = tuple(self.found)
        return self

    def tail(self, start: int) -> Word:
        """Return the word that `text[start:]` is, such as the value of an assignment."""
        word = QuotedWord(self.view, self.end)
        for text, at in self.parts:
            if start < len(text):
                word.add(text[start:], at + start)
            start = max(0, start - len(text))
        if word.parts:
            # from the end of the name, so that an opening quote belongs to the value
            first = self.view.text.find("=", self.start, self.end) + 1
            word.start = first if 0 < first <= word.parts[0][1] else word.parts[0][1]
        word.static, word.quoted, word.scripts = self.static, self.quoted, self.scripts
        word.end, word.text = self.end, "".join([text for text, _ in word.parts])
        return word


class ArgWord(Word):
    """A word of an exec-form array, which no shell splits or expands; `text` is the JSON string decoded."""

    __slots__ = ("_raw",)

    quoted = True

    def __init__(self, raw: View) -> None:
        content = json_content(raw, 0, len(raw.text))
        super().__init__(content, 0, len(content.text), content.text)
        self._raw = raw

    @property
    def raw(self) -> str:
        """The string as written between its quotes."""
        return self._raw.text

    @property
    def span(self) -> Span:
        """Where the string stands in the file, without its quotes."""
        return self._raw.span(0, len(self._raw.text))

    @property
    def glob(self) -> bool:
        """Never: there is no shell to look for file names."""
        return False


class Redirect:
    """`2>&1`, `< file`, `<<EOF`, `<<< word`. `body` is a here-document's text, `expand` whether `$` counts in it."""

    __slots__ = ("body", "end", "expand", "fd", "operator", "scripts", "start", "target", "view")

    def __init__(self, view: View, start: int, end: int, operator: str, fd: str, target: Word | None) -> None:
        self.view = view
        self.start = start
        self.end = end
        self.operator = operator
        self.fd = fd  # "2", "{name}", or "" when the operator's own is meant
        self.target = target
        self.body: View | None = None  # None also for a here-document whose body is not in this text
        self.expand = target is None or not target.quoted
        self.scripts: tuple[Script, ...] = () if target is None else target.scripts

    @property
    def span(self) -> Span:
        """Where the redirection stands, descriptor and target included (a here-document's body is not)."""
        return self.view.span(self.start, self.end)


class Assignment(NamedTuple):
    """`NAME=value` before a command, after `env` or `sudo`, or as an operand of `export` and its kin."""

    name: str
    value: Word
    span: Span


class Command:
    """One simple command; or, inside a pipeline only, a compound one (`compound` names its kind and `name` is empty)."""

    __slots__ = (
        "_assignments",
        "_effective",
        "_redirects",
        "_reread",
        "compound",
        "enclosing",
        "end",
        "errexit",
        "holds_scripts",
        "inner_end",
        "inner_start",
        "option_cache",
        "pipefail",
        "pipeline",
        "scope",
        "script",
        "start",
        "view",
        "words",
    )

    def __init__(
        self,
        script: "Script",
        view: View | None,
        start: int,
        pipeline: "Pipeline",
        scope: tuple[str, ...],
        enclosing: "Command | None",
        *,
        pipefail: bool,
        errexit: bool,
    ) -> None:
        self.script = script
        self.view = view  # None when the words do not stand in one text: exec form, `find -exec`
        self.start = start
        self.end = start
        self.pipeline = pipeline
        self.scope = scope
        self.enclosing = enclosing  # the compound command it stands in, if any, in the same script
        self.pipefail = pipefail
        self.errexit = errexit
        self.compound = ""
        self.words: tuple[Word, ...] = ()
        self.holds_scripts = False  # whether any of its words does
        self.inner_start = 0  # the range of script.nodes inside a compound command
        self.inner_end = 0
        self.option_cache: Options | None = None
        self._redirects: list[Redirect] | None = None
        self._effective: programs.Effective | None = None
        self._assignments: tuple[Assignment, ...] | None = None
        self._reread: tuple[Script, ...] | None = None

    def __repr__(self) -> str:
        return f"Command({self.compound or ' '.join([word.text for word in self.words])!r})"

    @property
    def effective(self) -> "programs.Effective":
        """Which program runs, behind which prefixes, with which code in its arguments."""
        effective = self._effective
        if effective is None:
            effective = self._effective = programs.NONE if self.compound else programs.resolve(self)
        return effective

    @property
    def name(self) -> str:
        """The base name of the program that runs; empty when there is none or when it is a substitution's output.

        Lower-case and without `.exe` in PowerShell and cmd, where case does not count.
        """
        return self.effective.name

    @property
    def name_word(self) -> Word | None:
        """The word that names the program."""
        index = self.effective.position
        return self.words[index] if index < len(self.words) else None

    @property
    def prefixes(self) -> tuple[str, ...]:
        """The programs in front that only run another one, outermost first: `("env", "sudo")`."""
        return self.effective.prefixes

    @property
    def args(self) -> tuple[Word, ...]:
        """The words after the program's name."""
        return self.words[self.effective.position + 1 :]

    @property
    def assignments(self) -> tuple[Assignment, ...]:
        """Variables set for or by this command, in order."""
        found = self._assignments
        if found is None:
            found = self._assignments = tuple(
                Assignment(name, self.words[index].tail(length), self.words[index].span)
                for index, name, length in self.effective.assignments
            )
        return found

    @property
    def redirects(self) -> tuple[Redirect, ...]:
        """Its redirections, in order."""
        return tuple(self._redirects) if self._redirects else ()

    @property
    def span(self) -> Span:
        """From its first word (prefixes and assignments included) to its last word or redirection."""
        if self.view is None:
            return Span(self.words[0].span.start, self.words[-1].span.end) if self.words else Span(0, 0)
        return self.view.span(self.start, self.end)

    @property
    def parent(self) -> "Command | None":
        """The command in whose words or redirections this one is nested."""
        return self.script.parent

    @property
    def inner(self) -> "tuple[Command, ...]":
        """The simple commands of a compound command; a simple command itself."""
        if not self.compound:
            return (self,)
        return tuple([node for node in self.script.nodes[self.inner_start : self.inner_end] if not node.compound])

    @property
    def upstream(self) -> "tuple[Command, ...]":
        """The simple commands whose output may reach its standard input through pipes, in source order.

        Looks into compound commands on the left of the pipe, and out of those that it stands in itself.
        """
        found: list[Command] = []
        node: Command | None = self
        while node is not None and node.compound != "function":
            before: list[Command] = []
            for member in node.pipeline.commands:
                if member is node:
                    break
                before.extend(member.inner)
            found[:0] = before
            node = node.enclosing
        return tuple(found)

    @property
    def scripts(self) -> "tuple[Script, ...]":
        """Every script nested in it: substitutions of its words and redirections, then strings that another shell reads."""
        found: list[Script] = []
        if self.view is not None:  # a command of borrowed words leaves their substitutions to the lender
            for word in self.words:
                if word.scripts:
                    found.extend(word.scripts)
            if self._redirects:
                for redirect in self._redirects:
                    found.extend(redirect.scripts)
        if self._reread is None:
            self._reread = tuple(_reread(self))
        found.extend(self._reread)
        return tuple(found)

    def add_redirect(self, redirect: Redirect) -> None:
        """Attach a redirection (for readers)."""
        if self._redirects is None:
            self._redirects = []
        self._redirects.append(redirect)
        for script in redirect.scripts:
            script.parent = self


class Pipeline:
    """Commands joined by `|`. `operator` is how it was joined to the one before: `;`, `&&`, `||`, `&`, newline, or empty."""

    __slots__ = ("commands", "operator", "script")

    def __init__(self, script: "Script", operator: str) -> None:
        self.script = script
        self.operator = operator
        self.commands: tuple[Command, ...] = ()

    @property
    def span(self) -> Span:
        """From its first command to its last."""
        if not self.commands:
            return Span(0, 0)
        first, last = self.commands[0].span, self.commands[-1].span
        return Span(first.start, max(first.end, last.end))


class Script:
    """A text in one shell language, read.

    `dialect` is `sh`, `bash`, `powershell`, `cmd`, `other` (not a shell: no commands) or `exec` (an exec-form array: no shell).
    `scope` says where it stands: `("substitution",)`, `("sh -c",)`, …; `parent` is the command that holds it.
    """

    __slots__ = (
        "_commands",
        "_pipelines",
        "_view",
        "dialect",
        "end",
        "errexit",
        "level",
        "nodes",
        "own",
        "parent",
        "pipefail",
        "problems",
        "rereads",
        "scope",
        "start",
    )

    def __init__(
        self,
        view: View,
        start: int,
        end: int,
        dialect: str,
        *,
        pipefail: bool = False,
        errexit: bool = False,
        scope: tuple[str, ...] = (),
    ) -> None:
        self._view = view
        self.start = start
        self.end = end
        self.dialect = dialect
        self.pipefail = pipefail  # as it starts; commands carry what is in force where they stand
        self.errexit = errexit
        self.scope = scope
        self.parent: Command | None = None
        self.level = 0
        self.rereads = 0
        self.nodes: list[Command] = []  # simple and compound commands of this text alone, in source order
        self.own: list[Pipeline] = []  # pipelines of this text alone
        self.problems: tuple[Problem, ...] = ()
        self._commands: tuple[Command, ...] | None = None
        self._pipelines: tuple[Pipeline, ...] | None = None

    @property
    def view(self) -> View:
        """Its text."""
        if self.start > 0 or self.end < len(self._view.text):
            self._view = self._view.sub(self.start, self.end)
            self.start, self.end = 0, len(self._view.text)
        return self._view

    def replace(self, view: View) -> None:
        """Give it another text to be read from (for readers)."""
        self._view = view
        self.start, self.end = 0, len(view.text)

    @property
    def commands(self) -> tuple[Command, ...]:
        """Every simple command in source order, nested ones included: a parent comes before its children."""
        if self._commands is None:
            self._collect()
        return self._commands or ()

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """Every pipeline in source order, nested ones included."""
        if self._pipelines is None:
            self._collect()
        return self._pipelines or ()

    def _collect(self) -> None:
        commands: list[Command] = []
        pipelines: list[Pipeline] = []
        in_order = self._walk(commands, pipelines)
        if not in_order:
            # `eval "$(curl x)"` shows curl twice: as a substitution, and in the string that eval reads. The first reading stays.
            commands = sorted({command.span: command for command in reversed(commands)}.values(), key=_start)
            pipelines = sorted({pipeline.span: pipeline for pipeline in reversed(pipelines)}.values(), key=_start)
        self._commands, self._pipelines = tuple(commands), tuple(pipelines)

    def _walk(self, commands: list[Command], pipelines: list[Pipeline]) -> bool:
        """Append what stands here and below, parents first; return whether that is the order of the source, nothing twice."""
        in_order = True
        for node in self.nodes:
            if node.pipeline.commands[0] is node:
                pipelines.append(node.pipeline)
            effective = node.effective
            if not node.compound:
                commands.append(node)
            redirects = node._redirects
            if effective.codes or redirects is not None or (effective.reads_stdin and _printed_into(node)):
                # What is read twice may be found twice, and a here-document stands behind the line that announces it.
                in_order = in_order and not effective.codes and not any(redirect.body for redirect in redirects or ())
                in_order = in_order and not effective.reads_stdin
            elif not node.holds_scripts:
                continue
            for script in node.scripts:
                in_order = script._walk(commands, pipelines) and in_order
        return in_order


def _start(node: Command | Pipeline) -> int:
    return node.span.start


_DIALECTS: Final = {
    "sh": "sh",
    "dash": "sh",
    "ash": "sh",
    "busybox": "sh",
    "bash": "bash",
    "rbash": "bash",
    "ksh": "bash",
    "ksh93": "bash",
    "mksh": "bash",
    "zsh": "bash",
    "pwsh": "powershell",
    "powershell": "powershell",
    "cmd": "cmd",
}


def dialect_of(argv0: str) -> str:
    """Return the dialect of a shell's path or name: `sh`, `bash` (also ksh and zsh), `powershell`, `cmd`; `other` for no shell."""
    name = argv0.replace("\\", "/").rpartition("/")[2].lower()
    return _DIALECTS.get(name.removesuffix(".exe"), "other")


def shell_of(argv: Sequence[str]) -> Shell:
    """Return the shell that an argv such as a SHELL instruction's starts, with the options that its words switch on."""
    if not argv:
        return Shell("other", pipefail=False, errexit=False)
    dialect = dialect_of(argv[0])
    pipefail = errexit = False
    if dialect in {"sh", "bash"}:
        pipefail, errexit = programs.set_options(argv[1:], pipefail=False, errexit=False)
    return Shell(dialect, pipefail, errexit)


def shebang(first_line: str) -> Shell | None:
    """Return the shell that a `#!` line starts, `None` when the line is not one."""
    if not first_line.startswith("#!"):
        return None
    words = first_line[2:].split()
    if words and words[0].rpartition("/")[2] == "env":
        del words[0]
        while words and (words[0].startswith("-") or "=" in words[0]):
            del words[0]
    return shell_of(words)


def shebang_dialect(first_line: str) -> str:
    """Return the dialect that a `#!` line names, an empty string when the line is not one."""
    shell = shebang(first_line)
    return "" if shell is None else shell.dialect


def parse(view: View, *, dialect: str = "sh", pipefail: bool = False, errexit: bool = False) -> Script:
    """Return the script that a text is.

    `pipefail` and `errexit` are in force from the start when the shell was called with them (`SHELL ["bash", "-eo", "pipefail",
    "-c"]`). A here-document whose body is not in the text simply has none; pass a view that goes on to the end marker to have it.
    """
    script = Script(view, 0, len(view.text), dialect, pipefail=pipefail, errexit=errexit)
    _read(script)
    return script


def _read(script: Script) -> None:
    match script.dialect:
        case "sh" | "bash":
            from hardener.sources import shell_posix

            shell_posix.read(script)
        case "powershell" | "cmd":
            from hardener.sources import shell_windows

            shell_windows.read(script)
        case _:
            pass


def from_argv(words: Sequence[tuple[str, View]]) -> Script:
    """Return the script that an exec-form array amounts to: one command, and whatever a `sh -c` in it reads.

    Each word comes as its decoded text and the view of what stands between its quotes in the file.
    """
    args = tuple([ArgWord(raw) for _, raw in words])
    view = join([word.view for word in args])
    script = Script(view, 0, len(view.text), "exec")
    _single(script, args)
    return script


def from_words(view: View, words: Sequence[Word]) -> Script:
    """Return the script of one command that something other than a shell has split into words; `view` is all of it."""
    script = Script(view, 0, len(view.text), "exec")
    _single(script, tuple(words))
    return script


def _single(script: Script, words: tuple[Word, ...]) -> None:
    """Fill `script` with the one command that `words` are."""
    if not words:
        return
    pipeline = Pipeline(script, "")
    command = Command(script, None, 0, pipeline, script.scope, None, pipefail=False, errexit=script.errexit)
    command.words = words
    pipeline.commands = (command,)
    script.nodes.append(command)
    script.own.append(pipeline)


def _reread(command: Command) -> "list[Script]":
    """Return the scripts in a command's arguments and standard input that another shell, or the same one again, reads."""
    outer = command.script
    if outer.rereads >= MAX_REREADS or outer.level >= MAX_DEPTH or command.compound:
        return []
    scripts: list[Script] = []
    for code in command.effective.codes:
        inherits = code.dialect == ""
        dialect = code.dialect or (outer.dialect if outer.dialect != "exec" else "sh")
        view = join([word.content for word in code.words]) if not code.split else View("", [0], [0], 0)
        script = Script(
            view,
            0,
            len(view.text),
            dialect,
            pipefail=command.pipefail if inherits else code.pipefail,
            errexit=command.errexit if inherits else code.errexit,
            scope=(*command.scope, code.scope),
        )
        _adopt(script, command)
        if code.split:
            _single(script, code.words)
        else:
            _read(script)
        scripts.append(script)
    if command.effective.reads_stdin:
        for redirect in (*command.redirects, *_printed_into(command)):
            body: View | None = None
            if redirect.operator == "<<<" and redirect.target is not None:
                body = redirect.target.content
            elif redirect.body is not None:
                body = _unescaped(redirect.body) if redirect.expand else redirect.body
            if body is not None and redirect.fd in {"", "0"}:
                script = Script(body, 0, len(body.text), dialect_of(command.name), scope=(*command.scope, "heredoc"))
                if command.name not in _DIALECTS:
                    script.dialect = "sh"  # su and its kin start the user's login shell
                _adopt(script, command)
                _read(script)
                scripts.append(script)
    return scripts


def _printed_into(command: Command) -> tuple[Redirect, ...]:
    """Return the input of a bare `cat` that is piped into a command: `cat <<EOF | sh` hands the here-document on."""
    members = command.pipeline.commands
    if len(members) < 2 or members[1] is not command:
        return ()
    source = members[0]
    return source.redirects if source.name == "cat" and not source.args else ()


def _adopt(script: Script, command: Command) -> None:
    script.parent = command
    script.level = command.script.level + 1
    script.rereads = command.script.rereads + 1


_HEREDOC_ESCAPE = re.compile(r"\\([\\$`]|\r?\n)")


def _unescaped(body: View) -> View:
    """Return a here-document's text as its reader gets it, after the outer shell has taken its backslashes."""
    text = body.text
    if "\\" not in text:
        return body
    builder = ViewBuilder()
    at = 0
    for match in _HEREDOC_ESCAPE.finditer(text):
        append(builder, body, at, text[at : match.start()])
        if not match[1].endswith("\n"):
            append(builder, body, match.start(1), match[1])
        at = match.end()
    append(builder, body, at, text[at:])
    return builder.build()


def append(builder: ViewBuilder, view: View, at: int, text: str) -> None:
    """Add `text`, which stands at offset `at` of `view`, to a view under construction."""
    if len(view.origins) == 1:
        builder.add(text, view.origins[0] + at)
    elif len(text) < 2:
        builder.add(text, view.offset(at))
    else:
        piece = view.sub(at, at + len(text))
        stops = [*piece.starts[1:], len(piece.text)]
        for start, stop, origin in zip(piece.starts, stops, piece.origins, strict=True):
            builder.add(piece.text[start:stop], origin)


def join(views: Sequence[View]) -> View:
    """Return the views with a space between each: what `eval` and `powershell -Command` make of their arguments."""
    if len(views) == 1:
        return views[0]
    builder = ViewBuilder()
    for index, view in enumerate(views):
        if index:
            builder.add(" ", views[index - 1].end)
        append(builder, view, 0, view.text)
    return builder.build()


_JSON_ESCAPE: Final = r"(?s)\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))"
_JSON_CHARACTERS: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def json_content(view: View, start: int, end: int) -> View:
    """Return what the JSON string whose quotes enclose `view.text[start:end]` holds, mapped to the file character by character.

    As Go's encoding/json has it: surrogate pairs are joined, lone surrogates become U+FFFD.
    """
    text = view.text
    if text.find("\\", start, end) < 0:
        return view.sub(start, end)
    builder = ViewBuilder()
    at = start
    for match in re.compile(_JSON_ESCAPE).finditer(text, start, end):
        append(builder, view, at, text[at : match.start()])
        high, low, code, plain = match.groups("")
        if plain and plain not in _JSON_CHARACTERS:
            append(builder, view, match.start(4), plain)
        else:
            if high:
                character = chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
            elif code:
                character = "\ufffd" if 0xD800 <= int(code, 16) <= 0xDFFF else chr(int(code, 16))
            else:
                character = _JSON_CHARACTERS[plain]
            builder.add(character, view.offset(match.start()))
        at = match.end()
    append(builder, view, at, text[at:end])
    return builder.build()
