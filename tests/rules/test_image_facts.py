"""What `match:` can ask about images: every fact of every kind on one image, and where a rule without a check puts its finding."""

from pathlib import Path

import pytest
from image_specs import Spec
from test_image_examples import TODAY, contents_of

from hardener.engine.dispatch_images import ImageDispatch
from hardener.engine.ready import Judged
from hardener.finding import SEVERITIES, Confidence, Rule, Severity
from hardener.rules import image_facts
from hardener.rules.context import ImageContext
from hardener.rules.image_contents import Contents
from hardener.rules.load import PROFILES, RuleSource, builtin

TEXT = """\
IMAGE postgres:16
FROM debian
ENV A=b
LABEL l=m
EXPOSE 80/tcp 1000-1010/udp
VOLUME ["/data"]
RUN make
  /opt/tool 4755 33:33 +net_raw 1KB
  with V=1
WORKDIR /srv
STOPSIGNAL SIGINT
HEALTHCHECK CMD true
SHELL ["/bin/bash", "-c"]
ENTRYPOINT ["/opt/tool"]
CMD ["x"]
"""


@pytest.fixture(scope="module")
def contents(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    return contents_of(Spec(TEXT), tmp_path_factory.mktemp("facts") / "image")


def judged(contents: Contents, kind: str, match: object, message: str, at: str = "") -> list[tuple[str, str, str]]:
    """Return message, the text that the finding stands at, and what it is about, for a rule of a user."""
    rule = Rule("ACME001", "n", kind, Severity.LOW, Confidence.HIGH, "t", message, "w", "h", (), (), (), PROFILES)
    results = ImageDispatch([RuleSource(rule, "r", (), (), match, at)]).judge(ImageContext(contents, today=TODAY))
    assert all(isinstance(result, Judged) for result in results)
    file = contents.document.file
    return [(each.message, file.slice(each.match.span), each.match.about) for each in results if isinstance(each, Judged)]


@pytest.mark.parametrize(
    ("kind", "match", "message", "found"),
    [
        (
            "image",
            {"image.layers": {"above": 1}, "image.environment": {"contains": "A"}, "image.uid": 0, "image.author": "absent"},
            "{image.name} {image.os} {image.distribution} {image.distribution-version} {image.healthcheck} {image.stop-signal}",
            ("postgres:16 linux debian 12 CMD-SHELL true SIGINT", 'ENTRYPOINT ["/opt/tool"]', ""),
        ),
        ("image.variable", {"variable.name": "A"}, "{variable.name}={variable.value}", ("A=b", "A=b", "env:A")),
        ("image.label", {"label.name": "l"}, "{label.name}={label.value}", ("l=m", "l=m", "label:l")),
        ("image.port", {"port.number": {"below": 100}}, "{port.number} {port.protocol}", ("80 tcp", "80/tcp", "port:80/tcp")),
        ("image.volume", {"volume.path": {"starts-with": "/"}}, "{volume.path}", ("/data", '"/data"', "volume:/data")),
        (
            "image.step",
            {"step.arguments": {"contains": "V"}, "step.has-layer": True, "step.own": True},
            "{step.name}: {step.text}",
            ("RUN: RUN make", "RUN make", "step:RUN make"),
        ),
        (
            "image.layer",
            {"layer.own": True, "layer.wasted": 0, "layer.deleted": 0, "layer.changed": 0},
            "{layer.number} {layer.added} {layer.bytes} {layer.instruction}",
            ("2 1 1024 RUN make", "RUN make", "layer:RUN make"),
        ),
        (
            "image.file",
            {"file.capabilities": {"contains": "NET_RAW"}, "file.sticky": False, "file.executable": True, "file.link": "absent"},
            "{file.path} {file.name} {file.kind} {file.mode} {file.uid} {file.owner} {file.gid} {file.group} {file.size}",
            ("/opt/tool tool file 4755 33 www-data 33 www-data 1024", "RUN make", "file:opt/tool"),
        ),
    ],
)
def test_facts(contents: Contents, kind: str, match: object, message: str, found: tuple[str, str, str]) -> None:
    assert judged(contents, kind, match, message) == [found]


def test_a_rule_may_say_where_it_stands(contents: Contents) -> None:
    (found,) = judged(contents, "image", {"image.ports": "present"}, "m", at="image.healthcheck")
    assert found[1] == "HEALTHCHECK CMD true"


def test_every_fact_has_a_value_or_none(contents: Contents) -> None:
    subjects = {
        "image": contents,
        "image.file": next(image_facts.FileOf(contents, path, found) for path, found in contents.view),
        "image.layer": next(image_facts.LayerOf(contents, summary, step) for summary, step in contents.summaries()),
        "image.step": image_facts.StepOf(contents, contents.document.steps[0]),
        **{f"image.{item}": next(image_facts.items(contents, item)) for item in image_facts.ITEMS},
    }
    assert subjects.keys() == image_facts.KINDS.keys()
    for name, subject in subjects.items():
        assert "of 'postgres:16'" in repr(subject) or subject is contents
        for fact, getter in image_facts.KINDS[name].facts.items():
            assert isinstance(getter(subject), str | int | tuple | None), fact
        for place in image_facts.KINDS[name].places.values():
            assert place(subject) is not None


@pytest.mark.parametrize("kind", [kind for kind in image_facts.KINDS if kind != "image"])
def test_a_fact_refuses_what_it_is_not_about(contents: Contents, kind: str) -> None:
    own = [getter for name, getter in image_facts.KINDS[kind].facts.items() if not name.startswith("image.")]
    for getter in own:
        with pytest.raises(TypeError):
            getter(contents)
    with pytest.raises(TypeError):
        image_facts.KINDS["image"].facts["image.name"](object())


def test_an_entrypoint_that_steps_down_is_milder(contents: Contents) -> None:
    (source,) = [source for source in builtin() if source.rule.id == "HI101"]
    (found,) = ImageDispatch([source]).judge(ImageContext(contents, today=TODAY))
    assert isinstance(found, Judged)
    assert found.match.severity is SEVERITIES["low"]
    assert found.message == "no USER is set, so containers run as root, and its entrypoint goes on as another user"


def test_a_range_of_ports_has_no_number(tmp_path: Path) -> None:
    found = contents_of(Spec("FROM scratch\nEXPOSE 1000-1010/tcp\n"), tmp_path / "image")
    (port,) = image_facts.items(found, "port")
    assert image_facts.KINDS["image.port"].facts["port.number"](port) is None
