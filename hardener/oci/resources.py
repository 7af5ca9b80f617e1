"""Limits that few documents have: input and output, huge pages, network classes, RDMA. Apart from runtime.py to keep starts short.

Source: github.com/opencontainers/runtime-spec, config-linux.md.
"""

from __future__ import annotations

from hardener.oci.fields import INTEGER, STRING, Fields, many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar


class WeightDevice(Fields):
    """The weight of a block device, 10 to 1000."""

    __slots__ = ("leaf_weight", "major", "minor", "weight")
    TABLE: ClassVar = {
        "major": ("major!", INTEGER),
        "minor": ("minor!", INTEGER),
        "weight": ("weight", INTEGER),
        "leaf_weight": ("leafWeight", INTEGER),
    }
    major: int
    minor: int
    weight: int | None
    leaf_weight: int | None


class Throttle(Fields):
    """Bytes or operations a second of a block device."""

    __slots__ = ("major", "minor", "rate")
    TABLE: ClassVar = {"major": ("major!", INTEGER), "minor": ("minor!", INTEGER), "rate": ("rate!", INTEGER)}
    major: int
    minor: int
    rate: int


class BlockIO(Fields):
    """Input and output of block devices."""

    __slots__ = ("leaf_weight", "read_bps", "read_iops", "weight", "weight_devices", "write_bps", "write_iops")
    TABLE: ClassVar = {
        "weight": ("weight", INTEGER),
        "leaf_weight": ("leafWeight", INTEGER),
        "weight_devices": ("weightDevice", many(WeightDevice)),
        "read_bps": ("throttleReadBpsDevice", many(Throttle)),
        "write_bps": ("throttleWriteBpsDevice", many(Throttle)),
        "read_iops": ("throttleReadIOPSDevice", many(Throttle)),
        "write_iops": ("throttleWriteIOPSDevice", many(Throttle)),
    }
    weight: int | None
    leaf_weight: int | None
    weight_devices: tuple[WeightDevice, ...]
    read_bps: tuple[Throttle, ...]
    write_bps: tuple[Throttle, ...]
    read_iops: tuple[Throttle, ...]
    write_iops: tuple[Throttle, ...]


class HugepageLimit(Fields):
    """Bytes of huge pages of one size, such as `2MB`."""

    __slots__ = ("limit", "page_size")
    TABLE: ClassVar = {"page_size": ("pageSize!", STRING), "limit": ("limit!", INTEGER)}
    page_size: str
    limit: int


class Priority(Fields):
    """The priority of an interface's traffic."""

    __slots__ = ("name", "priority")
    TABLE: ClassVar = {"name": ("name!", STRING), "priority": ("priority!", INTEGER)}
    name: str
    priority: int


class Network(Fields):
    """Class and priorities of packets."""

    __slots__ = ("class_id", "priorities")
    TABLE: ClassVar = {"class_id": ("classID", INTEGER), "priorities": ("priorities", many(Priority))}
    class_id: int | None
    priorities: tuple[Priority, ...]


class Rdma(Fields):
    """Handles and objects of an RDMA device."""

    __slots__ = ("handles", "objects")
    TABLE: ClassVar = {"handles": ("hcaHandles", INTEGER), "objects": ("hcaObjects", INTEGER)}
    handles: int | None
    objects: int | None
