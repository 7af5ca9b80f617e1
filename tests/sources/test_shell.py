"""The shell reader: what a script runs, where it stands, and that nothing makes it fail."""

import itertools
import json
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hardener.sources import shell
from hardener.sources.shell import Command, Script, Word
from hardener.text import SourceFile, Span, View, ViewBuilder


def read(text: str, dialect: str = "sh") -> Script:
    return shell.parse(View.of(SourceFile("script", text), Span(0, len(text))), dialect=dialect)


def line(command: Command) -> str:
    """Name and arguments, the prefixes in brackets before them."""
    before = f"[{' '.join(command.prefixes)}] " if command.prefixes else ""
    return before + " ".join([command.name or "-", *[word.text for word in command.args]])


def lines(script: Script) -> list[str]:
    return [line(command) for command in script.commands]


def slices(text: str, script: Script) -> list[str]:
    return [text[slice(*command.span)] for command in script.commands]


def first_words(text: str, dialect: str = "sh") -> tuple[Word, ...]:
    return read(text, dialect).commands[0].words


# --- words ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b", ["a", "b"]),
        ("  a\t b  ", ["a", "b"]),
        (r"a\ b", ["a b"]),
        ("'a b' c", ["a b", "c"]),
        ("a'b'\"c\"d", ["abcd"]),
        ("\"a 'b' $c\"", ["a 'b' $c"]),
        (r'"\"a\" \\ \$b \` \c"', ['"a" \\ $b ` \\c']),
        ("a \"\" ''", ["a", "", ""]),
        ("$a ${b} $1 $@ $", ["$a", "${b}", "$1", "$@", "$"]),
        ("${a:-b c} x", ["${a:-b c}", "x"]),
        ("${a:-\"b }\"} ${a:-'}'}", ['${a:-"b }"}', "${a:-'}'}"]),
        ('"${a:-it\'s}" b', ["${a:-it's}", "b"]),
        ("${a:-${b:-$(c d)}}", ["${a:-${b:-$(c d)}}"]),
        ("${#a} ${#} ${a#*/}", ["${#a}", "${#}", "${a#*/}"]),
        ("$(a b) `c d`", ["$(a b)", "`c d`"]),
        ("$((1 + 2)) $(( (1) ))", ["$((1 + 2))", "$(( (1) ))"]),
        ("a$(b \"c)\")d 'e'", ['a$(b "c)")d', "e"]),
        (r"$'a\nb\x41\101A\'\q' c", ["a\nbAAA'q", "c"]),
        ('$"a b"', ["a b"]),
        ("a#b #c d", ["a#b"]),
        ("a\\\nb c", ["ab", "c"]),
        ("a \\\n b \\\r\n c\r\n", ["a", "b", "c"]),
        ('"a\\\nb"', ["ab"]),
        ("a {b,c} ~ *", ["a", "{b,c}", "~", "*"]),
        ("--a=<(b c) d", ["--a=<(b c)", "d"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert [word.text for word in first_words(text)] == words


@pytest.mark.parametrize(
    ("text", "static", "quoted", "glob"),
    [
        ("a", True, False, False),
        ("'a'", True, True, False),
        (r"a\b", True, True, False),
        ("$a", False, False, False),
        ('"$a"', False, True, False),
        ("'$a'", True, True, False),
        ("`a`", False, False, False),
        ("$((1))", False, False, False),
        ("a*", True, False, True),
        ("'a*'", True, True, False),
        (r"a\*", True, True, False),
        ('"$a"*', False, True, True),
        ("a[0]", True, False, True),
    ],
)
def test_what_is_known_of_a_word(text: str, static: bool, quoted: bool, glob: bool) -> None:
    word = first_words(f"x {text}")[1]
    assert (word.static, word.quoted, word.glob) == (static, quoted, glob)


def test_an_extended_glob_is_one_word_in_bash() -> None:
    word = first_words("rm !(a|$(b)).txt c", "bash")[1]
    assert (word.text, word.glob, [line(c) for s in word.scripts for c in s.commands]) == ("!(a|$(b)).txt", True, ["b"])


def test_a_word_knows_its_place_and_those_of_its_parts() -> None:
    text = 'x "a\\"b"c'
    word = first_words(text)[1]
    assert (word.raw, text[slice(*word.span)]) == ('"a\\"b"c', '"a\\"b"c')
    assert text[slice(*word.part(1, 2))] == '"'
    assert text[slice(*word.part(2, 4))] == 'b"c'


# --- commands and operators -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("# sudo x", []),
        ("a && b || c; d & e | f\ng", ["a", "b", "c", "d", "e", "f", "g"]),
        ("a |& b", ["a", "b"]),
        ("a # b && c\nd", ["a", "d"]),
        ("(cd /tmp && make) | tee x", ["cd /tmp", "make", "tee x"]),
        ("{ a; b; } > c", ["a", "b"]),
        ("if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]),
        ("if [ -f x ]; then a\nfi", ["[ -f x ]", "a"]),
        ("while a; do b; done; until c; do d; done", ["a", "b", "c", "d"]),
        ("for x in a b; do c $x; done", ["c $x"]),
        ("for x\ndo c; done", ["c"]),
        ("for ((i=0; i<$(n); i++)); do a; done", ["n", "a"]),
        ("select x in a; do b; done", ["b"]),
        ("case $x in a|b) c;; (d) e ;; *) f; g;& h) ;; esac; i", ["c", "e", "f", "g", "i"]),
        ("case $(a) in $(b)) c;; esac", ["a", "b", "c"]),
        ("case a in\n  # note\n  b)\n    c\n    ;;\nesac", ["c"]),
        ("f() { a; }; function g { b; }; function h() (c)\nf", ["a", "b", "c", "f"]),
        ("[[ a < b && c || (d =~ ^e|f$) ]] && g", ["[[ a < b && c || (d =~ ^e|f$) ]]", "g"]),
        ("([[ -n x ]]) && a", ["[[ -n x ]]", "a"]),
        ("[[ a &&\n b ]]", ["[[ a && b ]]"]),
        ("((x = 4 / 2)) && a", ["((", "a"]),
        ("((a); (b))", ["a", "b"]),
        ("a then fi done { }", ["a then fi done { }"]),
        ("echo if; if=1 a", ["echo if", "a"]),
        ("! a && ! { b; }", ["[!] a", "b"]),
        ("!", ["!"]),
        ("time -p a; time { b; }", ["[time] a", "b"]),
        ("x=(a $(b) 'c d') e", ["e", "b"]),
        ("a\n\n|| b", ["a", "b"]),
    ],
)
def test_commands(text: str, expected: list[str]) -> None:
    script = read(text, "bash")
    assert lines(script) == expected


@pytest.mark.parametrize(
    ("text", "pipelines"),
    [
        ("a | b && c", [("", "a b"), ("&&", "c")]),
        ("a; b & c\nd", [("", "a"), (";", "b"), ("&", "c"), ("\n", "d")]),
        ("a |\n # note\n\n b || \n c", [("", "a b"), ("||", "c")]),
        ("a | (b; c) | d", [("", "a subshell d"), ("", "b"), (";", "c")]),
        ("if a; then b; fi | c", [("", "if c"), ("", "a"), ("", "b")]),
        ("f() { a; }", [("", "function"), ("", "a")]),
        ("a $(b | c)", [("", "a"), ("", "b c")]),
    ],
)
def test_pipelines(text: str, pipelines: list[tuple[str, str]]) -> None:
    found = read(text).pipelines
    assert [(p.operator, " ".join(c.name or c.compound for c in p.commands)) for p in found] == pipelines


@pytest.mark.parametrize(
    ("text", "name", "upstream"),
    [
        ("curl x | sh", "sh", ["curl"]),
        ("curl x | tee y | sh", "sh", ["curl", "tee"]),
        ("curl x | { cat; sh; }", "sh", ["curl"]),
        ("{ curl x; wget y; } | sh", "sh", ["curl", "wget"]),
        ("curl x | while read l; do sh; done", "sh", ["curl"]),
        ("curl x; sh", "sh", []),
        ("curl x && a | sh", "sh", ["a"]),
        ("curl x | f() { sh; }", "sh", []),
    ],
)
def test_what_may_flow_into_a_command(text: str, name: str, upstream: list[str]) -> None:
    command = next(command for command in read(text).commands if command.name == name)
    assert [other.name for other in command.upstream] == upstream


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("x", ()),
        ("(x)", ("subshell",)),
        ("{ x; }", ("group",)),
        ("if a; then x; fi", ("if",)),
        ("while a; do (x); done", ("loop", "subshell")),
        ("case a in b) x;; esac", ("case",)),
        ("f() { x; }", ("function",)),
        ("a $(x)", ("substitution",)),
        ("a `x`", ("substitution",)),
        ("(a <(x))", ("subshell", "process-substitution")),
        ("(sh -c x)", ("subshell", "sh -c")),
        ("bash -lc x", ("bash -c",)),
        ("eval x", ("eval",)),
        ("su -c x", ("su -c",)),
        ("trap x EXIT", ("trap",)),
        ("find . -exec x ;", ("find -exec",)),
        ("find . -exec x {} \\;", ("find -exec",)),
        ("sh <<E\nx\nE", ("heredoc",)),
    ],
)
def test_scope(text: str, scope: tuple[str, ...]) -> None:
    command = next(command for command in read(text).commands if command.name == "x")
    assert command.scope == scope


