"""What a container gains by a path of the host: the sockets that command a runtime, and the folders that hold the host's trust.

Linux paths as the Filesystem Hierarchy Standard and systemd lay them out; a path that is not listed is harmless. `/var/run` is `/run`.
"""

from functools import lru_cache
from typing import Final

from hardener.finding import Severity
from hardener.record import NamedTuple

LOW, MEDIUM, HIGH, CRITICAL = Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL


class Socket(NamedTuple):
    """A socket, or a folder that holds it, and whom it speaks to."""

    severity: Severity
    name: str  # "Docker's socket": subject of a sentence
    gives: str  # "root on the host"


class Grade(NamedTuple):
    """How bad it is to have a path, and what is to be had there."""

    severity: Severity
    gives: str


_ROOT: Final = "root on the host"
_DOCKER: Final = Socket(CRITICAL, "Docker's socket", _ROOT)
_CONTAINERD: Final = Socket(CRITICAL, "containerd's socket", _ROOT)
_CRIO: Final = Socket(CRITICAL, "CRI-O's socket", _ROOT)
_PODMAN: Final = Socket(CRITICAL, "Podman's socket", _ROOT)
_CRI: Final = Socket(CRITICAL, "the Kubernetes runtime's socket", _ROOT)
_BUILDKIT: Final = Socket(HIGH, "BuildKit's socket", "builds with the host's network and caches")
_SYSTEMD: Final = Socket(CRITICAL, "systemd's private socket", "units that run as root on the host")
_DBUS: Final = Socket(HIGH, "the system bus", "requests to systemd and every other service of the host as root")
_LXD: Final = Socket(CRITICAL, "the socket of LXD", _ROOT)
_LIBVIRT: Final = Socket(CRITICAL, "libvirt's socket", _ROOT)
_SNAPD: Final = Socket(HIGH, "snapd's socket", "the installation of programs as root on the host")
_ALL: Final = Socket(CRITICAL, "the folder of every runtime's socket", _ROOT)
_USER: Final = Socket(HIGH, "the folder of a user's sockets", "that user's containers, keys and session")

_SOCKET_NAMES: Final = {
    "docker.sock": _DOCKER, "docker.sock.raw": _DOCKER, "containerd.sock": _CONTAINERD, "crio.sock": _CRIO, "podman.sock": _PODMAN,
    "cri-dockerd.sock": _CRI, "dockershim.sock": _CRI, "buildkitd.sock": _BUILDKIT, "system_bus_socket": _DBUS, "libvirt-sock": _LIBVIRT,
    "snapd.socket": _SNAPD,
}  # fmt: skip
_SOCKET_FOLDERS: Final = {
    "/run": _ALL, "/run/containerd": _CONTAINERD, "/run/k3s": _CONTAINERD, "/run/k3s/containerd": _CONTAINERD, "/run/k0s": _CONTAINERD,
    "/run/crio": _CRIO, "/run/podman": _PODMAN, "/run/buildkit": _BUILDKIT, "/run/systemd": _SYSTEMD, "/run/systemd/private": _SYSTEMD,
    "/run/dbus": _DBUS, "/run/libvirt": _LIBVIRT, "/run/user": _USER, "/var/lib/lxd": _LXD, "/var/lib/lxd/unix.socket": _LXD,
    "/var/lib/incus": _LXD, "/var/lib/incus/unix.socket": _LXD, "/var/snap/lxd/common/lxd": _LXD,
    "/var/snap/lxd/common/lxd/unix.socket": _LXD,
}  # fmt: skip
_WHOLE_HOST: Final = Socket(HIGH, "the whole file system with every runtime's socket", "the password hashes, keys and data of the host")
_DOCKER_PIPES: Final = frozenset({"docker_engine", "docker_engine_windows", "docker_engine_linux", "dockerdesktoplinuxengine"})


@lru_cache(maxsize=1024)
def normal(path: str) -> str | None:
    """Return an absolute path, or one that starts with `~`, without `.`, `..`, doubled slashes and aliases; None for any other."""
    if path[:1] not in ("/", "~") or "\\" in path:
        return None
    home = ""
    if path[0] == "~":
        home, _, path = path.partition("/")
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if parts:
                parts.pop()
            elif home:
                return None  # above the home: where that is, is not known
        elif part and part != ".":
            parts.append(part)
    if home:
        return "/".join(["~" if home == "~" else home, *parts])
    if parts[:2] == ["var", "run"]:
        del parts[0]
    elif len(parts) > 1 and parts[0] == "usr" and parts[1] in ("bin", "sbin", "lib", "lib64"):
        del parts[0]  # the same folders on a merged system, and as bad on others
    return "/" + "/".join(parts)


