"""config.json: read, refused, and written back as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardener.errors import HardenError
from hardener.oci import fields, runtime
from hardener.oci.runtime import Spec, unsupported

FIXTURES = sorted((Path(__file__).parents[1] / "fixtures" / "oci").glob("runc-spec*.json"))
SMALL: dict[str, Any] = {"ociVersion": "1.2.0", "process": {"cwd": "/", "args": ["true"]}, "root": {"path": "rootfs"}}


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_what_runc_writes_comes_back_equal(path: Path) -> None:
    document = json.loads(path.read_text())
    spec = Spec.parse(document)
    assert spec.dump() == document
    assert Spec.parse(spec.dump()) == spec
    assert unsupported(spec) == ()


def test_values_are_where_they_belong() -> None:
    spec = Spec.parse(json.loads(next(path for path in FIXTURES if path.stem == "runc-spec").read_text()) | {"annotations": {"a": "b"}})
    assert spec.process is not None
    assert spec.process.rlimits[0] == runtime.Rlimit(type="RLIMIT_NOFILE", hard=1024, soft=1024)
    assert spec.process.user == runtime.User(uid=0, gid=0)
    assert spec.root is not None
    assert spec.root.readonly is True
    assert spec.linux is not None
    assert spec.linux.resources is not None
    assert spec.linux.resources.devices[0].access == "rwm"
    assert spec.annotations == {"a": "b"}


def test_unknown_fields_are_kept() -> None:
    document = SMALL | {"x-new": [1], "root": {"path": "r", "future": {"a": None}}}
    assert Spec.parse(document).dump() == document


def test_an_empty_list_is_not_an_absent_one() -> None:
    assert Spec.parse(SMALL | {"mounts": []}).dump()["mounts"] == []
    assert "mounts" not in Spec.parse(SMALL).dump()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ociVersion": None}, "ociVersion is missing"),
        ({"ociVersion": 1}, "ociVersion must be a string, not 1"),
        ({"process": {"cwd": "/", "args": ["a", 1]}}, r"process\.args\[1\] must be a string, not 1"),
        ({"process": {"cwd": "/a\0b"}}, r"process\.cwd must be a string without NUL"),
        ({"process": {"cwd": "/", "terminal": 1}}, r"process\.terminal must be true or false, not 1"),
        ({"process": {"cwd": "/", "user": {"uid": True}}}, r"process\.user\.uid must be an integer, not True"),
        ({"process": {"cwd": "/", "user": {"additionalGids": ["x"]}}}, r"process\.user\.additionalGids\[0\] must be an integer"),
        ({"mounts": {}}, r"mounts must be a list, not {}"),
        ({"mounts": ["x"]}, r"mounts\[0\] must be an object, not 'x'"),
        ({"mounts": [{}]}, r"mounts\[0\]\.destination is missing"),
        ({"annotations": {"a": 1}}, r"annotations\.a must be a string"),
        ({"linux": {"resources": {"pids": {}}}}, r"linux\.resources\.pids\.limit is missing"),
    ],
)
def test_a_wrong_document_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(HardenError, match=message):
        Spec.parse(SMALL | change)


def test_the_document_itself_must_be_an_object() -> None:
    with pytest.raises(HardenError, match="the document must be an object"):
        Spec.parse([])


@pytest.mark.parametrize(
    ("change", "paths"),
    [
        ({}, ()),
        ({"hooks": {}}, ()),
        ({"hooks": {"prestart": [{"path": "/x"}]}}, ("hooks",)),
        ({"windows": {"x": 1}, "vm": {"y": 1}}, ("windows", "vm")),
        (
            {"process": {"cwd": "/", "execCPUAffinity": {"initial": "0"}, "scheduler": {"policy": "SCHED_IDLE"}}},
            ("process.execCPUAffinity",),
        ),
        ({"linux": {"intelRdt": {"closID": "x"}}}, ("linux.intelRdt",)),
        ({"linux": {"resources": {"blockIO": {"weight": 10}}}}, ()),
        ({"mounts": [{"destination": "/a", "uidMappings": [{"containerID": 0, "hostID": 1, "size": 1}]}]}, ("mounts[0].uidMappings",)),
        ({"ociVersion": "2.0.0"}, ("ociVersion 2.0.0",)),
    ],
)
def test_what_is_not_supported_is_named(change: dict[str, object], paths: tuple[str, ...]) -> None:
    assert unsupported(Spec.parse(SMALL | change)) == paths


def test_a_field_that_does_not_exist_cannot_be_set() -> None:
    with pytest.raises(TypeError, match="Pids has no field limits"):
        runtime.Pids(limits=1)
    assert repr(runtime.Pids(limit=1)) == "Pids({'limit': 1})"
    assert runtime.Pids(limit=1) != runtime.Root(path="/")
    with pytest.raises(TypeError, match="Pids can change"):
        hash(runtime.Pids(limit=1))


VALUES: dict[int, st.SearchStrategy[object]] = {
    id(fields.STRING): st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    id(fields.INTEGER): st.integers(-(2**63), 2**64),
    id(fields.BOOLEAN): st.booleans(),
    id(fields.STRINGS): st.lists(st.text(alphabet="ab/")),
    id(fields.INTEGERS): st.lists(st.integers()),
    id(fields.WORDS): st.dictionaries(st.text(alphabet="ab"), st.text(alphabet="ab")),
    id(fields.ANYTHING): st.recursive(st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
}


@pytest.mark.parametrize("cls", [runtime.Process, runtime.User, runtime.Mount, runtime.Linux, runtime.Cpu, runtime.Memory, runtime.Device])
def test_every_document_comes_back_equal(cls: type[fields.Fields]) -> None:
    simple = {name: kind for name, kind in cls.TABLE.values() if id(kind) in VALUES}
    required = {name.removesuffix("!"): VALUES[id(kind)] for name, kind in simple.items() if name.endswith("!")}
    optional = {name: VALUES[id(kind)] for name, kind in simple.items() if not name.endswith("!")}

    @given(st.fixed_dictionaries(required, optional=optional))
    def check(document: dict[str, object]) -> None:
        assert cls.parse(document).dump() == document

    check()
