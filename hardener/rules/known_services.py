"""What well-known images and ports are: data stores, consoles, remote control, debuggers.

An image is known by the last part of its name (`bitnami/postgresql` is PostgreSQL, too), a port by its number in the container.
Sources: the images' pages on Docker Hub, IANA's list of ports, the products' manuals.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from hardener.finding import Severity
from hardener.record import NamedTuple
from hardener.sources.unknown import UNKNOWN

if TYPE_CHECKING:
    from hardener.sources.service import Service

MEDIUM, HIGH, CRITICAL = Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL


class Role(NamedTuple):
    """What listens on a port. `kind` is store, console, control, login or debug."""

    kind: str
    what: str  # "a Redis database": object of a sentence
    severity: Severity


class Product(NamedTuple):
    """What an image is. `ports` are those that its role is about; none: all of them."""

    role: Role
    ports: frozenset[int]


def _store(what: str, severity: Severity = HIGH) -> Role:
    return Role("store", what, severity)


def _console(what: str, severity: Severity = MEDIUM) -> Role:
    return Role("console", what, severity)


_POSTGRES, _MYSQL, _MONGO = _store("a PostgreSQL database"), _store("a MySQL database"), _store("a MongoDB database")
_REDIS, _MEMCACHED = _store("a Redis database"), _store("a memcached cache")
_ELASTIC, _CASSANDRA = _store("an Elasticsearch index"), _store("a Cassandra database")
_MSSQL, _ORACLE, _COUCH = _store("a SQL Server database"), _store("an Oracle database"), _store("a CouchDB database")
_INFLUX, _NEO4J, _CLICKHOUSE = _store("an InfluxDB database"), _store("a Neo4j database"), _store("a ClickHouse database")
_KAFKA, _RABBIT = _store("a Kafka broker", MEDIUM), _store("a RabbitMQ broker", MEDIUM)
_ACTIVEMQ, _NATS, _MQTT = _store("an ActiveMQ broker"), _store("a NATS server", MEDIUM), _store("an MQTT broker", MEDIUM)
_ZOOKEEPER, _ETCD = _store("a ZooKeeper ensemble"), _store("an etcd store")
_MINIO, _SOLR, _LDAP = _store("an object store", MEDIUM), _store("a Solr index"), _store("an LDAP directory", MEDIUM)
_CONSUL: Final = Role("control", "the Consul agent (runs scripts for who asks)", HIGH)
_DOCKER: Final = Role("control", "the Docker API without TLS (root on the host)", CRITICAL)
_KUBELET: Final = Role("control", "the kubelet (runs commands in every pod)", HIGH)

# image name(s) | role | ports
_PRODUCTS: Final[tuple[tuple[str, Role, str], ...]] = (
    ("postgres postgresql postgis timescaledb timescaledb-ha pgvector spilo pgbouncer pgpool", _POSTGRES, "5432 6432"),
    ("mysql mysql-server percona percona-server mariadb mariadb-galera proxysql", _MYSQL, "3306 33060 6033"),
    ("mongo mongodb mongodb-community-server percona-server-mongodb mongodb-sharded ferretdb", _MONGO, "27017-27019"),
    ("redis redis-stack redis-stack-server valkey keydb dragonfly redis-cluster", _REDIS, "6379 16379 7000-7005"),
    ("memcached", _MEMCACHED, "11211"),
    ("elasticsearch elasticsearch-oss opensearch", _ELASTIC, "9200 9300"),
    ("cassandra scylla", _CASSANDRA, "9042 9160 7000 7001 7199"),
    ("mssql/server azure-sql-edge mssql-server-linux", _MSSQL, "1433 1434"),
    ("oracle-xe oracle-free oracle-xe-11g oracle database/free database/express database/enterprise", _ORACLE, "1521"),
    ("couchdb", _COUCH, "5984"),
    ("couchbase", _store("a Couchbase database"), "8091-8097 11207-11211 18091-18097"),
    ("influxdb", _INFLUX, "8086 8088 8083 2003"),
    ("neo4j", _NEO4J, "7474 7473 7687"),
    ("clickhouse clickhouse-server", _CLICKHOUSE, "8123 9000 9009"),
    ("cockroach", _store("a CockroachDB database"), "26257 8080"),
    ("rethinkdb", _store("a RethinkDB database"), "28015 29015 8080"),
    ("arangodb", _store("an ArangoDB database"), "8529"),
    ("orientdb", _store("an OrientDB database"), "2424 2480"),
    ("db2", _store("a Db2 database"), "50000"),
    ("firebird", _store("a Firebird database"), "3050"),
    ("surrealdb questdb tidb tarantool dgraph hugegraph aerospike-server ravendb", _store("a database"), ""),
    ("qdrant weaviate milvus chroma", _store("a vector database"), "6333 6334 8080 50051 19530 9091 8000"),
    ("meilisearch typesense", _store("a search index", MEDIUM), "7700 8108"),
    ("solr", _SOLR, "8983"),
    ("etcd", _ETCD, "2379 2380"),
    ("zookeeper cp-zookeeper", _ZOOKEEPER, "2181 2888 3888 8080"),
    ("kafka cp-kafka redpanda cp-server", _KAFKA, "9092-9094 29092 19092 9644"),
    ("rabbitmq", _RABBIT, "5672 5671 61613 1883 25672 4369"),
    ("activemq activemq-classic artemis", _ACTIVEMQ, "61616 5672 61613 1883"),
    ("nats", _NATS, "4222 6222"),
    ("mosquitto eclipse-mosquitto emqx vernemq", _MQTT, "1883 8883 9001"),
    ("minio", _MINIO, "9000"),
    ("openldap ldap 389ds lldap", _LDAP, "389 636 3890"),
    ("consul", _CONSUL, "8500 8300-8302 8501 8502"),
    # consoles
    ("phpmyadmin adminer phppgadmin pgadmin4 pgadmin pgweb mongo-express mongo-gui redis-commander redisinsight phpredisadmin dbgate "
     "cloudbeaver omnidb sqlpad", _console("a database console"), ""),
    ("kibana opensearch-dashboards elasticsearch-head cerebro elasticvue dejavu", _console("a search console"), ""),
    ("prometheus alertmanager pushgateway thanos", _console("monitoring without a login"), ""),
    ("cadvisor node-exporter glances netdata", _console("a view into every container and process of the host"), ""),
    ("grafana-oss grafana grafana-enterprise", _console("the Grafana console"), "3000"),
    ("portainer portainer-ce portainer-ee dockge yacht swarmpit dockerui komodo rancher",
     _console("a console that commands the container runtime", HIGH), "9000 9443 5001 8000 80 443 8080"),
    ("dozzle", _console("the logs of every container"), ""),
    ("jupyter-notebook base-notebook minimal-notebook scipy-notebook datascience-notebook tensorflow-notebook pytorch-notebook "
     "pyspark-notebook all-spark-notebook r-notebook jupyterlab jupyter",
     _console("a notebook (runs code for who gets in)", HIGH), ""),
    ("kafka-ui akhq kafdrop kafka-manager cmak kowl console", _console("a Kafka console"), "8080 9000 9021"),
    ("flower", _console("the Celery console"), "5555"),
    ("webmin cockpit ajenti wetty ttyd gotty novnc", _console("remote administration", HIGH), ""),
    ("selenium hub standalone-chrome standalone-firefox standalone-edge node-chrome node-firefox chrome browserless headless-shell",
     _console("a browser that is steered from outside", HIGH), "4444 5900 7900 4442 4443 3000 9222"),
    ("mailhog mailpit maildev mailcatcher smtp4dev", _console("a mailbox without a login"), "8025 1080 80"),
    ("flink", _console("a Flink cluster (runs code for who asks)", HIGH), "8081 6123"),
    ("spark spark-master", _console("a Spark cluster (runs code for who asks)", HIGH), "8080 7077 6066"),
    ("ray ray-ml", _console("a Ray cluster (runs code for who asks)", HIGH), "8265 10001 6379"),
    ("hadoop hadoop-resourcemanager resourcemanager", _console("a Hadoop cluster (runs code for who asks)", HIGH), "8088 8032 9870 50070"),
    ("nacos nacos-server", _console("the Nacos registry", HIGH), "8848 9848"),
    ("scrapyd", _console("Scrapyd (runs code for who asks)", HIGH), "6800"),
    ("nomad", Role("control", "the Nomad agent (runs programs for who asks)", HIGH), "4646 4647 4648"),
    ("airflow apache-airflow", _console("the Airflow console"), "8080 5555"),
    ("weblogic", _console("the WebLogic console"), "7001 7002 9002"),
    ("rstudio code-server openvscode-server guacamole", _console("a workplace (runs commands for who logs in)"), ""),
    ("ollama", _console("a model server without a login"), "11434"),
    ("mlflow", _console("the MLflow console (without a login)"), "5000"),
    ("traefik", _console("Traefik's dashboard"), "8080"),
    ("docker dind docker-dind", _DOCKER, "2375"),
    ("socket-proxy docker-socket-proxy", Role("control", "the Docker API behind a filter", HIGH), "2375"),
    # logins
    ("openssh-server sshd docker-sshd", Role("login", "an SSH login", MEDIUM), "22 2222"),
)  # fmt: skip

# port(s) in the container | protocol | role: what needs no image to be known
_PORTS: Final[tuple[tuple[str, str, Role], ...]] = (
    ("5432", "tcp", _POSTGRES), ("3306 33060", "tcp", _MYSQL), ("27017-27019", "tcp", _MONGO), ("6379", "tcp", _REDIS),
    ("11211", "tcp", _MEMCACHED), ("11211", "udp", _MEMCACHED), ("9200 9300", "tcp", _ELASTIC), ("9042 9160", "tcp", _CASSANDRA),
    ("1433", "tcp", _MSSQL), ("1521", "tcp", _ORACLE), ("5984", "tcp", _COUCH), ("8086", "tcp", _INFLUX), ("7687", "tcp", _NEO4J),
    ("9092", "tcp", _KAFKA), ("5672", "tcp", _RABBIT), ("61616", "tcp", _ACTIVEMQ), ("4222", "tcp", _NATS), ("1883", "tcp", _MQTT),
    ("2181", "tcp", _ZOOKEEPER), ("2379 2380", "tcp", _ETCD), ("8983", "tcp", _SOLR), ("389", "tcp", _LDAP),
    ("15672", "tcp", _console("RabbitMQ's console")), ("5601", "tcp", _console("the Kibana console")),
    ("8161", "tcp", _console("ActiveMQ's console")), ("9870 50070", "tcp", _console("the Hadoop console")),
    ("2375", "tcp", _DOCKER), ("10250 10255", "tcp", _KUBELET),
    ("2376", "tcp", Role("control", "the Docker API (a client certificate opens root on the host)", MEDIUM)),
    ("4505 4506", "tcp", Role("control", "the Salt master (runs commands on every minion)", HIGH)),
    ("22", "tcp", Role("login", "an SSH login", MEDIUM)), ("23", "tcp", Role("login", "a Telnet login (in plain text)", HIGH)),
    ("21", "tcp", Role("login", "an FTP login (in plain text)", MEDIUM)),
    ("512 513 514", "tcp", Role("login", "an r-command login (trusts addresses)", HIGH)),
    ("3389", "tcp", Role("login", "a remote desktop", MEDIUM)), ("5900-5903", "tcp", Role("login", "a VNC desktop", HIGH)),
    ("139 445", "tcp", Role("login", "a Windows file share", MEDIUM)), ("2049", "tcp", Role("login", "an NFS file share", HIGH)),
    ("873", "tcp", Role("login", "an rsync file share", HIGH)), ("69", "udp", Role("login", "a TFTP file share", MEDIUM)),
    ("5005", "tcp", Role("debug", "the Java debugger (JDWP)", HIGH)),
    ("9229 9230", "tcp", Role("debug", "the Node.js inspector", HIGH)),
    ("5678", "tcp", Role("debug", "Python's debugpy", HIGH)), ("2345 40000", "tcp", Role("debug", "the Go debugger Delve", HIGH)),
    ("9222", "tcp", Role("debug", "the Chrome debugger", HIGH)), ("8787", "tcp", Role("debug", "the Java debugger (JDWP)", HIGH)),
    ("1099", "tcp", Role("debug", "Java RMI or JMX", MEDIUM)),
)  # fmt: skip

_OTHER_PURPOSE: Final = {
    5678: ("n8n",), 8787: ("rstudio", "rstudio-server", "readarr", "dask", "dask-scheduler"),
    22: ("gitea", "gogs", "gitlab", "gitlab-ce", "gitlab-ee", "forgejo", "sftp", "sftpgo", "soft-serve", "onedev", "git"),
    139: ("samba",), 445: ("samba",), 21: ("sftpgo", "ftp", "vsftpd", "pure-ftpd", "proftpd", "docker-pure-ftpd"), 5672: ("qpid",),
}  # fmt: skip
"""Images to which a port means something else, or whose very purpose it is."""

_AMBIGUOUS: Final = frozenset({4222, 8086, 9092, 9200})
"""Ports that other programs use, too: they say something only where the image does not say something else."""

_PUBLIC: Final = frozenset(
    {
        "80/tcp", "443/tcp", "443/udp", "25/tcp", "465/tcp", "587/tcp", "993/tcp", "995/tcp", "853/tcp", "51820/udp", "1194/udp",
        "1194/tcp", "500/udp", "4500/udp", "3478/udp", "3478/tcp", "5349/tcp", "5222/tcp", "5269/tcp", "25565/tcp",
    }
)  # fmt: skip
"""Ports whose purpose is to be reached by everybody: the web, mail, VPNs, calls, chat, games."""

_PROXIES: Final = frozenset(
    {
        "nginx", "traefik", "caddy", "haproxy", "httpd", "envoy", "nginx-proxy", "nginx-proxy-manager", "openresty", "swag", "kong",
        "apisix", "nginx-unprivileged", "bunkerweb", "varnish",
    }
)  # fmt: skip

_SOCKET_PROXIES: Final = ("socket-proxy", "socketproxy", "docker-proxy", "dockerproxy", "socket_proxy")


def ports_of(text: str) -> range | None:
    """Return the ports that `80` or `8000-8010` names; None when it is no such thing."""
    first, dash, last = text.partition("-")
    if not first.isdigit() or (dash and not last.isdigit()):
        return None
    return range(int(first), int(last or first) + 1)


def _numbers(text: str) -> frozenset[int]:
    return frozenset(port for word in text.split() for port in (ports_of(word) or ()))


_products: dict[str, Product] = {}
_ports: dict[tuple[int, str], Role] = {}


def _fill() -> None:
    for names, role, numbers in _PRODUCTS:
        product = Product(role, _numbers(numbers))
        _products.update(dict.fromkeys(names.split(), product))
    for numbers, protocol, role in _PORTS:
        _ports.update({(port, protocol): role for port in _numbers(numbers)})


def image_name(service: "Service") -> str:
    """Return the last part of the name of a service's image, without tag; "" when it is built, or not known."""
    image = service.image
    if image is None or image.value is UNKNOWN or service.build is not None:
        return ""
    return _last(image.value)