def test_a_nested_command_knows_its_parent() -> None:
    outer, substituted, quoted = read("a=$(b) sh -c 'c'").commands
    assert (substituted.parent, quoted.parent, outer.parent) == (outer, outer, None)


def test_a_compound_command_knows_its_inside_and_its_redirections() -> None:
    text = "a | { b; (c); } 2>/dev/null"
    compound = read(text).pipelines[0].commands[1]
    assert (compound.compound, compound.name, [c.name for c in compound.inner]) == ("group", "", ["b", "c"])
    assert [r.operator for r in compound.redirects] == [">"]
    assert text[slice(*compound.span)] == "{ b; (c); } 2>/dev/null"


# --- which program runs -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/usr/bin/apt-get update", "apt-get update"),
        ("$JAVA_HOME/bin/java -jar", "java -jar"),
        ("$SUDO a", "$SUDO a"),
        ("\\curl x", "curl x"),
        ("$(a b/c) d", "- d"),
        ("X=1 Y=2 a", "a"),
        ("X=1", "-"),
        ("env X=1 sudo -u x apt-get install a", "[env sudo] apt-get install a"),
        ("env -i -u A PATH=/bin a", "[env] a"),
        ("env - a", "[env] a"),
        ("env", "env"),
        ("/usr/bin/env X=1", "env X=1"),
        ("sudo -E -u www -g x -- a -b", "[sudo] a -b"),
        ("sudo -Eu www X=1 a", "[sudo] a"),
        ("sudo --user=www a", "[sudo] a"),
        ("sudo --user www a", "[sudo] a"),
        ("sudo -s", "sudo -s"),
        ("sudo -l a", "sudo -l a"),
        ("sudo", "sudo"),
        ("doas -u www a", "[doas] a"),
        ("exec -a x a", "[exec] a"),
        ("exec > log", "exec"),
        ("command -p a", "[command] a"),
        ("command -v a", "command -v a"),
        ("builtin cd x", "[builtin] cd x"),
        ("nice -n 5 a", "[nice] a"),
        ("nice -10 a", "[nice] a"),
        ("nohup a", "[nohup] a"),
        ("timeout -k 5 -s9 10 a", "[timeout] a"),
        ("timeout 5", "timeout 5"),
        ("gosu www a -b", "[gosu] a -b"),
        ("su-exec www:www a", "[su-exec] a"),
        ("setpriv --reuid 1000 --clear-groups a", "[setpriv] a"),
        ("runuser -u www -- a", "[runuser] a"),
        ("runuser www -c x", "runuser www -c x"),
        ("chroot --userspec=a /mnt b", "[chroot] b"),
        ("xargs -0 -I{} -n 1 rm -rf {}", "[xargs] rm -rf {}"),
        ("busybox wget x", "[busybox] wget x"),
        ("tini -s -- a", "[tini] a"),
        ("stdbuf -oL a", "[stdbuf] a"),
        ("exec sudo nice env A=1 a", "[exec sudo nice env] a"),
    ],
)
def test_the_program_behind_prefixes(text: str, expected: str) -> None:
    assert line(read(text).commands[0]) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1 B='x y' a", [("A", "1", "A=1"), ("B", "x y", "B='x y'")]),
        ("A=$(b) a", [("A", "$(b)", "A=$(b)")]),
        ("A+=1 B[0]=2", [("A", "1", "A+=1"), ("B", "2", "B[0]=2")]),
        ("A=(b c)", [("A", "(b c)", "A=(b c)")]),
        ("A= a", [("A", "", "A=")]),
        ("env A=1 'B-c=2' a C=3", [("A", "1", "A=1"), ("B-c", "2", "'B-c=2'")]),
        ("sudo A=1 a", [("A", "1", "A=1")]),
        ("export A=1 B", [("A", "1", "A=1")]),
        ('declare -x A="1"', [("A", "1", 'A="1"')]),
        ("'A=1' a", []),
        ("a A=1", []),
        ("env 'A=x y' a", [("A", "x y", "'A=x y'")]),
    ],
)
def test_assignments(text: str, expected: list[tuple[str, str, str]]) -> None:
    found = read(text).commands[0].assignments
    assert [(item.name, item.value.text, text[slice(*item.span)]) for item in found] == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("A=1 b", "1"), ("A='1 2' b", "'1 2'"), ('A=x"$y"z b', 'x"$y"z'), ("A= b", "")],
)
def test_the_value_of_an_assignment_has_its_own_place(text: str, value: str) -> None:
    span = read(text).commands[0].assignments[0].value.span
    assert text[slice(*span)] == value


