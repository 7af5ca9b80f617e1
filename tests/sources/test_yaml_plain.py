"""What the plain reader reads, it reads as PyYAML does, to the last position; what it does not read, it leaves alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.sources import yaml_nodes, yaml_plain
from hardener.sources.yaml_nodes import Mapping, Node, Scalar
from hardener.text import SourceFile

WHOLE = """\
# a compose file
---
services:
  web:
    image: nginx:1.27 # pinned
    ports:
    - 80:80
    - "443:443"
    -   target: 53
        protocol: udp

    command: ['nginx', "-g", daemon-off, 1.5]
    environment:
      - A=b c#d
      -
      - - x
        - 'y'
    deploy: {}
    cap_drop: [ALL]
    expose: []
    'quoted': "8080"
    healthcheck:
  db: ~
volumes:
  data:
  logs: # none
x-port: 0x1F
"""

PLAIN = (WHOLE, "a: 1", "- a\n- b: c\n  d: e\n", "a:\n  - b\nc: -Xmx1g\n", "é: ü\n", "-\n-\n", "---\na: b")

NOT_PLAIN = (
    "  a:\n    b\n",
    *(
        "",
        "# only a comment\n",
        "just text\n",
        "a: |\n  b\n",
        "a: >-\n  b\n",
        "a: b\n  c\n",
        'a: "\\x41"\n',
        "a: 'it''s'\n",
        "a: 'b\n  c'\n",
    ),
    *("a: &x b\nc: *x\n", "<<: {a: b}\n", "a: !!str 1\n", "a: {b: c}\n", "a: [b, [c]]\n", "a: [b,\n  c]\n", "a: [b, ]\n", "? a\n: b\n"),
    *("a: b\n---\nc: d\n", "a:\tb\n", "a: b\r\n", "\ufeffa: b\n", "a: b: c\n", "a: b\na: c\n", "a: b\n c: d\n", "- a\nb: c\n", "a: - b\n"),
    *(
        "a: @b\n",
        "a: %b\n",
        "a: `b`\n",
        "a: 'b' c\n",
        "a: ['b']c\n",
        "a: [b c]\n",
        "a: [$b]\n",
        "a: [\n",
        "a: {}}\n",
        '"a":b\n',
        "a: :\n",
        "a: b:\n",
    ),
    *(
        "a:\n- b\n c: d\n",
        "a: b\n- c\n",
        "  a: b\nc: d\n",
        f"{'k' * 1001}: v\n",
        f"{'k' * 1030!r}: v\n",
        "- " * 60 + "a\n",
        "a: -\n",
        "a\n: b\n",
    ),
)


def shape(node: Node) -> object:
    """Return all that there is to know of a node."""
    match node:
        case Scalar():
            return (repr(node.value), node.text, node.span, node.style, node.tag)
        case Mapping():
            assert node.entries == node.written
            return (node.span, node.tag, [(shape(entry.key), shape(entry.value), entry.span, entry.merge_span) for entry in node.written])
    return (node.span, node.tag, [shape(item) for item in node.items])


def by_pyyaml(text: str) -> object:
    """Return the shape of a text's only document as PyYAML reads it; an error when it does not."""
    try:
        (document,) = yaml_nodes.read_events(SourceFile("x.yaml", text))
    except HardenError as error:
        return error
    return shape(document)


@pytest.mark.parametrize("text", PLAIN)
def test_plain_texts_are_read_as_by_pyyaml(text: str) -> None:
    node = yaml_plain.read(text)
    assert node is not None
    assert shape(node) == by_pyyaml(text)


@pytest.mark.parametrize("text", NOT_PLAIN)
def test_other_texts_are_left_alone(text: str) -> None:
    assert yaml_plain.read(text) is None


@given(
    st.lists(
        st.tuples(
            st.integers(0, 6),
            st.sampled_from(["", "- ", "- - ", "a: ", "b:", "'c': ", "- d: ", "-", "# ", "[e, 'f']", "{}", "---", '"g"', "<<: "]),
            st.sampled_from(
                ["", "x", "1", "0o7", "y z", "[]", "'q' # r", "~", "s:t", "u: v", "#w", "-Dk", "|", "&i", "[1, j", ".5", "é", "\t"]
            ),
        ),
        max_size=8,
    )
)
def test_whatever_is_read_is_read_as_by_pyyaml(lines: list[tuple[int, str, str]]) -> None:
    text = "\n".join(" " * indent + start + end for indent, start, end in lines)
    node = yaml_plain.read(text)
    assert node is None or shape(node) == by_pyyaml(text)


@given(st.text(st.sampled_from("ab1 \n:-#'\"[]{},.~&*!|>"), max_size=30))
def test_so_is_any_text(text: str) -> None:
    node = yaml_plain.read(text)
    assert node is None or shape(node) == by_pyyaml(text)