def is_within(path: str, folder: str) -> bool:
    """Whether a normal path is a folder or lies below it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def pipe(source: str) -> Socket | None:
    """Return what a named pipe of Windows speaks to."""
    name = source.replace("\\", "/").lower()
    return _DOCKER if name.startswith("//./pipe/") and name[9:] in _DOCKER_PIPES else None


@lru_cache(maxsize=1024)
def socket(path: str, *, read_only: bool = False) -> Socket | None:
    """Return the socket that a normal path is, or that is found in the folder it is.

    `/` is one only where it is read-only: what is written there is worse than a socket.
    """
    if path == "/":
        return _WHOLE_HOST if read_only else None
    found = _SOCKET_NAMES.get(path.rpartition("/")[2]) or _SOCKET_FOLDERS.get(path)
    if found is None:
        parts = path.split("/")
        return _USER if path.startswith("/run/user/") and len(parts) == 4 else None
    if found.severity is CRITICAL and (path.startswith(("/run/user/", "~", "/home/", "/Users/"))):
        return Socket(HIGH, found.name, "everything the user may do who owns it")
    return found


class _Row(NamedTuple):
    """Paths of one kind. `write` and `read` are None where that is harmless; `tree` covers what lies below, too."""

    paths: str
    write: Severity | None
    read: Severity | None
    gives_write: str
    gives_read: str = ""
    tree: bool = True


_ROWS: Final = (
    _Row("/", CRITICAL, HIGH, "the whole host", "every file of the host", tree=False),
    # -- /etc
    _Row("/etc", CRITICAL, MEDIUM, "accounts, cron jobs and start scripts", "its configuration and password hashes", tree=False),
    _Row("/etc/shadow /etc/shadow- /etc/gshadow", CRITICAL, HIGH, "passwords of the host", "password hashes of the host"),
    _Row("/etc/passwd /etc/group /etc/subuid /etc/subgid", CRITICAL, None, "accounts of the host"),
    _Row("/etc/sudoers /etc/sudoers.d /etc/doas.conf /etc/polkit-1", CRITICAL, LOW, "who may become root", "who may become root"),
    _Row("/etc/ssh", CRITICAL, HIGH, "who may log in to the host", "the host's private keys"),
    _Row(
        "/etc/crontab /etc/cron.d /etc/cron.daily /etc/cron.hourly /etc/cron.weekly /etc/cron.monthly /etc/systemd /etc/init.d "
        "/etc/rc.local /etc/profile /etc/profile.d /etc/bash.bashrc /etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d /etc/ld.so.cache "
        "/etc/pam.d /etc/security /etc/udev /etc/modprobe.d /etc/modules-load.d /etc/sysctl.conf /etc/sysctl.d /etc/logrotate.d /etc/apt "
        "/etc/yum.repos.d /etc/dnf /etc/environment /etc/update-motd.d /etc/network /etc/networkd-dispatcher "
        "/etc/NetworkManager /etc/libvirt /etc/default",
        CRITICAL,
        None,
        "what root runs on the host",
    ),
    _Row("/etc/docker /etc/containerd /etc/containers /etc/crio /etc/cni", CRITICAL, None, "how the host runs containers"),
    _Row("/etc/docker/certs.d", HIGH, MEDIUM, "the registries that the host trusts", "client keys for registries"),
    _Row("/etc/kubernetes /etc/rancher", CRITICAL, HIGH, "the cluster", "administrator keys of the cluster"),
    _Row("/etc/letsencrypt /etc/ssl/private /etc/pki/tls/private", LOW, LOW, "private keys of the host", "private keys of the host"),
    _Row("/etc/ssl /etc/pki /etc/ca-certificates /etc/ca-certificates.conf", MEDIUM, None, "the authorities that the host trusts"),
    _Row("/etc/*", LOW, None, "settings of the host", tree=False),
    _Row("/etc/hosts /etc/resolv.conf /etc/nsswitch.conf", MEDIUM, None, "the host's name resolution"),
    _Row("/etc/machine-id /etc/hostname /etc/os-release /etc/localtime /etc/timezone", None, None, ""),
    # -- homes and credentials
    _Row("/root", CRITICAL, HIGH, "root's login and start scripts", "root's keys and histories", tree=False),
    _Row("/home /Users", CRITICAL, HIGH, "every user's login and start scripts", "every user's keys and histories", tree=False),
    # -- kernel interfaces
    _Row("/boot /efi", CRITICAL, LOW, "the kernel that the host boots", "the kernel and its symbols"),
    _Row("/proc", CRITICAL, MEDIUM, "kernel settings such as core_pattern", "the environment of the host's processes", tree=False),
    _Row("/proc/sys /proc/sysrq-trigger", CRITICAL, None, "kernel settings such as core_pattern"),
    _Row("/proc/kcore /proc/kallsyms /proc/keys /proc/timer_list", HIGH, HIGH, "kernel memory", "kernel memory"),
    _Row("/sys", CRITICAL, LOW, "kernel settings such as uevent_helper", "the host's devices and control groups", tree=False),
    _Row("/sys/kernel /sys/module /sys/power", CRITICAL, None, "kernel settings such as uevent_helper"),
    _Row("/sys/kernel/debug /sys/kernel/tracing", CRITICAL, MEDIUM, "kernel debugging", "traces of everything the kernel does"),
    _Row("/sys/fs/cgroup", HIGH, None, "the limits and release agents of every control group"),
    _Row("/sys/fs/bpf", HIGH, LOW, "the host's pinned BPF programs", "the host's pinned BPF maps"),
    _Row("/sys/firmware", HIGH, None, "firmware variables"),
    _Row("/sys/bus /sys/class /sys/devices /sys/block /sys/dev", LOW, None, "settings of the host's hardware"),
    _Row("/dev", HIGH, HIGH, "the host's terminals, and its disks once the container is privileged", "the host's terminals", tree=False),
    _Row("/dev/pts /dev/console", HIGH, HIGH, "the terminals of who is logged in", "the terminals of who is logged in"),
    _Row("/dev/shm /dev/hugepages", MEDIUM, LOW, "the shared memory of every program", "the shared memory of every program"),  # noqa: S108
    _Row("/dev/disk /dev/mapper", MEDIUM, MEDIUM, "raw disks, once the container is privileged", "raw disks, once it is privileged"),
    # -- programs
    _Row("/bin /sbin /lib /lib64 /usr/local/bin /usr/local/sbin /usr/libexec", CRITICAL, None, "programs and libraries that root runs"),
    _Row("/usr /usr/local /usr/local/lib", CRITICAL, LOW, "programs that root runs", "the programs of the host", tree=False),
    _Row("/lib/modules", HIGH, LOW, "kernel modules that the host loads", "which kernel modules there are to attack"),
    _Row("/usr/src", MEDIUM, None, "sources that root builds kernel modules from", tree=False),
    _Row("/usr/local/share/ca-certificates /usr/share/ca-certificates", MEDIUM, None, "the authorities that the host trusts"),
    _Row("/usr/share /opt", MEDIUM, None, "programs that the host runs", tree=False),
    # -- state
    _Row("/var /var/lib", CRITICAL, HIGH, "the data of the host and of every container", "the data of every container", tree=False),
    _Row(
        "/var/lib/docker /var/lib/containerd /var/lib/containers /var/lib/rancher /var/lib/kubelet /var/lib/etcd",
        CRITICAL,
        HIGH,
        "files of every container",
        "files and secrets of every container",
    ),
    _Row("/var/lib/docker/containers", CRITICAL, MEDIUM, "every container's settings", "every container's environment and output"),
    _Row("/var/lib/docker/volumes", HIGH, MEDIUM, "data of every container", "data of every container", tree=False),
    _Row("/var/lib/cloud", CRITICAL, MEDIUM, "what root runs at boot", "start scripts with their credentials"),
    _Row("/var/lib/systemd /var/lib/dpkg /var/lib/rpm", HIGH, None, "what root runs on the host"),
    _Row("/var/spool/cron /var/spool/at /var/spool/anacron", CRITICAL, LOW, "jobs that root runs", "the jobs of every user"),
    _Row("/var/log", MEDIUM, LOW, "the host's logs, traces of a break-in included", "the host's logs", tree=False),
    _Row("/var/backups", MEDIUM, HIGH, "backups of the host's accounts", "backups of the host's password hashes"),
    _Row("/run/docker", HIGH, None, "where Docker looks for plugins"),
    _Row("/run/secrets", MEDIUM, MEDIUM, "secrets of the host", "secrets of the host", tree=False),
    _Row("/tmp", LOW, None, "the temporary files and sockets of every program of the host", tree=False),  # noqa: S108
)

_HARMLESS: Final = frozenset(
    ("/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/loadavg", "/proc/uptime", "/proc/diskstats", "/proc/mdstat", "/proc/version")
)

_CREDENTIALS: Final[dict[str, tuple[Severity, Severity | None, str]]] = {
    ".ssh": (CRITICAL, HIGH, "SSH keys, and who may log in"),
    ".aws": (HIGH, HIGH, "AWS credentials"),
    ".azure": (HIGH, HIGH, "Azure credentials"),
    ".config/gcloud": (HIGH, HIGH, "Google Cloud credentials"),
    ".oci": (HIGH, HIGH, "Oracle Cloud credentials"),
    ".kube": (HIGH, HIGH, "credentials of Kubernetes clusters"),
    ".config/gh": (HIGH, HIGH, "GitHub credentials"),
    ".git-credentials": (HIGH, HIGH, "Git credentials"),
    ".vault-token": (HIGH, HIGH, "a Vault token"),
    ".terraform.d": (HIGH, HIGH, "Terraform credentials"),
    ".s3cfg": (HIGH, HIGH, "S3 credentials"),
    ".config/rclone": (MEDIUM, MEDIUM, "credentials of cloud storage"),
    ".gnupg": (HIGH, HIGH, "GPG keys"),
    ".netrc": (MEDIUM, MEDIUM, "logins"),
    ".config": (HIGH, MEDIUM, "credentials and start scripts"),
    **dict.fromkeys(
        (".docker", ".npmrc", ".pypirc", ".cargo/credentials", ".cargo/credentials.toml", ".m2/settings.xml"),
        (MEDIUM, MEDIUM, "registry credentials"),
    ),
    **dict.fromkeys((".pgpass", ".my.cnf"), (MEDIUM, MEDIUM, "database passwords")),
    **dict.fromkeys((".password-store", ".local/share/keyrings"), (HIGH, HIGH, "saved passwords")),
    **dict.fromkeys((".mozilla", ".config/google-chrome"), (HIGH, HIGH, "browser sessions and passwords")),
    **dict.fromkeys((".bash_history", ".zsh_history"), (MEDIUM, MEDIUM, "what was typed, passwords included")),
    **dict.fromkeys((".bashrc", ".profile", ".bash_profile", ".zshrc"), (HIGH, None, "what runs at each login")),
}
"""What lies in a home folder: severity when writable, when read-only, and what is to be had."""

_table: dict[str, _Row] = {}


def _rows() -> dict[str, _Row]:
    if not _table:
        _table.update({path: row for row in _ROWS for path in row.paths.split()})
    return _table


@lru_cache(maxsize=1024)
def grade(path: str, *, read_only: bool) -> Grade | None:
    """Return what a container gains by a normal path of the host; None when it is harmless, or not known to be anything."""
    home, below = _home(path)
    if home:
        return _in_home(path, below, read_only=read_only)
    if path in _HARMLESS:
        return None
    rows = _rows()
    row = rows.get(path)
    if row is None:
        folder = path
        while folder:
            folder = folder.rpartition("/")[0]
            row = rows.get(folder)
            if row is not None:
                break
        if row is None or not row.tree:
            if read_only or not path.startswith("/etc/"):
                return None
            row = rows["/etc/*"]
    severity = row.read if read_only else row.write
    if severity is None:
        return None
    return Grade(severity, row.gives_read if read_only else row.gives_write)


def _home(path: str) -> tuple[str, str]:
    """Return the home folder that a path is or lies in, and the path below it."""
    parts = path.split("/")
    size = 1 if path[0] == "~" else 2 if path.startswith("/root/") else 3 if path.startswith(("/home/", "/Users/")) else 0
    return ("/".join(parts[:size]), "/".join(parts[size:])) if size else ("", "")


def _in_home(path: str, below: str, *, read_only: bool) -> Grade | None:
    if not below:
        return Grade(HIGH, "a user's keys and histories" if read_only else "a user's keys, login and start scripts")
    first, _, rest = below.partition("/")
    second = rest.partition("/")[0]
    row = _CREDENTIALS.get(f"{first}/{second}") if second else None
    if row is None:
        if first == ".config" and second:
            return None
        row = _CREDENTIALS.get(below if first in (".cargo", ".m2", ".local") else first)
    if row is None:
        return None
    found = row[1] if read_only else row[0]
    return None if found is None else Grade(found, row[2])
