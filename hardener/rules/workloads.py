"""What well-known images need in order to start: the privileges of their entrypoints, and the paths that they write to.

Sources: the Dockerfiles and entrypoint scripts of the images as of 2026. Only what fails for certain is listed; paths that the image
declares as volumes are not, because Docker mounts a volume there whatever is asked for.
"""

from typing import Final

from hardener.record import NamedTuple
from hardener.text import Pattern


class Workload(NamedTuple):
    """What an image does at its start.

    `programs`: what its own command starts (another command may need something else). `needs`: capabilities without which it stops, when
    it starts as root. `because`: what it does with them. `writes`: paths outside of volumes. `settings`: files that may move those paths.
    `owned`: the paths in `writes` belong to root and only root can write to them.
    """

    programs: frozenset[str]
    needs: frozenset[str]
    because: str
    writes: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    owned: bool = False


_TEMPORARY: Final = "/tmp"  # noqa: S108
_STEP: Final = frozenset({"SETGID", "SETUID"})


def _gosu(program: str, *writes: str, settings: tuple[str, ...] = ()) -> Workload:
    return Workload(frozenset(program.split()), _STEP, "its entrypoint goes on as another user (gosu)", writes, settings)


_POSTGRES: Final = _gosu("postgres", "/run/postgresql")
_APACHE: Final = Workload(
    frozenset({"apache2-foreground"}), _STEP, "Apache's workers go on as www-data", ("/run/apache2",), ("/etc/apache2",)
)

_WORKLOADS: Final = {
    "postgres": _POSTGRES,
    "postgis/postgis": _POSTGRES,
    "pgvector/pgvector": _POSTGRES,
    "timescale/timescaledb": _POSTGRES,
    "mysql": _gosu("mysqld", "/run/mysqld", _TEMPORARY, settings=("/etc/my.cnf", "/etc/mysql")),
    "mariadb": _gosu("mariadbd mysqld", "/run/mysqld", _TEMPORARY, settings=("/etc/mysql",)),
    "mongo": _gosu("mongod", _TEMPORARY, settings=("/etc/mongo", "/etc/mongod.conf")),
    "redis": _gosu("redis-server"),
    "valkey/valkey": _gosu("valkey-server"),
    "rabbitmq": _gosu("rabbitmq-server"),
    "cassandra": _gosu("cassandra"),
    "zookeeper": _gosu("zkServer.sh"),
    "ghost": _gosu("node"),
    "eclipse-mosquitto": Workload(frozenset({"mosquitto"}), _STEP, "mosquitto gives up root itself"),
    "nginx": Workload(
        frozenset({"nginx", "nginx-debug"}),
        _STEP | {"CHOWN"},
        "nginx gives its cache folders and workers to another user",
        ("/var/cache/nginx", "/run"),
        ("/etc/nginx/nginx.conf",),
        owned=True,
    ),
    "httpd": Workload(
        frozenset({"httpd", "httpd-foreground"}),
        _STEP,
        "Apache's workers go on as another user",
        ("/usr/local/apache2/logs",),
        ("/usr/local/apache2/conf",),
        owned=True,
    ),
    "nginxinc/nginx-unprivileged": Workload(
        frozenset({"nginx", "nginx-debug"}), frozenset(), "", (_TEMPORARY,), ("/etc/nginx/nginx.conf",)
    ),
    "grafana/grafana": Workload(frozenset(), frozenset(), "", ("/var/lib/grafana",), ("/etc/grafana",)),
}
_WITH_APACHE: Final = frozenset({"wordpress", "drupal", "joomla", "nextcloud", "matomo", "mediawiki", "phpmyadmin"})
_OTHER_SERVER: Final = Pattern(r"(?:^|[-.])(?:fpm|cli|zts|alpine)")

# Images whose program has a file capability with the effective bit: the kernel refuses to start it where the bounding set lacks one.
_FILE_CAPABILITIES: Final = {"caddy": ("/usr/bin/caddy", frozenset({"NET_BIND_SERVICE"}))}

_S6: Final = Pattern(r"(?:(?:lscr\.io|ghcr\.io)/)?linuxserver/(?!socket-proxy$)[\w.-]+")


def workload(name: str, tag: str | None) -> Workload | None:
    """Return what an image needs; None for images that nobody has looked at."""
    found = _WORKLOADS.get(name)
    if found is not None:
        return found
    tag = tag or ""
    if name in _WITH_APACHE and not _OTHER_SERVER.search(tag):
        return _APACHE
    return _APACHE if name == "php" and "apache" in tag.split("-") else None


def file_capabilities(name: str) -> tuple[str, frozenset[str]] | None:
    """Return the program of an image that has file capabilities, and which."""
    return _FILE_CAPABILITIES.get(name)


def has_s6_overlay(name: str) -> bool:
    """Whether an image starts with s6-overlay, which runs programs from /run."""
    return _S6.fullmatch(name) is not None
