"""Limits that few containers have: input and output, huge pages, network classes, RDMA."""

from __future__ import annotations

from hardener.errors import HardenError
from hardener.oci.resources import BlockIO, HugepageLimit, Network, Rdma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from hardener.oci.fields import Fields
    from hardener.oci.runtime import Resources
    from hardener.runtime.limits import Row, Write

WEIGHT_MIN: Final = 10
WEIGHT_MAX: Final = 1000
_WHERE: Final = "linux.resources"
# What is limited, the file of version 1, and the key in io.max of version 2.
_THROTTLES: Final = (
    ("read_bps", "blkio.throttle.read_bps_device", "rbps"),
    ("write_bps", "blkio.throttle.write_bps_device", "wbps"),
    ("read_iops", "blkio.throttle.read_iops_device", "riops"),
    ("write_iops", "blkio.throttle.write_iops_device", "wiops"),
)


def io_weight(weight: int) -> int:
    """Return the io.weight (1 to 10000) of a blkio weight (10 to 1000), linearly between the ends as crun does."""
    return 1 + (weight - WEIGHT_MIN) * 9999 // (WEIGHT_MAX - WEIGHT_MIN)


def translate(resources: Resources) -> list[Row]:
    """Return (controller, v1 files, v2 files) for every such limit that is set; for v2 the name of one that it does not have."""
    found: list[Row] = []
    if resources.block_io:
        found.append(_block_io(BlockIO.parse(resources.block_io, f"{_WHERE}.blockIO")))
    if resources.hugepage_limits:
        found.append(_huge_pages(resources.hugepage_limits))
    if resources.network:
        found += _network(Network.parse(resources.network, f"{_WHERE}.network"))
    if resources.rdma:
        found.append(_rdma(resources.rdma))
    return found


def _known(part: Fields, where: str) -> None:
    if part.extra:
        raise HardenError(f"hardener does not know the limit {', '.join(sorted(part.extra))}", where=where, how="leave it out")


def _block_io(io: BlockIO) -> Row:
    where = f"{_WHERE}.blockIO"
    _known(io, where)
    old: list[Write] = []
    new: list[Write] = []
    if io.leaf_weight or any(device.leaf_weight for device in io.weight_devices):
        raise HardenError("blockIO.leafWeight cannot be set: kernels have given that up", where=where, how="leave it out")
    if io.weight:
        weight = _weight(io.weight, where)
        old.append(("blkio.bfq.weight", str(weight), "blkio.weight", str(weight)))
        new.append(("io.bfq.weight", str(weight), "io.weight", f"default {io_weight(weight)}"))
    for device in io.weight_devices:
        weight = _weight(device.weight or 0, f"{where}.weightDevice")
        name = f"{device.major}:{device.minor}"
        old.append(("blkio.bfq.weight_device", f"{name} {weight}", "blkio.weight_device", f"{name} {weight}"))
        new.append(("io.bfq.weight", f"{name} {weight}", "io.weight", f"{name} {io_weight(weight)}"))
    for attribute, file, key in _THROTTLES:
        for throttle in getattr(io, attribute):
            if throttle.rate < 0:
                raise HardenError(f"{throttle.rate} is no rate", where=where, how="0 is no limit")
            name = f"{throttle.major}:{throttle.minor}"
            old.append((file, f"{name} {throttle.rate}"))
            new.append(("io.max", f"{name} {key}={throttle.rate or 'max'}"))
    return "blkio", old, new


def _weight(weight: int, where: str) -> int:
    if not WEIGHT_MIN <= weight <= WEIGHT_MAX:
        raise HardenError(f"{weight} is no weight", where=where, how=f"{WEIGHT_MIN} to {WEIGHT_MAX}")
    return weight


def _huge_pages(given: object) -> Row:
    where = f"{_WHERE}.hugepageLimits"
    if not isinstance(given, list):
        raise HardenError(f"{where} must be a list", how="see the OCI runtime specification, config-linux.md")
    old: list[Write] = []
    new: list[Write] = []
    for at, each in enumerate(given):
        limit = HugepageLimit.parse(each, f"{where}[{at}]")
        _known(limit, f"{where}[{at}]")
        digits = limit.page_size.rstrip("KMGTB")
        if not digits.isascii() or not digits.isdigit() or limit.page_size[len(digits) :] not in ("KB", "MB", "GB", "TB"):
            raise HardenError(f"{limit.page_size!r} is no size of pages", where=f"{where}[{at}]", how="64KB, 2MB or 1GB")
        old.append((f"hugetlb.{limit.page_size}.limit_in_bytes", str(limit.limit)))
        new.append((f"hugetlb.{limit.page_size}.max", "max" if limit.limit < 0 else str(limit.limit)))
    return "hugetlb", old, new


def _network(network: Network) -> list[Row]:
    _known(network, f"{_WHERE}.network")
    found: list[Row] = []
    if network.class_id:
        found.append(("net_cls", [("net_cls.classid", str(network.class_id))], "net_cls.classid"))
    if network.priorities:
        found.append(
            ("net_prio", [("net_prio.ifpriomap", f"{each.name} {each.priority}") for each in network.priorities], "net_prio.ifpriomap")
        )
    return found


def _rdma(given: object) -> Row:
    where = f"{_WHERE}.rdma"
    if not isinstance(given, dict):
        raise HardenError(f"{where} must be an object", how="see the OCI runtime specification, config-linux.md")
    writes: list[Write] = []
    for device, each in given.items():
        limit = Rdma.parse(each, f"{where}.{device}")
        _known(limit, f"{where}.{device}")
        pairs = ((key, value) for key, value in (("hca_handle", limit.handles), ("hca_object", limit.objects)) if value is not None)
        if " " in device or "\n" in device or not device:
            raise HardenError(f"{device!r} is no name of a device", where=where)
        said = " ".join(f"{key}={value}" for key, value in pairs)
        if said:
            writes.append(("rdma.max", f"{device} {said}"))
    return "rdma", writes, writes