# --- code in arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sh -c 'a | b'", ["a", "b"]),
        ('sh -c "a \\"b c\\" && d"', ["a b c", "d"]),
        ("bash -lc 'a' b", ["a"]),
        ("bash -euxo pipefail -c 'a'", ["a"]),
        ("bash -o errexit -c a", ["a"]),
        ("bash --norc --rcfile x -c a", ["a"]),
        ("sudo -E sh -c 'sudo b'", ["[sudo] b"]),
        ("timeout 5 /bin/sh -c a", ["a"]),
        ("sh -c 'sh -c \"a\"'", ["sh -c a", "a"]),
        ("sh x.sh -c a", []),
        ("sh -c", []),
        ("bash -c $X", ["$X"]),
        ("su - www -c 'a'", ["a"]),
        ("su --command='a b' www", ["a b"]),
        ("su -lc a", ["a"]),
        ("runuser -l www -c 'a'", ["a"]),
        ("eval a 'b; c'", ["a b", "c"]),
        ("eval -- a", ["a"]),
        ("eval", []),
        ("trap 'rm x' EXIT", ["rm x"]),
        ("trap - EXIT", []),
        ("env -S 'a b'", ["a b"]),
        ("env '-Sa b'", ["a b"]),
        ("find . -exec a {} + -o -exec sh -c 'b $1' \\;", ["a {}", "sh -c b $1", "b $1"]),
        ("find . -exec a", ["a"]),
        ("xargs sh -c 'a'", ["a"]),
        ("sh <<'E'\na; b\nE", ["a", "b"]),
        ("sh <<E\na \\$x `b`\nE", ["a $x `b`", "b"]),
        ("sh -s -- x <<E\na\nE", ["a"]),
        ("bash <<< 'a'", ["a"]),
        ("sh x.sh <<E\na\nE", []),
        ("cat <<E\na\nE", []),
        ("su www <<E\na\nE", ["a"]),
        ('powershell -NoProfile -Command "a | b"', ["a", "b"]),
        ("pwsh -c a b", ["a b"]),
        ("pwsh -File a.ps1", []),
        ("pwsh a.ps1", []),
        ("powershell a b", ["a b"]),
        ("powershell -ep Bypass -EncodedCommand abc", []),
        ('cmd /S /C "a & b"', ["a", "b"]),
        ("python -c 'import x; sudo'", []),
    ],
)
def test_code_in_arguments(text: str, expected: list[str]) -> None:
    assert [line(command) for command in read(text).commands[1:]] == expected


