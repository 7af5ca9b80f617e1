"""Who a container runs as: which spellings mean root, and what well-known images do about it.

Light on purpose: compose files and run lines ask here without loading anything that reads Dockerfiles.
"""

from typing import Final

from hardener.sources.expansion import HOLE
from hardener.text import Pattern

# Images that set a user of their own (their Dockerfiles or documentation say so), by name and tag.
_NON_ROOT: Final = Pattern(
    r"""(?x)
      [^:]*[-/](?:unprivileged|rootless|nonroot|non-root)(?::.*)?
    | [^:]*:.*(?:nonroot|non-root|rootless|unprivileged|chiseled|distroless).*
    | cgr\.dev/(?!.*/(?:wolfi-base|chainguard-base)(?::|$)).*
    | (?:ghcr\.io/)?(?:bitnami|bitnamilegacy|bitnamisecure)/(?!minideb).*
    | registry\.(?:access\.)?redhat\.(?:com|io)/(?:ubi\d+|rhscl)/(?!ubi).* | quay\.io/sclorg/.*
    | (?:quay\.io/)?jupyter/.* | selenium/.* | cimg/.* | circleci/.* | gitpod/.* | codercom/.* | homebrew/brew.*
    | docker\.elastic\.co/.* | opensearchproject/.* | (?:quay\.io/)?(?:prom|prometheus)/.* | grafana/.* | jenkins/.*
    | quay\.io/keycloak/.* | apache/(?:airflow|superset|nifi|kafka)(?::.*)? | curlimages/curl.* | ghcr\.io/puppeteer/.*
    | kong/.* | nodered/.* | paketobuildpacks/.*
    """
)
_NON_ROOT_OFFICIAL: Final = frozenset(
    {"elasticsearch", "kibana", "logstash", "sonarqube", "solr", "memcached", "haproxy", "odoo", "jetty", "kong"}
)
_NON_ROOT_WORDS: Final = ("unprivileged", "rootless", "nonroot", "non-root", "chiseled", "distroless")
# Images that start as root and whose entrypoint goes on as another user.
_STEPS_DOWN: Final = Pattern(
    r"""(?x)
      (?:valkey/valkey|hashicorp/(?:consul|vault)|postgis/postgis|timescale/.*|pgvector/pgvector)(?::.*)?
    | linuxserver/.* | (?:lscr\.io|ghcr\.io)/linuxserver/.*
    """
)
_STEPS_DOWN_OFFICIAL: Final = frozenset(
    {
        "postgres", "mysql", "mariadb", "percona", "mongo", "redis", "rabbitmq", "cassandra", "couchdb", "influxdb", "neo4j", "zookeeper",
        "ghost", "consul", "vault", "flink", "storm", "eclipse-mosquitto",
    }
)  # fmt: skip
# Platforms that choose the user themselves, whatever the image says.
_PLATFORM_DECIDES: Final = Pattern(
    r"public\.ecr\.aws/lambda/.*|(?:public\.ecr\.aws/)?(?:amazon|awsguru)/aws-lambda-.*|mcr\.microsoft\.com/(?:vscode/)?devcontainers/.*|"
    r"mcr\.microsoft\.com/windows/nanoserver.*|[^:]*:.*nanoserver.*"
)

# Images whose configuration has no USER and whose entrypoint stays with root: their Dockerfiles, as of 2026. (Workers that drop to another
# uid by configuration, as those of nginx and Apache do, still leave a root process in front.)
_ROOT: Final = frozenset(
    {
        "almalinux", "alpine", "amazonlinux", "archlinux", "bash", "buildpack-deps", "busybox", "caddy", "centos", "clojure", "composer",
        "debian", "drupal", "eclipse-temurin", "elixir", "erlang", "fedora", "gcc", "golang", "gradle", "haskell", "httpd", "joomla",
        "julia", "maven", "mediawiki", "nginx", "node", "openjdk", "oraclelinux", "perl", "php", "phpmyadmin", "pypy", "python", "registry",
        "rockylinux", "ruby", "rust", "swift", "tomcat", "traefik", "ubuntu", "wordpress",
    }
)  # fmt: skip

WINDOWS_ADMINS: Final = frozenset({"containeradministrator", "administrator", "nt authority\\system", "system"})
NUMBER: Final = Pattern(r"[+-]?[0-9]+")


def is_root(user: str) -> bool | None:
    """Return whether a USER value means root; None when the part before the colon is not known.

    Source: moby/sys/user GetExecUser: a number in any spelling that Go's Atoi takes (`+0`, `00`), and an empty name is uid 0.
    """
    name = user.partition(":")[0].strip()
    if HOLE in name:
        return None
    if NUMBER.fullmatch(name):
        return int(name) == 0
    return name == "root" or (not name and ":" in user) or name.lower() in WINDOWS_ADMINS


_SETS_USER: Final[dict[str, bool]] = {}


def sets_user(image: str) -> bool:
    """Whether an image (name and tag) is known to set a user, or to leave that to its platform; remembered: trees repeat their bases."""
    known_answer = _SETS_USER.get(image)
    if known_answer is None:
        decides = ("/" in image or "nanoserver" in image) and _PLATFORM_DECIDES.fullmatch(image) is not None
        known_answer = _SETS_USER[image] = decides or has_own_user(image)
    return known_answer


def has_own_user(image: str) -> bool:
    """Whether an image (name and tag) is known to set a user that is not root."""
    # The expressions take 3 ms to compile, and images of Docker's own library seldom need them.
    if "/" not in image and not any(word in image for word in _NON_ROOT_WORDS):
        return image.partition(":")[0] in _NON_ROOT_OFFICIAL
    return image.partition(":")[0] in _NON_ROOT_OFFICIAL or _NON_ROOT.fullmatch(image) is not None


def steps_down_image(image: str) -> bool:
    """Whether the entrypoint of an image (name and tag) starts as root and goes on as another user."""
    return image.partition(":")[0] in _STEPS_DOWN_OFFICIAL or ("/" in image and _STEPS_DOWN.fullmatch(image) is not None)


def stays_root(image: str) -> bool:
    """Whether what an image (name and tag) starts is known to run as root."""
    return image.partition(":")[0] in _ROOT and not sets_user(image)
