"""OSV records and mirrors of them, written for tests."""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

Record = dict[str, Any]


class Installed(NamedTuple):
    """A package as a reader of package databases would tell it."""

    kind: str
    name: str
    version: str
    source: str = ""
    source_version: str = ""
    path: str = "var/lib/dpkg/status"
    places: tuple[str, ...] = ()

    @property
    def purl(self) -> str:
        """The package URL."""
        return f"pkg:{self.kind}/{self.name}@{self.version}"


class System(NamedTuple):
    """A distribution."""

    id: str
    version_id: str = ""


def block(ecosystem: str, name: str, *events: str, kind: str = "ECOSYSTEM", versions: Iterable[str] = (), **more: Any) -> Record:
    """Return a block of `affected`; an event is written `introduced 1.0`."""
    told: Record = {"package": {"ecosystem": ecosystem, "name": name}}
    if events:
        told["ranges"] = [{"type": kind, "events": [dict([event.split(" ", 1)]) for event in events]}]
    if versions:
        told["versions"] = list(versions)
    return told | more


def record(id_: str, *blocks: Record, modified: str = "2026-11-20T00:00:00Z", **more: Any) -> Record:
    """Return a record."""
    return {"schema_version": "1.7.0", "id": id_, "modified": modified, "affected": list(blocks)} | more


def zipped(path: Path, records: Iterable[Record]) -> Path:
    """Write records as an all.zip."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in records:
            archive.writestr(f"{each['id']}.json", json.dumps(each))
    return path


def mirror(folder: Path, **ecosystems: Iterable[Record]) -> Path:
    """Write a mirror as the public bucket is laid out; `Red_Hat` is Red Hat."""
    for name, records in ecosystems.items():
        zipped(folder / name.replace("_", " ") / "all.zip", records)
    return folder