def test_what_eval_reads_again_is_found_once() -> None:
    commands = read('eval "$(curl x)"; sh -c "$(wget y)"').commands
    assert [(c.name, c.scope) for c in commands if c.name in {"curl", "wget"}] == [
        ("curl", ("substitution",)),
        ("wget", ("substitution",)),
    ]


def test_spans_go_through_quotes() -> None:
    text = 'a && sh -c "sudo \\"x\\" && curl \'y\'"'
    script = read(text)
    assert slices(text, script) == ["a", text[5:], 'sudo \\"x\\"', "curl 'y'"]
    # A word starts with its first character after unquoting: the backslash that protects a leading quote stays outside.
    assert [text[slice(*word.span)] for word in script.commands[2].words] == ["sudo", '"x\\"']


def test_spans_go_through_backticks_in_backticks() -> None:
    text = "a `b \\`c\\` \\$d`"
    assert slices(text, read(text)) == [text, "b \\`c\\` \\$d", "c"]


# --- exec form --------------------------------------------------------------------------------------------------------------


def exec_form(text: str) -> Script:
    """Read a JSON array as the Dockerfile parser hands it over: each word's text, and a view of what stands between its quotes."""
    file = SourceFile("Dockerfile", text)
    words: list[tuple[str, View]] = []
    at = 0
    for value in json.loads(text):
        raw = json.dumps(value)
        at = text.index(raw, at)
        words.append((value, View.of(file, Span(at + 1, at + len(raw) - 1))))
        at += len(raw)
    return shell.from_argv(words)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", []),
        ('["node", "a b"]', ["node a b"]),
        ('["/usr/bin/sudo", "-E", "a"]', ["[sudo] a"]),
        ('["A=1", "a"]', ["A=1 a"]),
        ('["bash", "-o", "pipefail", "-c", "a \\"b\\" | c"]', ['bash -o pipefail -c a "b" | c', "a b", "c"]),
        ('["sh", "-c", "a\\nb"]', ["sh -c a\nb", "a", "b"]),
        ('["sh", "-c", "\\u0061 \\ud83d\\ude00"]', ["sh -c a \U0001f600", "a \U0001f600"]),
        ('["tini", "--", "sh", "-c", "exec a"]', ["[tini] sh -c exec a", "[exec] a"]),
        ('["powershell", "-Command", "iwr x | iex"]', ["powershell -Command iwr x | iex", "iwr x", "iex"]),
    ],
)
def test_exec_form(text: str, expected: list[str]) -> None:
    assert lines(exec_form(text.replace("\\u0061", "a") if "ud83d" in text else text)) == expected


def test_an_exec_form_expands_nothing_itself() -> None:
    command = exec_form('["rm", "$x*"]').commands[0]
    assert (command.script.dialect, command.words[1].static, command.words[1].glob, command.words[1].raw) == ("exec", True, False, "$x*")


def test_spans_go_through_json() -> None:
    text = '["bash", "-o", "pipefail", "-c", "a \\"b\\" | sudo c"]'
    script = exec_form(text)
    assert slices(text, script)[1:] == ['a \\"b\\"', "sudo c"]
    assert [command.pipefail for command in script.commands] == [False, True, True]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("a", "a"),
        (r"\"\\\/\n\t\r\b\f", '"\\/\n\t\r\b\f'),
        (r"\u0041\u00e9", "Aé"),
        (r"\ud83d\ude00", "\U0001f600"),
        (r"\ud83d", "\ufffd"),
        (r"\ud83dx", "\ufffdx"),
        ("\\", "\\"),
    ],
)
def test_json_content(raw: str, text: str) -> None:
    view = View.of(SourceFile("x", raw), Span(0, len(raw)))
    assert shell.json_content(view, 0, len(raw)).text == text


# --- redirections and here-documents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > b 2>&1", ["> b", "2>& 1"]),
        ("a >>b <c <>d >|e", [">> b", "< c", "<> d", ">| e"]),
        ("a &>b &>>c 2>&- <&3-", ["&> b", "&>> c", "2>& -", "<& 3-"]),
        ("a {fd}>b", ["{fd}> b"]),
        ("> a", ["> a"]),
        ("> a b", ["> a"]),
        ("a 2 > b", ["> b"]),
        ("a2> b", ["> b"]),
        ("a <<< 'b c'", ["<<< b c"]),
        ("a > '$b'", ["> $b"]),
        ("a >$b", ["> $b"]),
        ("a < <(b)", ["< <(b)"]),
        ("a >", [">"]),
    ],
)
def test_redirections(text: str, expected: list[str]) -> None:
    found = read(text, "bash").commands[0].redirects
    assert [f"{item.fd}{item.operator} {item.target.text if item.target else ''}".strip() for item in found] == expected


