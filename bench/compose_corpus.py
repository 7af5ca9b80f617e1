"""Makes compose files like those that people write: samples, stacks of a team, one-service files; one seed, always the same files."""

import random
from collections.abc import Callable
from pathlib import Path

NAMES = ("compose.yaml", "compose.yaml", "docker-compose.yml", "docker-compose.yml", "docker-compose.yml")
WORDS = ("api", "web", "worker", "gateway", "billing", "search", "reports", "mailer", "auth", "images", "events", "admin")
PLAIN = ("activemq", "solr", "tomcat", "struts2", "jenkins", "grafana", "nacos", "drupal", "joomla", "weblogic", "zabbix", "gitea")


class Writer:
    """One compose file in the making: chooses from its own stream of random numbers and collects lines."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.volumes: list[str] = []
        self.networks: list[str] = []
        self.word = self.pick(*WORDS)

    def pick(self, *choices: str) -> str:
        """Return one of the choices."""
        return self.random.choice(choices)

    def maybe(self, chance: float) -> bool:
        """Return True with the given chance."""
        return self.random.random() < chance

    def service(self, name: str, *parts: list[str]) -> None:
        """Add a service."""
        self.lines += [f"  {name}:", *(f"    {line}" for part in parts for line in part)]
        if self.maybe(0.1):
            self.lines.append("")

    def image(self, repository: str, *tags: str) -> list[str]:
        """Return an image: pinned, tagged, latest or bare."""
        roll = self.random.random()
        if roll < 0.08:
            return [f"image: {repository}"]
        if roll < 0.13:
            return [f"image: {repository}:latest"]
        if roll < 0.18:
            return [f"image: {repository}:{self.pick(*tags)}@sha256:{self.random.getrandbits(256):064x}"]
        if roll < 0.22:
            return [f"image: {repository}:${{VERSION:-{self.pick(*tags)}}}"]
        return [f"image: {repository}:{self.pick(*tags)}"]

    def build(self, *targets: str) -> list[str]:
        """Return a build section, short or long."""
        if self.maybe(0.5):
            return [f"build: {self.pick('.', './' + self.word, 'backend')}"]
        return ["build:", f"  context: {self.pick('.', './' + self.word)}", *([f"  target: {self.pick(*targets)}"] if targets else [])]

    def sequence(self, key: str, *items: str) -> list[str]:
        """Return a list, written as people do: indented or not, in quotes or not."""
        indent = self.pick("  ", "  ", "")
        quote = self.pick('"', '"', "") if all('"' not in item for item in items) else ""
        return [f"{key}:", *(f"{indent}- {quote}{item}{quote}" for item in items)]

    def ports(self, *inside: int) -> list[str]:
        """Return published ports, sometimes on the loopback interface or in the long form."""
        roll = self.random.random()
        if roll < 0.06:
            return [
                "ports:",
                *(line for port in inside for line in (f"  - target: {port}", f'    published: "{port}"', "    protocol: tcp")),
            ]
        host = "127.0.0.1:" if roll < 0.15 else ""
        return self.sequence("ports", *(f"{host}{port if port > 1024 or self.maybe(0.4) else port + 8000}:{port}" for port in inside))

    def environment(self, **variables: str) -> list[str]:
        """Return variables as a list or as a mapping."""
        if self.maybe(0.55):
            return ["environment:", *(f"  - {name}={value}" for name, value in variables.items())]
        return ["environment:", *(f"  {name}: {self.quoted(value)}" for name, value in variables.items())]

    def quoted(self, value: str) -> str:
        """Return a scalar that is text for YAML."""
        plain = value.replace("_", "").replace("/", "").replace("$", "").replace("{", "").replace("}", "")
        return value if plain.isalpha() and value not in ("true", "false") else f'"{value}"'

    def password(self) -> str:
        """Return a password as it is found: weak, strong, or from a variable."""
        return self.pick("example", "root", "changeme", f"{self.random.getrandbits(60):015x}", "${DB_PASSWORD}", "${DB_PASSWORD:-secret}")

    def named(self, volume: str, path: str) -> list[str]:
        """Return a mount of a named volume, or of a folder."""
        if self.maybe(0.25):
            return self.sequence("volumes", f"./data/{volume}:{path}")
        self.volumes.append(volume)
        return self.sequence("volumes", f"{volume}:{path}")

    def extras(self) -> list[str]:
        """Return what only some services have."""
        lines: list[str] = []
        if self.maybe(0.3):
            lines.append(f"restart: {self.pick('always', 'unless-stopped', 'on-failure')}")
        if self.maybe(0.08):
            lines.append(f"container_name: {self.word}-{len(self.lines)}")
        if self.maybe(0.05):
            lines += ["deploy:", "  resources:", "    limits:", f"      memory: {self.pick('256M', '512M', '1G')}"]
        if self.maybe(0.04):
            lines += ["security_opt:", "  - no-new-privileges:true", "cap_drop: [ALL]", "read_only: true"]
        if self.maybe(0.03):
            lines += self.sequence("cap_add", self.pick("NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN"))
        if self.maybe(0.03):
            lines += ["logging:", "  driver: json-file", "  options:", "    max-size: 10m"]
        elif self.maybe(0.02):
            lines.append("logging: {driver: json-file, options: {max-size: 10m}}")
        if self.maybe(0.02):
            lines += ["entrypoint: >", "  sh -c 'set -e;", "  exec /docker-entrypoint.sh'"]
        if self.maybe(0.02):
            lines.append(self.pick("privileged: true", "ipc: host", "tty: true", "stdin_open: true"))
        return lines

    def health(self, command: str) -> list[str]:
        """Return a health check, sometimes."""
        if self.maybe(0.7):
            return []
        test = self.pick(f'["CMD-SHELL", "{command}"]', command)
        return ["healthcheck:", f"  test: {test}", "  interval: 10s", "  timeout: 5s", "  retries: 5"]

    def after(self, *names: str) -> list[str]:
        """Return what a service waits for."""
        if self.maybe(0.15):
            return ["depends_on:", *(line for name in names for line in (f"  {name}:", "    condition: service_started"))]
        return self.sequence("depends_on", *names)

    def joined(self, *networks: str) -> list[str]:
        """Return networks that a service joins, in files that have any."""
        if not self.networks:
            return []
        return ["networks:", *(f"  - {name}" for name in networks if name in self.networks)]

    def text(self) -> str:
        """Return the file."""
        lines: list[str] = []
        if self.maybe(0.15):
            lines += [f"# {self.word}: for development; start it with `docker compose up`", ""]
        if self.maybe(0.4):
            lines.append(self.pick("version: '3'", 'version: "3.8"', "version: '2'"))
        if self.maybe(0.05):
            lines.append(f"name: {self.word}")
        lines += ["services:", *self.lines]
        if self.volumes:
            lines += ["volumes:", *(f"  {name}:{self.pick('', '', ' {}')}" for name in self.volumes)]
        if self.networks:
            lines += ["networks:", *(line for name in self.networks for line in (f"  {name}:", "    driver: bridge"))]
        return "\n".join(lines) + "\n"


def one_service(w: Writer) -> None:
    """A product to try out."""
    name = w.pick(*PLAIN)
    port = w.random.choice((8080, 8161, 8983, 80, 3000, 7001))
    ports = w.ports(port, 15005) if w.maybe(0.3) else w.ports(port)
    more = w.sequence("volumes", f"./{w.pick('conf', 'flag.txt', 'www')}:/opt/{name}/{w.pick('conf', 'www')}") if w.maybe(0.3) else []
    command = [f"command: {w.pick('start', 'bash -c', 'sh -c')} '{name} --port {port}'"] if w.maybe(0.15) else []
    w.service(w.pick(name, "web", "app"), w.image(f"example/{name}", "2.4.1", "5.0", "1.9.3-jre"), command, ports, more, w.extras())


def site_and_database(w: Writer) -> None:
    """A content management system on MySQL."""
    name = w.pick("wordpress", "drupal", "joomla", "nextcloud", "matomo")
    password = w.password()
    w.service(
        w.pick("web", name),
        w.image(name, "6.7", "10-apache", "29.0.4"),
        w.after("db"),
        w.ports(80),
        w.environment(DB_HOST="db:3306", DB_USER=name, DB_PASSWORD=password, DB_NAME=name),
        w.named("site", "/var/www/html") if w.maybe(0.6) else [],
        w.extras(),
    )
    engine = w.pick("mysql", "mariadb")
    w.service(
        "db",
        w.image(engine, "8.4", "5.7", "11.4"),
        ["command: '--default-authentication-plugin=mysql_native_password'"] if w.maybe(0.2) else [],
        w.environment(MYSQL_ROOT_PASSWORD=password, MYSQL_DATABASE=name),
        w.named("db_data", "/var/lib/mysql") if w.maybe(0.7) else [],
        w.sequence("expose", "3306", "33060") if w.maybe(0.15) else [],
        w.health("mysqladmin ping -h localhost"),
        w.extras(),
    )


def application(w: Writer) -> None:
    """A team's own program with a database, a cache and a proxy."""
    if w.maybe(0.35):
        w.networks = ["front", "back"]
    password = w.password()
    if w.maybe(0.5):
        w.service(
            "proxy",
            w.image("nginx", "1.27-alpine", "1.26"),
            w.sequence("volumes", "./nginx.conf:/etc/nginx/nginx.conf:ro"),
            w.ports(80, 443) if w.maybe(0.4) else w.ports(80),
            w.after(w.word),
            w.joined("front"),
        )
    w.service(
        w.word,
        w.build("dev", "production"),
        w.ports(8000) if w.maybe(0.7) else [],
        w.environment(DATABASE_URL=f"postgres://app:{password}@db:5432/app", DEBUG=w.pick("true", "false"), REDIS_HOST="cache"),
        w.sequence("volumes", f".:/{w.pick('code', 'app')}", "/app/node_modules") if w.maybe(0.4) else [],
        w.after("db", "cache"),
        w.joined("front", "back"),
        w.health("curl -f http://localhost:8000/healthz"),
        w.extras(),
    )
    w.service(
        "db",
        w.image("postgres", "17-alpine", "16.4", "13"),
        w.environment(POSTGRES_USER="app", POSTGRES_PASSWORD=password, POSTGRES_DB="app"),
        w.named("pg_data", "/var/lib/postgresql/data"),
        w.ports(5432) if w.maybe(0.3) else [],
        w.health("pg_isready -U app"),
        w.joined("back"),
        w.extras(),
    )
    w.service("cache", w.image("redis", "7.4-alpine", "6.2"), w.joined("back"), w.ports(6379) if w.maybe(0.2) else [], w.extras())