@lru_cache(maxsize=1024)
def _last(image: str) -> str:
    name = image.partition("@")[0]
    slash = name.rfind("/")
    colon = name.rfind(":")
    return (name[:colon] if colon > slash else name)[slash + 1 :].lower()


@lru_cache(maxsize=1024)
def _product(image: str) -> Product | None:
    if not _products:
        _fill()
    name = image.partition("@")[0]
    slash, colon = name.rfind("/"), name.rfind(":")
    if colon > slash:
        name = name[:colon]
    parts = name.lower().split("/")
    if parts[-1] == "server" and len(parts) > 1 and parts[-2] == "mssql":
        return _products["mssql/server"]
    if len(parts) > 1 and (found := _products.get("/".join(parts[-2:]))):
        return found
    return _products.get(parts[-1])


def product(service: "Service") -> Product | None:
    """Return what a service's image is."""
    image = service.image
    if image is None or image.value is UNKNOWN or service.build is not None:
        return None
    return _product(image.value)


def is_store(service: "Service") -> bool:
    """Whether a service is a known data store."""
    found = product(service)
    return found is not None and found.role.kind == "store"


def is_web_proxy(service: "Service") -> bool:
    """Whether a service is a known reverse proxy."""
    return image_name(service) in _PROXIES


def is_socket_proxy(service: "Service") -> bool:
    """Whether a service is a filter in front of a runtime's socket."""
    name = image_name(service)
    return bool(name) and is_socket_proxy_name(name)