def test_the_place_of_a_redirection() -> None:
    text = "a 2>> 'b' c"
    redirect = read(text).commands[0].redirects[0]
    assert text[slice(*redirect.span)] == "2>> 'b'"


@pytest.mark.parametrize(
    ("text", "body", "expand", "rest"),
    [
        ("cat <<E\na\nb\nE\nc", "a\nb\n", True, ["c"]),
        ("cat <<'E'\n$(a)\nE\nc", "$(a)\n", False, ["c"]),
        ("cat <<\\E\n$(a)\nE\nc", "$(a)\n", False, ["c"]),
        ("cat <<E\n$(a) \\$(b) `c`\nE\nd", "$(a) \\$(b) `c`\n", True, ["a", "c", "d"]),
        ("cat <<E\n$((1 + $(a)))\nE", "$((1 + $(a)))\n", True, ["a"]),
        ("cat <<-E\n\ta\n\t\tb\n\tE\nc", "a\nb\n", True, ["c"]),
        ("cat <<E | a\nEE\n E\nE\nb", "EE\n E\n", True, ["a", "b"]),
        ("cat <<E\r\na\r\nE\r\nb\r\n", "a\r\n", True, ["b"]),
        ("cat <<''\na\n\nb", "a\n", False, ["b"]),
        ("cat <<E\nE", "", True, []),
        ("cat <<E\na", "a", True, []),
        ("(cat <<E\na\nE\n) && b", "a\n", True, ["b"]),
    ],
)
def test_here_documents(text: str, body: str, expand: bool, rest: list[str]) -> None:
    script = read(text)
    redirect = script.commands[0].redirects[0]
    assert redirect.body is not None
    assert (redirect.body.text, redirect.expand, lines(script)[1:]) == (body, expand, rest)


def test_two_here_documents_on_one_line() -> None:
    first, second = read("cat <<A <<B\na\nA\nb\nB\nc").commands[0].redirects
    assert (first.body and first.body.text, second.body and second.body.text) == ("a\n", "b\n")


def test_a_here_document_inside_a_substitution() -> None:
    assert lines(read("a $(cat <<E\nx )\nE\n) b; c")) == ["a $(cat <<E\nx )\nE\n) b", "cat", "c"]


def test_a_here_document_without_its_body_is_no_problem() -> None:
    script = read("cat <<E > f")
    assert (script.commands[0].redirects[0].body, script.problems) == (None, ())


# --- options in force -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pipefail", "errexit"),
    [
        ("x", False, False),
        ("set -e; x", False, True),
        ("set -o pipefail && x", True, False),
        ("set -euxo pipefail\nx", True, True),
        ("set -eux -o pipefail; x", True, True),
        ("set -o errexit; x", False, True),
        ("set -eo pipefail; set +eo pipefail; x", False, False),
        ("(set -e; y); x", False, False),
        ("set -e; (x)", False, True),
        ("set -o pipefail; a $(x)", True, False),
        ("set -eo pipefail; sh -c x", False, False),
        ("bash -eo pipefail -c x", True, True),
        ("set -eo pipefail; eval x", True, True),
        ("set -- -e; x", False, False),
        ("echo set -e; x", False, False),
    ],
)
def test_options_in_force(text: str, pipefail: bool, errexit: bool) -> None:
    command = next(command for command in read(text).commands if command.name == "x")
    assert (command.pipefail, command.errexit) == (pipefail, errexit)


def test_options_in_force_from_the_start() -> None:
    view = View.of(SourceFile("x", "a"), Span(0, 1))
    command = shell.parse(view, dialect="bash", pipefail=True, errexit=True).commands[0]
    assert (command.pipefail, command.errexit) == (True, True)


# --- dialects ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv0", "dialect"),
    [
        ("sh", "sh"),
        ("/bin/sh", "sh"),
        ("/bin/dash", "sh"),
        ("ash", "sh"),
        ("/bin/busybox", "sh"),
        ("/usr/bin/bash", "bash"),
        ("zsh", "bash"),
        ("ksh", "bash"),
        ("pwsh", "powershell"),
        ("powershell.exe", "powershell"),
        ("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\PowerShell.exe", "powershell"),
        ("cmd", "cmd"),
        ("CMD.EXE", "cmd"),
        ("python3", "other"),
        ("", "other"),
    ],
)
def test_dialect_of(argv0: str, dialect: str) -> None:
    assert shell.dialect_of(argv0) == dialect


