"""Whatever an image holds, no rule crashes and every finding lies in its text: examples shuffled, and histories and files of any text."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_specs import Spec
from rule_examples import cases, marked
from test_image_examples import TODAY

from hardener import data_folder
from hardener.engine.dispatch_images import ImageDispatch
from hardener.engine.image import analyse
from hardener.engine.ready import Crash, Judged
from hardener.images.find import find
from hardener.rules.context import ImageContext, Settings
from hardener.rules.load import read, rule_files

DISPATCH = ImageDispatch(read(rule_files(data_folder("rules"))))
SETTINGS = Settings((), {"org.opencontainers.image.source": "url"}, True)
NUMBERS = itertools.count()
_HEAD = re.compile(r"(?:FROM|IMAGE|CREATED|PLATFORM|#) ")


def blocks() -> list[str]:
    """Return the steps of all examples, each with what it leaves; large files made small."""
    found = set()
    for _, _, example in cases("image"):
        text = marked(example.text)[0].replace("MB", "B")
        found |= {block for block in re.split(r"\n(?! )", text.strip("\n")) if not _HEAD.match(block) and "\\u" not in block}
    return sorted(found)


def assert_no_crash(spec: Spec, folder: Path) -> set[str]:
    contents = analyse(find(f"oci:{spec.write(folder / str(next(NUMBERS)))}:latest"))
    results = DISPATCH.judge(ImageContext(contents, SETTINGS, TODAY))
    assert [f"{result.rule.id}: {result.error}" for result in results if isinstance(result, Crash)] == []
    for result in results:
        assert isinstance(result, Judged)
        assert 0 <= result.match.span.start <= result.match.span.end <= len(contents.document.file.text)
        assert result.match.about
        assert contents.document.step_at(result.match.span) is not None or not contents.document.steps
    return {result.rule.id for result in results if isinstance(result, Judged)}


@given(st.lists(st.sampled_from(blocks()), max_size=12), st.sampled_from(["scratch", "debian", "alpine", "distroless"]))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_steps_of_all_examples_in_any_order(tmp_path: Path, steps: list[str], base: str) -> None:
    assert_no_crash(Spec("\n".join([f"FROM {base}", *steps])), tmp_path)


_TEXT = st.text(max_size=40).filter(lambda text: "\0" not in text)  # configurations with NUL are not read at all


@given(
    st.lists(st.one_of(_TEXT, st.sampled_from(["RUN |1 A=", "ENV ", 'CMD ["', "EXPOSE map[", "/bin/sh -c #(nop) ADD file:"]).flatmap(
        lambda start: _TEXT.map(lambda text: start + text)
    )), max_size=5),
    st.lists(_TEXT, max_size=3),
    _TEXT,
    st.sampled_from(["etc/passwd", "etc/shadow", "etc/group", "etc/os-release", "etc/sudoers", "etc/apt/sources.list", "app"]),
    st.binary(max_size=60),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_configuration_and_file(
    tmp_path: Path, history: list[str], words: list[str], text: str, path: str, content: bytes
) -> None:
    from layouts import entry

    spec = Spec("FROM debian\nRUN x\n")
    spec.layers[-1].append(entry(path, content, mode=0o6777))
    spec.history += [{"created_by": each, "comment": text, "empty_layer": True} for each in history]
    spec.created = text
    spec.config |= {"Env": words, "Cmd": words, "Entrypoint": words, "User": text, "WorkingDir": text, "StopSignal": text}
    spec.config |= {"Volumes": {text: {}}, "ExposedPorts": {text: {}}, "Labels": {text: text}, "Healthcheck": {"Test": words}}
    assert_no_crash(spec, tmp_path)


@pytest.mark.parametrize("platform", ["windows/amd64", "linux/x86", "/", "plan9/386"])
def test_any_platform(platform: str, tmp_path: Path) -> None:
    found = assert_no_crash(Spec(f'PLATFORM {platform}\nFROM scratch\nCOPY a /a\n  /a 0755 1KB\nCMD ["/a"]\n'), tmp_path)
    assert ("HI213" in found) == (platform != "windows/amd64")
    assert ("HI101" in found) == (platform != "windows/amd64")


def test_a_static_program_in_a_distribution(tmp_path: Path) -> None:
    files = "\n".join(f"  /usr/share/f{number} 1KB" for number in range(220))
    text = f'FROM debian\nCOPY app /app\n  /app 0755 elf-static:amd64\n{files}\nENTRYPOINT ["/app"]\n'
    assert "HI420" in assert_no_crash(Spec(text), tmp_path)
    assert "HI420" not in assert_no_crash(Spec(text.replace("elf-static", "elf")), tmp_path)
