"""Makes Dockerfiles like those that people write: several ecosystems, good habits and bad ones, one seed, always the same files."""

import random
from collections.abc import Callable
from pathlib import Path

LICENCES = ("MIT", "Apache-2.0", "BSD-3-Clause", "GPL-3.0-or-later")
APT = (
    "curl",
    "git",
    "ca-certificates",
    "build-essential",
    "libpq-dev",
    "wget",
    "gnupg",
    "unzip",
    "vim",
    "jq",
    "tzdata",
    "libssl-dev",
    "python3",
)
APK = ("curl", "git", "bash", "build-base", "libffi-dev", "openssl-dev", "tzdata", "ca-certificates", "postgresql-dev", "su-exec")
PIP = ("flask", "requests==2.32.3", "gunicorn", "django==5.1.4", "numpy", "celery[redis]", "psycopg2-binary")
NPM = ("pm2", "typescript@5.6.3", "nodemon", "@angular/cli", "serve@14.2.4")
WORDS = ("api", "web", "worker", "gateway", "billing", "search", "reports", "mailer", "auth", "images", "events", "admin")


class Writer:
    """One Dockerfile in the making: chooses from its own stream of random numbers and collects lines."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.name = self.pick(WORDS)

    def pick(self, choices: tuple[str, ...]) -> str:
        """Return one of the choices."""
        return self.random.choice(choices)

    def maybe(self, chance: float) -> bool:
        """Return True with the given chance."""
        return self.random.random() < chance

    def some(self, choices: tuple[str, ...], most: int) -> list[str]:
        """Return between one and `most` different choices."""
        return self.random.sample(choices, self.random.randint(1, most))

    def add(self, *lines: str) -> None:
        """Append lines."""
        self.lines += lines

    def blank(self) -> None:
        """Append an empty line, often with a comment after it."""
        self.add("")
        if self.maybe(0.45):
            self.add(
                "RUN set -eux; \\",
                f"    mkdir -p /var/lib/{self.name} /var/log/{self.name}; \\",
                f"    chown -R 1000:1000 /var/lib/{self.name}",
            )
            self.add("")
        if self.maybe(0.4):
            self.add(
                "# "
                + self.pick(("install dependencies", "build the application", "run as an ordinary user", "copy the sources", "metadata"))
            )

    def tag(self, image: str, *tags: str) -> str:
        """Return an image reference: pinned, tagged, latest or bare."""
        roll = self.random.random()
        if roll < 0.1:
            return image
        if roll < 0.2:
            return f"{image}:latest"
        tag = self.pick(tags)
        if roll < 0.3:
            return f"{image}:{tag}@sha256:{self.random.getrandbits(256):064x}"
        return f"{image}:{tag}"

    def apt(self) -> None:
        """Install Debian packages."""
        packages = self.some(APT, 7)
        if self.maybe(0.2):
            self.add("RUN apt-get update", "RUN apt-get install -y " + " ".join(packages))
            return
        flag = self.pick((" --no-install-recommends", " --no-install-recommends", "", " -qq"))
        end = " && rm -rf /var/lib/apt/lists/*" if self.maybe(0.7) else ""
        if self.maybe(0.3):
            mount = "--mount=type=cache,target=/var/cache/apt,sharing=locked "
            self.add(f"RUN {mount}apt-get update && apt-get install -y{flag} {' '.join(packages)}{end}")
            return
        self.add("RUN apt-get update \\", f" && apt-get install -y{flag} \\")
        self.add(*(f"    {package} \\" for package in packages[:-1]), f"    {packages[-1]}{' ' + chr(92) if end else ''}")
        if end:
            self.add(f"{end}")

    def apk(self) -> None:
        """Install Alpine packages."""
        flag = self.pick((" --no-cache", " --no-cache", "", " --update"))
        self.add(f"RUN apk add{flag} {' '.join(self.some(APK, 5))}")

    def fetch(self) -> None:
        """Download something."""
        version = f"{self.random.randint(1, 9)}.{self.random.randint(0, 20)}.{self.random.randint(0, 9)}"
        tool = self.pick(("yq", "tini", "dumb-init", "migrate", "gosu"))
        url = f"https://downloads.example.org/{tool}/v{version}/{tool}_linux_amd64"
        roll = self.random.random()
        if roll < 0.25:
            self.add(f"ADD {url} /usr/local/bin/{tool}", f"RUN chmod +x /usr/local/bin/{tool}")
        elif roll < 0.45:
            self.add(f"RUN curl -fsSL https://downloads.example.org/{tool}/install.sh | sh")
        elif roll < 0.6:
            self.add(f"RUN wget -q -O /usr/local/bin/{tool} {url} && chmod 755 /usr/local/bin/{tool}")
        else:
            digest = f"{self.random.getrandbits(256):064x}"
            self.add("RUN set -eux; \\", f"    curl -fsSL -o /usr/local/bin/{tool} {url}; \\")
            self.add(f'    echo "{digest}  /usr/local/bin/{tool}" | sha256sum -c -; \\', f"    chmod +x /usr/local/bin/{tool}")

    def heredoc(self) -> None:
        """Write a script or a file with a heredoc."""
        if self.maybe(0.5):
            self.add("RUN <<EOF", "set -e", f"mkdir -p /var/lib/{self.name}", f"echo {self.name} > /etc/hostname.default")
            if self.maybe(0.3):
                self.add("cd /tmp", "sudo true")
            self.add("EOF")
        else:
            self.add(f"COPY <<-'CONF' /etc/{self.name}.conf", "\t[server]", "\tport = 8080", "\tuser = root", "\tCONF")

    def labels(self) -> None:
        """Add metadata."""
        if self.maybe(0.15):
            self.add("MAINTAINER team@example.org")
        elif self.maybe(0.4):
            self.add(
                f'LABEL org.opencontainers.image.title="{self.name}" \\', f'      org.opencontainers.image.licenses="{self.pick(LICENCES)}"'
            )

    def environment(self) -> None:
        """Set variables, now and then one that should not be here."""
        self.add(f"ENV {self.pick(('APP_ENV=production', 'TZ=UTC', 'LANG=C.UTF-8', 'PORT 8080', 'NODE_ENV production', 'DEBUG=false'))}")
        if self.maybe(0.12):
            self.add(f"ENV DB_PASSWORD={self.random.getrandbits(64):016x}")
        if self.maybe(0.2):
            self.add(f"ARG VERSION={self.random.randint(1, 9)}.0", "ENV APP_VERSION=$VERSION")

    def user(self, name: str, add: str) -> None:
        """Switch to an ordinary user, most of the time."""
        if self.maybe(0.6):
            if add:
                self.add(f"RUN {add}")
            self.add(f"USER {name}")
        elif self.maybe(0.2):
            self.add("USER root")

    def end(self, port: int, *command: str) -> None:
        """Add ports, health check and command."""
        if self.maybe(0.7):
            self.add(f"EXPOSE {port}")
        if self.maybe(0.3):
            self.add("HEALTHCHECK --interval=30s --timeout=3s \\", f"    CMD curl -f http://localhost:{port}/healthz || exit 1")
        if self.maybe(0.15):
            self.add('ENTRYPOINT ["/usr/local/bin/docker-entrypoint.sh"]')
        quoted = ", ".join(f'"{word}"' for word in command)
        self.add(f"CMD [{quoted}]" if self.maybe(0.75) else f"CMD {' '.join(command)}")


def node(w: Writer) -> None:
    """A Node.js service."""
    image = w.tag("node", "22-bookworm-slim", "20-alpine", "18", "24.20.0-bookworm-slim")
    multi = w.maybe(0.5)
    w.add(f"FROM {image} AS build" if multi else f"FROM {image}")
    w.labels()
    w.add("WORKDIR /usr/src/app")
    if w.maybe(0.3):
        w.apk() if "alpine" in image else w.apt()
    w.blank()
    if w.maybe(0.75):
        w.add("COPY package*.json ./" if w.maybe(0.5) else "COPY package.json yarn.lock ./")
        cache = "--mount=type=cache,target=/root/.npm " if w.maybe(0.3) else ""
        install = w.pick(("npm ci", "npm install", "npm ci --omit=dev", "yarn install --frozen-lockfile", "npm install --production"))
        w.add(f"RUN {cache}{install}")
        w.add("COPY . .")
    else:
        w.add("COPY . .", "RUN npm install")
    if w.maybe(0.2):
        w.add(f"RUN npm install -g {w.pick(NPM)}")
    if multi:
        w.add("RUN npm run build")
        w.blank()
        w.add(f"FROM {image}" if w.maybe(0.6) else "FROM nginx:1.27-alpine")
        w.add(
            "ENV NODE_ENV=production",
            "WORKDIR /srv",
            "COPY --from=build /usr/src/app/dist ./dist",
            "COPY --from=build /usr/src/app/node_modules ./node_modules",
        )
    w.environment()
    w.user("node", "")
    w.end(3000, "node", "dist/index.js")


def python(w: Writer) -> None:
    """A Python service."""
    image = w.tag("python", "3.12-slim", "3.11", "3.13-alpine", "3.12-slim-bookworm")
    multi = w.maybe(0.35)
    if multi:
        w.add(f"FROM {image} AS build", "WORKDIR /build", "RUN python -m venv /opt/venv", "ENV PATH=/opt/venv/bin:$PATH")
        w.apk() if "alpine" in image else w.apt()
        w.add("COPY requirements.txt .", f"RUN pip install {w.pick(('--no-cache-dir ', '', '--upgrade '))}-r requirements.txt")
        w.blank()
    w.add(f"FROM {image}")
    w.labels()
    w.add("ENV PYTHONUNBUFFERED=1 \\", "    PYTHONDONTWRITEBYTECODE=1")
    w.add(f"WORKDIR {w.pick(('/app', '/srv/app', '/code', 'app'))}")
    if multi:
        w.add("COPY --from=build /opt/venv /opt/venv", "ENV PATH=/opt/venv/bin:$PATH")
    else:
        if w.maybe(0.6):
            w.apk() if "alpine" in image else w.apt()
        w.blank()
        if w.maybe(0.7):
            w.add("COPY requirements.txt ./", f"RUN pip install {w.pick(('--no-cache-dir ', '--no-cache-dir ', ''))}-r requirements.txt")
        else:
            w.add(f"RUN pip install {' '.join(w.some(PIP, 4))}")
    w.add("COPY . ." if w.maybe(0.7) else "ADD . /app")
    w.environment()
    if w.maybe(0.2):
        w.heredoc()
    w.user("app", "useradd --system --create-home app" if "alpine" not in image else "adduser -D app")
    w.end(8000, "gunicorn", "--bind", "0.0.0.0:8000", f"{w.name}.wsgi")


def go(w: Writer) -> None:
    """A Go program."""
    platform = "--platform=$BUILDPLATFORM " if w.maybe(0.25) else ""
    w.add(f"FROM {platform}{w.tag('golang', '1.25-alpine', '1.24', '1.23-bookworm')} AS builder")
    if w.maybe(0.4):
        w.add("ARG TARGETOS TARGETARCH")
    w.add("WORKDIR /src", "COPY go.mod go.sum ./", "RUN go mod download", "COPY . .")
    cache = "--mount=type=cache,target=/root/.cache/go-build " if w.maybe(0.4) else ""
    w.add(f'RUN {cache}CGO_ENABLED=0 GOOS=linux go build -ldflags="-s -w" -o /out/{w.name} ./cmd/{w.name}')
    w.blank()
    final = w.pick(("scratch", "gcr.io/distroless/static-debian12:nonroot", "alpine:3.20", "alpine", "debian:12-slim"))
    w.add(f"FROM {final}")
    w.labels()
    if final.startswith("alpine"):
        w.apk()
    elif final == "scratch":
        w.add("COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/")
    w.add(f"COPY --from=builder /out/{w.name} /{w.name}")
    if final != "scratch" or w.maybe(0.5):
        w.user("65532:65532", "")
    w.add("EXPOSE 8080", f'ENTRYPOINT ["/{w.name}"]')


def java(w: Writer) -> None:
    """A Java service."""
    w.add(f"FROM {w.tag('maven', '3.9-eclipse-temurin-21', '3.8-openjdk-17')} AS build", "WORKDIR /build", "COPY pom.xml .")
    w.add("RUN --mount=type=cache,target=/root/.m2 mvn -B dependency:go-offline" if w.maybe(0.4) else "RUN mvn -B dependency:go-offline")
    w.add("COPY src ./src", "RUN mvn -B package -DskipTests")
    w.blank()
    w.add(f"FROM {w.tag('eclipse-temurin', '21-jre', '17-jre-alpine')}")
    w.labels()
    w.add("ARG JAR_FILE=target/*.jar", "WORKDIR /app", "COPY --from=build /build/${JAR_FILE} app.jar")
    w.environment()
    w.add('ENV JAVA_OPTS="-XX:MaxRAMPercentage=75"')
    w.user("app", "groupadd --system app && useradd --system --gid app app")
    w.end(8080, "sh", "-c", "exec java $JAVA_OPTS -jar app.jar") if w.maybe(0.3) else w.end(8080, "java", "-jar", "app.jar")


def ruby(w: Writer) -> None:
    """A Ruby application."""
    w.add(
        "ARG RUBY_VERSION=3.3.6", f"FROM ruby:{w.pick(('$RUBY_VERSION', '${RUBY_VERSION}-slim', '${RUBY_VERSION:-3.3}'))}", "WORKDIR /rails"
    )
    w.apt()
    w.environment()
    w.add("COPY Gemfile Gemfile.lock ./", "RUN bundle install --jobs 4 && \\", '    rm -rf ~/.bundle/ "${BUNDLE_PATH}"/ruby/*/cache')
    w.add("COPY . .", "RUN SECRET_KEY_BASE_DUMMY=1 ./bin/rails assets:precompile")
    w.user("rails:rails", "groupadd --system --gid 1000 rails && useradd rails --uid 1000 --gid 1000 --create-home --shell /bin/bash")
    w.end(3000, "./bin/rails", "server")


def rust(w: Writer) -> None:
    """A Rust program."""
    w.add(
        f"FROM {w.tag('rust', '1.83-slim', '1.82', '1.83-alpine')} AS build", f"WORKDIR /usr/src/{w.name}", "COPY Cargo.toml Cargo.lock ./"
    )
    w.add(
        "RUN mkdir src && echo 'fn main() {}' > src/main.rs && cargo build --release",
        "COPY src ./src",
        "RUN touch src/main.rs && cargo build --release",
    )
    w.blank()
    w.add(f"FROM {w.tag('debian', '12-slim', 'bookworm', 'bullseye')}")
    w.apt()
    w.add(f"COPY --from=build /usr/src/{w.name}/target/release/{w.name} /usr/local/bin/{w.name}")
    w.user("nobody", "")
    w.end(9000, w.name)


def php(w: Writer) -> None:
    """A PHP site."""
    w.add(f"FROM {w.tag('php', '8.3-apache', '8.2-fpm', '7.4-apache')}")
    w.labels()
    w.apt()
    w.add("RUN docker-php-ext-install pdo pdo_pgsql opcache", "COPY --from=composer:2 /usr/bin/composer /usr/bin/composer")
    w.add("WORKDIR /var/www/html", "COPY composer.json composer.lock ./", "RUN composer install --no-dev --no-scripts --prefer-dist")
    w.add("COPY --chown=www-data:www-data . .", f"RUN chmod -R {w.pick(('777', '755', 'u+rwX'))} storage")
    w.environment()
    w.end(80, "apache2-foreground")


def tools(w: Writer) -> None:
    """A Debian image with tools in it."""
    w.add(f"FROM {w.tag('debian', '12', 'bookworm-slim', 'stable')}" if w.maybe(0.6) else f"FROM {w.tag('ubuntu', '24.04', '22.04')}")
    w.labels()
    if w.maybe(0.4):
        w.add('SHELL ["/bin/bash", "-o", "pipefail", "-c"]')
    w.add("ENV DEBIAN_FRONTEND=noninteractive" if w.maybe(0.4) else "ARG DEBIAN_FRONTEND=noninteractive")
    w.apt()
    w.blank()
    for _ in range(w.random.randint(1, 3)):
        w.random.choice((w.fetch, w.heredoc, w.environment, w.blank))()
    if w.maybe(0.3):
        w.add(
            f"RUN git clone --depth 1 https://git.example.org/{w.name}.git /opt/{w.name} && \\",
            f"    cd /opt/{w.name} && \\",
            "    make install",
        )
    if w.maybe(0.2):
        w.add("RUN echo 'tools ALL=(ALL) NOPASSWD:ALL' >> /etc/sudoers")
    w.add("WORKDIR /work")
    w.user("tools", "useradd --create-home --shell /bin/bash tools")
    if w.maybe(0.3):
        w.add("VOLUME /data")
    w.add('CMD ["bash"]')


def alpine(w: Writer) -> None:
    """A small Alpine service."""
    w.add(f"FROM {w.tag('alpine', '3.20', '3.19', 'edge')}")
    w.apk()
    w.fetch()
    w.blank()
    w.add("COPY docker-entrypoint.sh /usr/local/bin/", "RUN chmod +x /usr/local/bin/docker-entrypoint.sh")
    if w.maybe(0.4):
        w.heredoc()
    w.environment()
    w.user(w.name, f"addgroup -S {w.name} && adduser -S -G {w.name} {w.name}")
    w.end(8080, w.name, "--config", f"/etc/{w.name}.conf")


def static_site(w: Writer) -> None:
    """A static site behind nginx."""
    w.add(f"FROM {w.tag('nginx', '1.27-alpine', '1.26', 'stable-alpine')}")
    w.labels()
    w.add("RUN rm /etc/nginx/conf.d/default.conf", "COPY nginx.conf /etc/nginx/conf.d/", "COPY public /usr/share/nginx/html")
    w.environment()
    w.end(80, "nginx", "-g", "daemon off;")


ECOSYSTEMS: tuple[Callable[[Writer], None], ...] = (
    node,
    node,
    python,
    python,
    go,
    java,
    ruby,
    rust,
    php,
    tools,
    tools,
    alpine,
    static_site,
)


def dockerfile(seed: int) -> str:
    """Return the Dockerfile of a seed."""
    writer = Writer(seed)
    if writer.maybe(0.2):
        writer.add("# syntax=docker/dockerfile:1")
    if writer.maybe(0.45):
        writer.add(f"# Copyright (c) {writer.random.randint(2014, 2026)} the authors of {writer.name}", "#")
        writer.add("# Licensed under the terms in the file LICENSE. Build with", f"#   docker build -t example/{writer.name} .", "")
    writer.random.choice(ECOSYSTEMS)(writer)
    text = "\n".join(writer.lines) + "\n"
    return text.replace("\n", "\r\n") if writer.maybe(0.02) else text


def write(folder: Path, count: int, seed: int = 1) -> list[Path]:
    """Write `count` Dockerfiles, each alone in a folder of its own, and return their paths."""
    paths = []
    for number in range(count):
        path = folder / f"{number:05d}" / "Dockerfile"
        path.parent.mkdir(parents=True)
        path.write_bytes(dockerfile(seed * 1_000_003 + number).encode())
        paths.append(path)
    return paths