@pytest.mark.parametrize(
    ("first_line", "dialect"),
    [
        ("#!/bin/sh", "sh"),
        ("#! /bin/bash -e", "bash"),
        ("#!/usr/bin/env bash", "bash"),
        ("#!/usr/bin/env -S A=1 bash -e", "bash"),
        ("#!/usr/bin/env python3", "other"),
        ("#!/usr/bin/pwsh", "powershell"),
        ("#!", "other"),
        ("echo", ""),
    ],
)
def test_shebang_dialect(first_line: str, dialect: str) -> None:
    assert shell.shebang_dialect(first_line) == dialect


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["/bin/bash", "-o", "pipefail", "-c"], ("bash", True, False)),
        (["/bin/bash", "-euxo", "pipefail", "-c"], ("bash", True, True)),
        (["/bin/sh", "-ec"], ("sh", False, True)),
        (["powershell", "-ExecutionPolicy", "x"], ("powershell", False, False)),
        ([], ("other", False, False)),
    ],
)
def test_shell_of(argv: list[str], expected: tuple[str, bool, bool]) -> None:
    assert shell.shell_of(argv) == expected


def test_another_language_has_no_commands() -> None:
    script = read("import os\nos.system('sudo x')\n", "other")
    assert (script.commands, script.pipelines, script.problems) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("iwr https://x | iex", ["iwr https://x", "iex"]),
        ('Invoke-WebRequest -Uri "https://x/$v" -OutFile a; b', ["invoke-webrequest -Uri https://x/$v -OutFile a", "b"]),
        (
            "iex ((New-Object Net.WebClient).DownloadString('u'))",
            ["iex ((New-Object Net.WebClient).DownloadString('u'))", "new-object Net.WebClient"],
        ),
        ("$x = iwr y; $z=1", ["iwr y"]),
        ("[Net.X]::Y = 'Tls'; a", ["a"]),
        ("if (Test-Path x) { a | b } else { c }", ["test-path x", "a", "b", "c"]),
        ("a | ForEach-Object { b $_ }", ["a", "foreach-object { b $_ }", "b $_"]),
        ("& 'C:\\Program Files\\X.exe' /a `\n /b", ["[&] x /a /b"]),
        ("curl.exe -k x", ["curl -k x"]),
        ("Write-Host \"a `\"q`\" $(get-date) ''\" 'it''s' # c | d\ne", ["write-host a \"q\" $(get-date) '' it's", "get-date", "e"]),
        ('Write-Host "sudo x | sh"', ["write-host sudo x | sh"]),
        ("@'\nsudo x\n'@ | out-file y", ["out-file y"]),
        ('a @"\nb $c\n"@ d', ["a b $c d"]),
        ("a <# b | c #> d", ["a d"]),
        ("a |\n b", ["a", "b"]),
        ("a && b || c", ["a", "b", "c"]),
        ("a > b 2>&1 *> c", ["a"]),
        ("a @{b='c;d'} ${e f} g", ["a @{b='c;d'} ${e f} g"]),
        ("bash -c 'd e'", ["bash -c d e", "d e"]),
        ("'just a string'", []),
        ("throw 'x'", []),
    ],
)
def test_powershell(text: str, expected: list[str]) -> None:
    assert [item for item in lines(read(text, "powershell")) if item != "-" and not item.startswith("- ")] == expected


def test_powershell_pipelines_and_places() -> None:
    text = "iwr 'https://x' | iex"
    script = read(text, "powershell")
    assert [c.name for c in script.pipelines[0].commands] == ["iwr", "iex"]
    assert slices(text, script) == ["iwr 'https://x'", "iex"]
    assert [c.name for c in script.commands[1].upstream] == ["iwr"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("curl.exe -k x && del /q y", ["curl -k x", "del /q y"]),
        ("a & b | c\r\nd", ["a", "b", "c", "d"]),
        ("@echo off\nrem a & b\n:: c\n:label\nd", ["echo off", "d"]),
        ('set "A=b c"', ["set A=b c"]),
        ("call x.bat ^\n y > nul 2>&1", ["[call] x.bat y"]),
        ("start /wait msiexec.exe /i x", ["[start] msiexec /i x"]),
        ("if exist x (a) else (b)", ["a", "b"]),
        ('if not "%X%"=="1" a', ["a"]),
        ("for %i in (a b) do echo %i", ["echo %i"]),
        ("echo (a) ^& b", ["echo (a) & b"]),
        ("powershell -Command iwr x; iex y", ["powershell -Command iwr x; iex y", "iwr x", "iex y"]),
        ('powershell -Command "iwr x | iex"', ["powershell -Command iwr x | iex", "iwr x", "iex"]),
        ('cmd /S /C "a & b"', ["cmd /S /C a & b", "a", "b"]),
        ("start", ["start"]),
        ("", []),
    ],
)
def test_cmd(text: str, expected: list[str]) -> None:
    assert lines(read(text, "cmd")) == expected