def frontend(w: Writer) -> None:
    """A page and its server, as samples have them."""
    w.service(
        "frontend",
        w.build("builder", "development"),
        w.ports(3000),
        w.sequence("volumes", "./frontend:/project", "/project/node_modules") if w.maybe(0.6) else [],
        w.extras(),
    )
    if w.maybe(0.6):
        w.service("backend", w.build("builder"), w.sequence("expose", "8000") if w.maybe(0.5) else w.ports(8000), w.extras())


def monitoring(w: Writer) -> None:
    """Metrics: collector, dashboards, an exporter with a view of the host."""
    w.service(
        "prometheus",
        w.image("prom/prometheus", "v2.55.1", "v3.0.1"),
        w.sequence("command", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.retention.time=15d"),
        w.ports(9090),
        w.named("prom_data", "/prometheus"),
        w.extras(),
    )
    w.service(
        "grafana",
        w.image("grafana/grafana", "11.3.1", "10.4.2"),
        w.ports(3000),
        w.environment(GF_SECURITY_ADMIN_USER="admin", GF_SECURITY_ADMIN_PASSWORD=w.password()),
        w.after("prometheus"),
        w.extras(),
    )
    if w.maybe(0.5):
        mounts = w.sequence("volumes", "/proc:/host/proc:ro", "/sys:/host/sys:ro", "/:/rootfs:ro")
        w.service("node-exporter", w.image("prom/node-exporter", "v1.8.2"), ["pid: host"], mounts, w.extras())


def containers(w: Writer) -> None:
    """A proxy or a console that talks to the container engine."""
    name = w.pick("traefik", "portainer/portainer-ce", "containrrr/watchtower")
    socket = w.sequence("volumes", "/var/run/docker.sock:/var/run/docker.sock" + w.pick("", ":ro"))
    w.service(
        name.rpartition("/")[2], w.image(name, "3.2", "2.21.4", "1.7.1"), w.ports(80, 9000) if w.maybe(0.7) else [], socket, w.extras()
    )
    if w.maybe(0.5):
        labels = w.sequence("labels", "traefik.enable=true", f"traefik.http.routers.{w.word}.rule=Host(`{w.word}.example.org`)")
        w.service(w.word, w.build(), labels, w.extras())


def search(w: Writer) -> None:
    """Elasticsearch with its console."""
    version = w.pick("8.16.0", "7.17.9")
    limits = ["ulimits:", "  memlock:", "    soft: -1", "    hard: -1"] if w.maybe(0.4) else []
    variables = {"discovery.type": "single-node", "ES_JAVA_OPTS": "-Xms512m -Xmx512m", "xpack.security.enabled": "false"}
    w.service("elasticsearch", w.image("elasticsearch", version), w.environment(**variables), limits, w.ports(9200), w.extras())
    if w.maybe(0.7):
        w.service("kibana", w.image("kibana", version), w.after("elasticsearch"), w.ports(5601), w.extras())


KINDS: tuple[Callable[[Writer], None], ...] = (
    *(one_service, one_service, one_service, one_service, one_service),
    *(site_and_database, site_and_database, site_and_database, frontend, frontend, frontend),
    *(application, application, monitoring, containers, search),
)


def compose_file(seed: int) -> str:
    """Return the compose file of a seed."""
    writer = Writer(seed)
    writer.random.choice(KINDS)(writer)
    return writer.text()


def write(folder: Path, count: int, seed: int = 1) -> list[Path]:
    """Write `count` compose files, each alone in a folder of its own, and return their paths."""
    paths = []
    for number in range(count):
        path = folder / f"{number:05d}" / NAMES[number % len(NAMES)]
        path.parent.mkdir(parents=True)
        path.write_text(compose_file(seed * 1_000_003 + number), encoding="utf-8")
        paths.append(path)
    return paths
