import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.sources.yaml_nodes import MAX_DEPTH, Mapping, Node, Scalar, Sequence, parse, parse_all, plain, view
from hardener.text import SourceFile


def tree(text: str) -> Node:
    return parse(SourceFile("f.yaml", text))


def mapping(text: str) -> Mapping:
    node = tree(text)
    assert isinstance(node, Mapping)
    return node


def scalar(node: Node | None) -> Scalar:
    assert isinstance(node, Scalar)
    return node


def pieces(text: str) -> list[str]:
    """Return the source text of every node and every entry, parents first."""
    file = SourceFile("f.yaml", text)
    found: list[str] = []

    def walk(node: Node) -> None:
        found.append(file.slice(node.place))
        match node:
            case Sequence():
                for item in node.items:
                    walk(item)
            case Mapping():
                for entry in node.written:
                    found.append(file.slice(entry.span))
                    walk(entry.value)

    for document in parse_all(file):
        walk(document)
    return found


@pytest.fixture(params=["libyaml", "python"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with libyaml and with the Python parser, which some platforms are left with."""
    if request.param == "python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    return str(request.param)


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("off", "off"),
        ("22:22", "22:22"),
        ("2001-01-01", "2001-01-01"),
        ("1_000", "1_000"),
        ("0b1", "0b1"),
        ("0o17", 15),
        ("010", 10),
        ("0x1F", 31),
        ("-5", -5),
        ("+5", 5),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-.inf", -math.inf),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-x", "-x"),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("tRUE", "tRUE"),
        ("false", False),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ('"null"', "null"),
        ("''", ""),
        ("|\n  5\n", "5\n"),
        (">-\n  a\n  b\n", "a b"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        ("!!int '5'", 5),
        ("!!float 5", 5.0),
        ("!!int x", "x"),
        ("!reset null", None),
        ("9" * 5000, "9" * 5000),
        ("<<", "<<"),
    ],
)
def test_value_follows_the_core_schema(text: str, value: object) -> None:
    found = scalar(mapping(f"k: {text}").get("k")).value
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_float() -> None:
    assert math.isnan(float(str(scalar(tree(".nan")).value)))


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: b # c\n", ["a: b", "a: b", "b"]),
        ("a: 'x y'\n\n# end\n", ["a: 'x y'", "a: 'x y'", "'x y'"]),
        ("é: 😀\nb: ü", ["é: 😀\nb: ü", "é: 😀", "😀", "b: ü", "ü"]),
        ("\ufeffa: é\r\n", ["a: é", "a: é", "é"]),
        ("a:\n  - 1\n  -\n\n", ["a:\n  - 1\n  -", "a:\n  - 1\n  -", "- 1\n  -", "1", ""]),
        ("a:\n- 1\nb:\n", ["a:\n- 1\nb:", "a:\n- 1", "- 1", "1", "b:", ""]),
        ("[1, {a, b: 2}, {}]", ["[1, {a, b: 2}, {}]", "1", "{a, b: 2}", "a", "", "b: 2", "2", "{}"]),
        ("[a: 1, b]", ["[a: 1, b]", "a: 1", "a: 1", "1", "b"]),
        ("a: &x !t # c\n  # d\n  b: 1", ["a: &x !t # c\n  # d\n  b: 1", "a: &x !t # c\n  # d\n  b: 1", "b: 1", "b: 1", "1"]),
        ("a: !override [1]", ["a: !override [1]", "a: !override [1]", "[1]", "1"]),
        ("a: !<tag:x,y> z", ["a: !<tag:x,y> z", "a: !<tag:x,y> z", "z"]),
        ("a: !reset", ["a: !reset", "a: !reset", ""]),
        ("a: |\n  x\n\n# c\nb: 1", ["a: |\n  x\n\n# c\nb: 1", "a: |\n  x", "|\n  x", "b: 1", "1"]),
        ("a: x\n  y\n", ["a: x\n  y", "a: x\n  y", "x\n  y"]),
        ("? a\n: b\n", ["? a\n: b", "a\n: b", "b"]),
        ("a: &x 1\nb: *x # c\n", ["a: &x 1\nb: *x", "a: &x 1", "1", "b: *x", "*x"]),
        ('{"a": [true]}', ['{"a": [true]}', '"a": [true]', "[true]", "true"]),
        ("--- a\n--- !t\nb: 1\n...\n", ["a", "b: 1", "b: 1", "1"]),
    ],
)  # fmt: skip
def test_every_node_has_its_span(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_tab_after_the_colon_is_a_blank() -> None:
    assert pieces("a:\t1") == ["a:\t1", "a:\t1", "1"]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\ufeff", "---\n"])
def test_an_empty_file_is_null(text: str) -> None:
    assert scalar(tree(text)).value is None


def test_tags_are_kept_as_written() -> None:
    node = mapping("a: !reset null\nb: !override [1]\nc: !!str 1\nd: ! x\ne: 1\n")
    tags = [entry.value.tag for entry in node.entries]
    assert tags == ["!reset", "!override", "!!str", "!", None]


def test_style_and_quoted() -> None:
    node = mapping("a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\n")
    styles = [(scalar(entry.value).style, scalar(entry.value).quoted) for entry in node.entries]
    assert styles == [("", False), ("'", True), ('"', True), ("|", True)]


def test_an_alias_knows_both_places() -> None:
    text = "x: &env\n  A: 1\ny: *env\nz: [*env]\n"
    file = SourceFile("f.yaml", text)
    node = mapping(text)
    y = node.get("y")
    assert isinstance(y, Mapping)
    assert y.alias_span is not None
    assert (file.slice(y.alias_span), file.slice(y.span), file.slice(y.place)) == ("*env", "A: 1", "*env")
    original = node.get("x")
    assert isinstance(original, Mapping)
    assert (original.alias_span, original.place) == (None, original.span)
    assert y.entries is original.entries
    z = node.get("z")
    assert isinstance(z, Sequence)
    assert z.items[0].alias_span is not None


def test_alias_of_scalar_and_sequence() -> None:
    assert plain(tree("a: &s text\nb: &l [1]\nc: *s\nd: *l\n? *s\n: key\n")) == {
        "a": "text",
        "b": [1],
        "c": "text",
        "d": [1],
        "text": "key",
    }


def test_an_anchor_may_be_given_again() -> None:
    assert plain(tree("- &a 1\n- *a\n- &a 2\n- *a\n")) == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "merged"),
    [
        ("b: &b {x: 1, y: 2}\nm:\n  <<: *b\n  x: 9\n", {"x": 9, "y": 2}),
        ("b: &b {x: 1}\nc: &c {x: 2, z: 3}\nm:\n  <<: [*b, *c]\n", {"x": 1, "z": 3}),
        ("m:\n  <<: {x: 1}\n", {"x": 1}),
        ("b: &b {x: 1}\nc: &c\n  <<: *b\n  y: 2\nm:\n  z: 3\n  <<: *c\n", {"z": 3, "y": 2, "x": 1}),
        ("b: &b [{x: 1}, {x: 2, y: 3}]\nm:\n  <<: *b\n", {"x": 1, "y": 3}),
        ("m:\n  '<<': 1\n", {"<<": 1}),
    ],
)
def test_merge_keys(text: str, merged: dict[str, object]) -> None:
    node = mapping(text).get("m")
    assert node is not None
    assert plain(node) == merged


def test_a_merged_entry_keeps_its_own_span_and_the_place_that_asked_for_it() -> None:
    text = "b: &b {x: 1}\nm:\n  <<: [*b]\n  y: 2\n"
    file = SourceFile("f.yaml", text)
    node = mapping(text).get("m")
    assert isinstance(node, Mapping)
    x, y = node.entry("x"), node.entry("y")
    assert x is not None
    assert y is not None
    assert x.merge_span is not None
    assert (file.slice(x.span), file.slice(x.merge_span), y.merge_span) == ("x: 1", "*b", None)
    assert (node.keys(), [entry.key.text for entry in node.written]) == (("y", "x"), ["<<", "y"])


def test_a_missing_key_is_none_and_a_null_value_is_a_node() -> None:
    node = mapping("a:\n80: x\n")
    assert node.get("b") is None
    assert scalar(node.get("a")).value is None
    assert scalar(node.get("80")).text == "x"


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3:1", "duplicate key 'a': it is already set at 1:1"),
        ('{"a": 1, a: 2}', "f.yaml:1:10", "duplicate key 'a': it is already set at 1:2"),
        ("a:\n  <<: 1\n", "f.yaml:2:7", "`<<` merges something that is not a mapping"),
        ("a: *b\n", "f.yaml:1:4", "alias *b names no anchor"),
        ("--- &b x\n--- *b\n", "f.yaml:2:5", "alias *b names no anchor"),
        ("a: &b [*b]\n", "f.yaml:1:8", "alias *b stands inside its own anchor"),
        ("[a]: 1\n", "f.yaml:1:1", "a key that is not text"),
        ("a: 1\n---\nb: 2\n", "f.yaml:3:1", "a second YAML document where one is expected"),
        ("é: @\n", "f.yaml:1:4", "not valid YAML: found character that cannot start any token (while scanning for the next token)"),
        ("a: b: c\n", "f.yaml:1:5", "not valid YAML: mapping values are not allowed in this context"),
        ("\ufeffa: é\x07\n", "f.yaml:1:5", "not valid YAML: the control character U+0007"),
        ("[1\nb: 2", "f.yaml:2:2", "not valid YAML: did not find expected ',' or ']' (while parsing a flow sequence that starts at 1:1)"),
        ("%YAML 3.0\n--- a", "f.yaml:1:1", "not valid YAML: found incompatible YAML document"),
    ],
)  # fmt: skip
def test_error_says_what_and_where(text: str, where: str, what: str) -> None:
    with pytest.raises(HardenError) as caught:
        tree(text)
    assert (caught.value.where, caught.value.what) == (where, what)
    assert caught.value.how


def test_an_unknown_alias_gets_a_suggestion() -> None:
    with pytest.raises(HardenError, match="did you mean 'defaults'"):
        tree("a: &defaults 1\nb: *default\n")


def test_a_tab_gets_a_hint() -> None:
    with pytest.raises(HardenError, match="indent with spaces"):
        tree("a: 1\n\tb: 2\n")


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "- " * 50_000 + "a", "{a: " * 5_000, "a: &x0 [1]\n" + "".join(f"k{n}: &x{n + 1} [*x{n}]\n" for n in range(MAX_DEPTH))],
)
def test_depth_is_bounded(text: str) -> None:
    with pytest.raises(HardenError, match="levels deep"):
        tree(text)


@pytest.mark.usefixtures("parser")
def test_an_escape_beyond_unicode_is_refused() -> None:
    with pytest.raises(HardenError, match="not valid YAML"):
        tree('"\\U00110000"')


def test_depth_at_the_bound_is_read() -> None:
    assert plain(tree("[" * MAX_DEPTH + "]" * MAX_DEPTH)) is not None


@pytest.mark.parametrize(
    "text",
    [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)),
        "base: &base {" + ",".join(f"k{n}: 1" for n in range(600)) + "}\n" + "".join(f"m{n}: {{<<: *base}}\n" for n in range(600)),
    ],
    ids=["laughs", "merges"],
)
def test_expansion_is_bounded(text: str) -> None:
    with pytest.raises(HardenError, match="aliases expand"):
        tree(text)


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("a: run me", "run"),
        ("a: 'run me'", "run"),
        ('a: "run me"', "run"),
        ("a: |\n    first\n\n    if\n      run\n", "run"),
        ("a: |\r\n  x\r\n  run\r\n", "run"),
        ("a: |2-\n    x\n  run", "run"),
    ],
)
def test_view_maps_the_text_to_the_file(text: str, inner: str) -> None:
    file = SourceFile("f.yaml", text)
    node = scalar(mapping(text).get("a"))
    mapped = view(file, node)
    assert mapped is not None
    assert mapped.text == node.text
    at = node.text.index(inner)
    assert file.slice(mapped.span(at, at + len(inner))) == inner


@pytest.mark.parametrize("text", [r'a: "x\ty"', "a: 'it''s'", "a: x\n  y", "a: >\n  x\n  y\n"])
def test_view_of_a_rewritten_text_is_none(text: str) -> None:
    assert view(SourceFile("f.yaml", text), scalar(mapping(text).get("a"))) is None


_BITS = [
    "a",
    "b: ",
    ": ",
    "- ",
    "\n",
    "  ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "&x ",
    "*x",
    "!t ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "é",
    "😀",
    "<<: ",
    "1",
    "~",
]
_BITS += ["---\n", "? ", "\r\n", "\t", "%", "\\U0011FFFF"]
_SOUP = st.lists(st.sampled_from(_BITS)).map("".join)


@pytest.mark.parametrize("python", [False, True])
@given(text=st.one_of(_SOUP, st.text(st.characters(exclude_categories=["Cs"]))))
@example(text='"\\U00110000"')
@example(text="a: !t}\n")
def test_any_text_is_read_or_refused(text: str, python: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        if python:
            patch.delattr(yaml, "CSafeLoader", raising=False)
        file = SourceFile("f.yaml", text)
        try:
            documents = parse_all(file)
        except HardenError as error:
            assert error.where.startswith("f.yaml")
            return
    for document in documents:
        _check(file, document)


def _check(file: SourceFile, node: Node) -> None:
    """Assert that spans lie inside their parents and that a plain scalar's span holds its text."""
    assert 0 <= node.span.start <= node.span.end <= len(file.text)
    match node:
        case Scalar(style="", text=text) if len(file.slice(node.span).splitlines()) <= 1:
            # A form feed and its like end no YAML line, but splitlines() takes them for an end: then there is nothing to compare.
            assert file.slice(node.span) == text
        case Scalar(style="'" | '"' as quote):
            written = file.slice(node.span)
            assert written[0] == written[-1] == quote
        case Sequence():
            for item in node.items:
                assert node.span.start <= item.place.start <= item.place.end <= node.span.end
                _check(file, item)
        case Mapping():
            for entry in node.written:
                assert node.span.start <= entry.span.start <= entry.key.place.end <= entry.span.end <= node.span.end
                _check(file, entry.value)