# --- what no shell would take -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problems", "names"),
    [
        ("a «'»b\nc", ["this single quote is never closed"], ["a", "c"]),
        ('a «"»b $(d)\nc', ["this double quote is never closed"], ["a", "d", "c"]),
        ('a «"»b', ["this double quote is never closed"], ["a"]),
        ("a «`»b\nc", ["this backtick is never closed"], ["a", "b", "c"]),
        ("a «$(»b; c", ["this ( is never closed"], ["a", "b", "c"]),
        ("a «${»b; c", ["this ${ is never closed"], ["a", "c"]),
        ("x=«(»a b", ["this ( is never closed"], [""]),
        ("«(»a; b", ["this ( is never closed"], ["a", "b"]),
        ("«i»f a; then b", ["this if is never closed"], ["a", "b"]),
        ("(«i»f a) && b", ["this if is never closed"], ["a", "b"]),
        ("case x in a) «{» b;; c) d;; esac", ["this { is never closed"], ["b", "d"]),
        ("a «)» b", ["this ) was never opened"], ["a", "b"]),
        ("a; «fi»; b", ["this fi closes nothing"], ["a", "b"]),
        ("a «;;» b", ["this ;; is not inside a case"], ["a", "b"]),
        ("a «(»b)", ["a ( cannot stand here"], ["a", "b"]),
        ("a; «|» b", ["nothing is piped here"], ["a", "b"]),
        ("a «>»; b", ["> has no target"], ["a", "b"]),
        ("a «<<E»\nb", ["the here-document 'E' has no end marker"], ["a"]),
        ("«[[» a; b", ["this [[ is never closed"], ["[[", "b"]),
        ("«case x» a; b", ["this case has no `in`", "this case is never closed"], ["a", "b"]),
        ("case x in «a» ; b;; esac", ["a case pattern ends with )"], ["b"]),
    ],
)
def test_a_problem_hides_nothing_else(text: str, problems: list[str], names: list[str]) -> None:
    start, end = text.index("«"), text.index("»") - 1
    script = read(text.replace("«", "").replace("»", ""))
    assert [problem.message for problem in script.problems] == problems
    assert script.problems[0].span == Span(start, end)
    assert [command.name for command in script.commands] == names


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a }", "this } was never opened"),
        ("a { b", "this { is never closed"),
        ('a "b', "this quote is never closed"),
        ("a 'b", "this quote is never closed"),
        ("a @'\nb", "this here-string is never closed"),
        ("| a", "nothing is piped here"),
    ],
)
def test_problems_of_powershell(text: str, problem: str) -> None:
    assert [item.message for item in read(text, "powershell").problems] == [problem]


@pytest.mark.parametrize(("text", "problem"), [('a "b\nc', "this quote is never closed"), (") a", "this ) was never opened")])
def test_problems_of_cmd(text: str, problem: str) -> None:
    assert [item.message for item in read(text, "cmd").problems] == [problem]


# --- the constructs that linters trip over ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fetch", "runs"),
    [
        ("curl https://x | sudo -E bash -", "curl", "bash"),
        ("wget -qO- https://x | sh", "wget", "sh"),
        ("curl https://x | tac | tac | bash -s -- -y", "curl", "bash"),
        ("(curl https://x) | env A=1 bash", "curl", "bash"),
        ("set -o pipefail && curl https://x | /bin/sh", "curl", "sh"),
        ("sh -c 'curl https://x | sh'", "curl", "sh"),
    ],
)
def test_a_download_piped_into_a_shell(text: str, fetch: str, runs: str) -> None:
    command = [command for command in read(text).commands if command.name == runs][-1]
    assert fetch in [other.name for other in command.upstream]


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("bash <(curl https://x)", "process-substitution"),
        ('sh -c "$(curl https://x)"', "substitution"),
        ('eval "$(curl https://x)"', "substitution"),
        (". <(curl https://x)", "process-substitution"),
        ("bash < <(curl https://x)", "process-substitution"),
        ("bash <<< $(curl https://x)", "substitution"),
    ],
)
def test_a_download_substituted_into_a_shell(text: str, scope: str) -> None:
    curl = next(command for command in read(text, "bash").commands if command.name == "curl")
    assert curl.parent is not None
    assert (curl.parent.words[0].text, curl.scope) == (text.split(maxsplit=1)[0], (scope,))


@pytest.mark.parametrize(
    "text", ['echo "sudo apt-get install"', "echo 'curl x | sh'", "# sudo x", "cat <<'E'\nsudo x\nE", 'X="a && sudo b" c']
)
def test_text_is_not_a_command(text: str) -> None:
    assert not {"sudo", "apt-get", "curl", "sh"} & {word.text for command in read(text).commands for word in command.words[:1]}
    assert not any("sudo" in command.prefixes for command in read(text).commands)


# --- laws -------------------------------------------------------------------------------------------------------------------

ATOMS = (
    *(
        "a",
        "b ",
        "curl x",
        "sudo ",
        "env A=1 ",
        "sh -c ",
        "bash -lc ",
        "eval ",
        "find . -exec ",
        "su -c ",
        "trap ",
        "xargs ",
        "-",
        "--x=",
        "A=",
        "1",
    ),
    *(
        " ",
        "\t",
        "\n",
        "\r\n",
        "\\",
        "\\\n",
        "\\\r\n",
        ";",
        "&",
        "|",
        "&&",
        "||",
        ";;",
        "|&",
        "(",
        ")",
        "((",
        "))",
        "{ ",
        "}",
        "[[ ",
        " ]]",
    ),
    *("'", '"', "`", "$'", '$"', "$(", "$((", "${", "$x", "$", "<(", ">(", "#", "!", "!(", "@(", "=(", "*", "~", "=", ":-"),
    *(
        "if ",
        "then ",
        "else ",
        "fi",
        "for x in ",
        "while ",
        "do ",
        "done",
        "case x in ",
        "esac",
        "f() ",
        "function g ",
        "time ",
        "set -e",
        "set -o pipefail",
    ),
    *(
        ">",
        "2>&1",
        "<<E",
        "<<-'E'\n",
        "\nE\n",
        "<<<",
        ">&",
        "<&-",
        "&>",
        "@'\n",
        "\n'@",
        "<#",
        "#>",
        "`\n",
        "%X%",
        "^",
        "é",
        "\U0001f600",
        "\x00",
    ),
)
scripts = st.one_of(st.lists(st.sampled_from(ATOMS), max_size=40).map("".join), st.text(max_size=60))
dialects = st.sampled_from(["sh", "bash", "powershell", "cmd", "other"])