def is_socket_proxy_name(name: str) -> bool:
    """Whether a host or image is called like a filter in front of a runtime's socket."""
    return any(word in name for word in _SOCKET_PROXIES)


def role(service: "Service", target: str, protocol: str) -> Role | None:
    """Return what listens on a port of a service's container; None for what is not known."""
    image = service.image
    known = "" if image is None or image.value is UNKNOWN or service.build is not None else image.value
    return _role(known, target, protocol)


def port_role(target: str, protocol: str) -> Role | None:
    """Return what listens on a port in a container of which nothing else is known."""
    return _role("", target, protocol)


@lru_cache(maxsize=1024)
def _role(image: str, target: str, protocol: str) -> Role | None:
    found = _product(image) if image else None
    wanted = ports_of(target)
    if wanted is None:
        return None
    if not _ports:
        _fill()
    few = wanted[:200]
    if found is not None and protocol == "tcp" and any(port in found.ports for port in few):
        return found.role
    name = _last(image) if image else ""
    best: Role | None = None
    if len(wanted) <= 20:  # a range of hundreds of ports is no list of services
        for port in few:
            one = _ports.get((port, protocol))
            if (
                one is not None
                and not (name and port in _AMBIGUOUS)
                and name not in _OTHER_PURPOSE.get(port, ())
                and (best is None or one.severity > best.severity)
            ):
                best = one
    if best is None and found is not None and protocol == "tcp" and not found.ports:
        return found.role
    return best


def is_public(target: str, published: str, protocol: str) -> bool:
    """Whether a port is there for everybody to reach: by its number on the host or, the web's aside, in the container.

    The web's ports are 80 and 443; who publishes another one (`8080:80`) has something else in mind.
    """
    return f"{published}/{protocol}" in _PUBLIC or (target not in ("80", "443") and f"{target}/{protocol}" in _PUBLIC)
