"""The steps of a build in the words of a Dockerfile, whichever builder wrote them down."""

from pathlib import Path

import pytest
from layouts import Layout, entry, tar

from hardener.images import layout
from hardener.images.image import History, histories
from hardener.images.kept import Kept
from hardener.images.scan import scan


@pytest.mark.parametrize(
    ("written", "instruction", "arguments"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]', ()),
        ("/bin/sh -c #(nop) ADD file:0a1b in / ", "ADD file:0a1b in /", ()),
        ("/bin/sh -c apt-get update", "RUN apt-get update", ()),
        ("RUN /bin/sh -c apt-get update # buildkit", "RUN apt-get update", ()),
        ("COPY a b # buildkit", "COPY a b", ()),
        ("|1 A=b /bin/sh -c make", "RUN make", ("A=b",)),
        ("RUN |2 A=b c B=d /bin/sh -c make all # buildkit", "RUN make all", ("A=b c", "B=d")),
        ("|1 A=b /bin/bash -o pipefail -c make", "RUN /bin/bash -o pipefail -c make", ("A=b",)),
        ("|x A=b /bin/sh -c make", "|x A=b /bin/sh -c make", ()),
        ("ENV A=b", "ENV A=b", ()),
        ("bazel build ...", "bazel build ...", ()),
        ("", "", ()),
    ],
)
def test_instructions(written: str, instruction: str, arguments: tuple[str, ...]) -> None:
    step = History(created_by=written)
    assert (step.instruction, step.arguments) == (instruction, arguments)


def test_each_layer_has_its_step(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    steps = [{"created_by": "FROM"}, {"created_by": "ENV A=b", "empty_layer": True}, {"created_by": "COPY a b", "empty_layer": None}]
    made.add(made.image(tar(entry("a")), tar(entry("b")), described={"history": steps}))
    image = layout.read(str(made.path))
    assert [layer.history.created_by if layer.history else None for layer in image.layers] == ["FROM", "COPY a b"]
    assert [step.empty_layer for step in histories(image.config)] == [False, True, False]
    assert image.size > sum(layer.descriptor.size for layer in image.layers)


def test_files_that_are_too_large_to_keep(tmp_path: Path) -> None:
    made = Layout(tmp_path / "layout")
    made.add(made.image(tar(entry("a", b"12345"), entry("b", b"123"), entry("c", b"12"), entry("d", b"1"))))
    kept = Kept(lambda entry: entry.name != "d", limit=4, most=4)
    view = scan(layout.read(str(made.path)), [kept])
    assert kept.left_out == ["a", "c"]
    assert (kept.text(view, "a"), kept.text(view, "b"), kept.text(view, "d")) == (None, b"123", None)