def every_word(script: Script) -> list[Word]:
    words: list[Word] = []
    for command in script.commands:
        words.extend(command.words)
        words.extend(item.value for item in command.assignments)
        words.extend(item.target for item in command.redirects if item.target is not None)
    return words


def touch(script: Script) -> None:
    """Ask for everything there is to ask."""
    for command in script.commands:
        repr((command, command.name, command.name_word, command.args, command.prefixes, command.upstream, command.parent, command.inner))
        for nested in command.scripts:
            repr((nested.view.text, nested.problems, nested.commands))
    for pipeline in script.pipelines:
        assert pipeline.commands
        repr((pipeline.span, [command.inner for command in pipeline.commands]))


@settings(max_examples=300, deadline=None)
@given(scripts, dialects)
def test_any_text_is_read_and_every_place_lies_in_it(text: str, dialect: str) -> None:
    script = read(text, dialect)
    touch(script)
    for word in every_word(script):
        assert 0 <= word.span.start <= word.span.end <= len(text)
    for command in script.commands:
        assert 0 <= command.span.start <= command.span.end <= len(text)
    for problem in script.problems:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)


@settings(max_examples=200, deadline=None)
@given(scripts, dialects)
def test_a_word_is_the_text_at_its_place(text: str, dialect: str) -> None:
    for command in read(text, dialect).commands:
        if command.script.rereads == 0 and command.view is not None and len(command.view.origins) == 1:
            for word in command.words:
                assert text[slice(*word.span)] == word.raw


@settings(max_examples=200, deadline=None)
@given(scripts, dialects)
def test_commands_come_in_the_order_of_the_source(text: str, dialect: str) -> None:
    starts = [command.span.start for command in read(text, dialect).commands]
    assert starts == sorted(starts)


@settings(max_examples=150, deadline=None)
@given(scripts, st.lists(st.integers(0, 60), max_size=4))
def test_a_text_in_pieces_reads_like_one_in_a_piece(text: str, cuts: list[int]) -> None:
    """The pieces stand three characters apart in the file: what a continuation mark leaves."""
    bounds = sorted({0, len(text), *[min(cut, len(text)) for cut in cuts]})
    builder = ViewBuilder()
    for index, (start, end) in enumerate(itertools.pairwise(bounds)):
        builder.add(text[start:end], start + 3 * index)
    whole, pieces = read(text), shell.parse(builder.build())

    def moved(offset: int) -> int:
        return offset + 3 * max(sum(bound <= offset for bound in bounds[:-1]) - 1, 0)

    assert lines(whole) == lines(pieces)
    for one, other in zip(every_word(whole), every_word(pieces), strict=True):
        if one.raw:
            assert other.span == Span(moved(one.span.start), moved(one.span.end - 1) + 1)


def in_single_quotes(text: str) -> str:
    return "'" + text.replace("'", "") + "'"


def in_double_quotes(text: str) -> str:
    return '"' + "".join("\\" + char if char in '\\"$`' else char for char in text) + '"'


@pytest.mark.parametrize("quote", [in_single_quotes, in_double_quotes])
@settings(max_examples=100, deadline=None)
@given(scripts)
def test_a_script_in_quotes_reads_like_the_script(quote: Callable[[str], str], text: str) -> None:
    bare = "a;" + (text.replace("'", "") if quote is in_single_quotes else text)
    whole = read(bare)
    assume(all(command.script.rereads < shell.MAX_REREADS - 1 for command in whole.commands))
    outer = read(f"sh -c {quote(bare)}")
    assert {line(command) for command in outer.commands[1:]} == {line(command) for command in whole.commands}


HOPELESS = (
    *("(", "((", "$(", "$((", '"$(', "${", '"${a:-', "`", "\\`", "'\n", '"\n', "<(", "a=(", "@(", "if ", "case x in a) ", "<<A ", "{"),
    *("eval ", "a|", "@'\n"),
)


@pytest.mark.parametrize("dialect", ["bash", "powershell", "cmd"])
@pytest.mark.parametrize("unit", HOPELESS)
def test_hopeless_depth_is_read_to_the_end(unit: str, dialect: str) -> None:
    text = unit * 2000
    assert isinstance(read(text, dialect).commands, tuple)


def test_depth_is_bounded_and_what_is_too_deep_is_skipped() -> None:
    text = "$(a " * 5000 + ")" * 5000 + "; b"
    names = [command.name for command in read(text).commands]
    assert (len(names), names[-1]) == (shell.MAX_DEPTH + 2, "b")


def test_scripts_in_scripts_are_read_a_few_levels_deep() -> None:
    assert len(read("eval " * 50 + "a").commands) == shell.MAX_REREADS + 1
