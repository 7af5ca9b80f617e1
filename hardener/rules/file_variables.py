"""The `_FILE` convention: which images read a secret from the file that a variable names.

Sources: the entrypoint scripts and pages of the images, as of 2026.
"""

from typing import Final

from hardener.text import Pattern

_POSTGRES: Final = frozenset({"POSTGRES_PASSWORD", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_INITDB_ARGS"})
_MYSQL: Final = frozenset({"MYSQL_ROOT_PASSWORD", "MYSQL_ROOT_HOST", "MYSQL_DATABASE", "MYSQL_USER", "MYSQL_PASSWORD"})
_MARIADB: Final = _MYSQL | frozenset(
    f"MARIADB_{name}"
    for name in (
        "ROOT_PASSWORD", "ROOT_PASSWORD_HASH", "ROOT_HOST", "DATABASE", "USER", "PASSWORD", "PASSWORD_HASH", "REPLICATION_USER",
        "REPLICATION_PASSWORD", "REPLICATION_PASSWORD_HASH", "MASTER_HOST", "MASTER_PORT",
    )
)  # fmt: skip
_MONGO: Final = frozenset({"MONGO_INITDB_ROOT_USERNAME", "MONGO_INITDB_ROOT_PASSWORD"})

# Image -> the variables for which `NAME_FILE` works, where the entrypoint has a list of them and refuses NAME together with NAME_FILE.
_EXACT: Final = {
    "postgres": _POSTGRES,
    "postgis/postgis": _POSTGRES,
    "pgvector/pgvector": _POSTGRES,
    "timescale/timescaledb": _POSTGRES,
    "mysql": _MYSQL,
    "percona": _MYSQL,
    "mariadb": _MARIADB,
    "mongo": _MONGO,
}
# Others for which `NAME_FILE` works for secrets; what they do with both is their own business.
_ALSO: Final = {
    "wordpress": Pattern(r"WORDPRESS_\w+"),
    "nextcloud": Pattern(r"(?:MYSQL|POSTGRES|NEXTCLOUD_ADMIN|SMTP|REDIS_HOST|OBJECTSTORE)_\w+"),
    "influxdb": Pattern(r"DOCKER_INFLUXDB_INIT_(?:USERNAME|PASSWORD|ADMIN_TOKEN)"),
    "redmine": Pattern(r"REDMINE_(?:DB_\w+|SECRET_KEY_BASE)"),
    "phpmyadmin": Pattern(r"PMA_(?:USER|PASSWORD|HOST|CONTROLPASS|CONTROLUSER)|MYSQL_(?:ROOT_)?PASSWORD"),
    "phpmyadmin/phpmyadmin": Pattern(r"PMA_(?:USER|PASSWORD|HOST|CONTROLPASS|CONTROLUSER)|MYSQL_(?:ROOT_)?PASSWORD"),
    "dpage/pgadmin4": Pattern(r"PGADMIN_DEFAULT_PASSWORD"),
    "minio/minio": Pattern(r"MINIO_ROOT_(?:USER|PASSWORD)"),
    "elasticsearch": Pattern(r"ELASTIC_PASSWORD"),
    "docker.elastic.co/elasticsearch/elasticsearch": Pattern(r"ELASTIC_PASSWORD"),
    "vaultwarden/server": Pattern(r"(?:ADMIN_TOKEN|DATABASE_URL|SMTP_PASSWORD|YUBICO_SECRET_KEY)"),
    "neo4j": Pattern(r"NEO4J_AUTH"),
}
_OTHER_SPELLING: Final = {"grafana/grafana": ("GF_", "{name}__FILE"), "gitea/gitea": ("GITEA__", "{name}__FILE")}
_LINUXSERVER: Final = Pattern(r"(?:(?:lscr\.io|ghcr\.io)/)?linuxserver/.*")


def exact_names(image: str) -> frozenset[str] | None:
    """Return every variable that an image takes from a file, where that list is known to be complete; None for other images."""
    return _EXACT.get(image)


def file_variable(image: str, name: str) -> str | None:
    """Return the variable that takes the path of a file instead of a value, `POSTGRES_PASSWORD_FILE`; None when nobody knows of one."""
    exact = _EXACT.get(image)
    if exact is not None:
        return f"{name}_FILE" if name in exact else None
    also = _ALSO.get(image)
    if also is not None:
        return f"{name}_FILE" if also.fullmatch(name) else None
    prefix, form = _OTHER_SPELLING.get(image, ("", ""))
    if prefix and name.startswith(prefix):
        return form.format(name=name)
    return f"FILE__{name}" if _LINUXSERVER.fullmatch(image) else None


def named_value(name: str) -> str | None:
    """Return the variable whose value a variable takes from a file: PASSWORD of PASSWORD_FILE and of FILE__PASSWORD."""
    if name.startswith("FILE__"):
        return name[6:]
    if name.endswith("_FILE"):
        return name[:-5].rstrip("_") or None
    return None
