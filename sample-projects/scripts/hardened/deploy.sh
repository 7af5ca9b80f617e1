#!/usr/bin/env bash
# Bring up the shop on this machine.
set -euo pipefail

VERSION=${1:?which version?}

docker network create shop 2>/dev/null || true

# The database and the migration read their password from files that only root can read on the host.
docker run -d --name db --network shop --restart unless-stopped \
  --read-only --tmpfs /run/postgresql:mode=0775,uid=999,gid=999 --tmpfs /tmp \
  --user 999:999 --cap-drop ALL --security-opt no-new-privileges \
  --memory 1g --cpus 1 --pids-limit 200 \
  --log-opt max-size=10m --log-opt max-file=3 \
  --health-cmd 'pg_isready -U postgres' --health-interval 30s --health-timeout 5s --health-retries 5 \
  -e POSTGRES_PASSWORD_FILE=/run/secrets/db_password \
  -v /srv/shop/secrets/db_password:/run/secrets/db_password:ro \
  -v shop-db:/var/lib/postgresql/data \
  "postgres:17.6@$POSTGRES_DIGEST"

docker run -d --name web --network shop --restart unless-stopped \
  --read-only --tmpfs /tmp:size=64m,noexec,nosuid,nodev \
  --user 10001:10001 --cap-drop ALL --security-opt no-new-privileges \
  --memory 256m --cpus 0.5 --pids-limit 100 \
  --log-opt max-size=10m --log-opt max-file=3 \
  --health-cmd 'wget -qO- http://localhost:8080/healthz' --health-interval 30s --health-timeout 5s \
  -p 127.0.0.1:8080:8080 \
  "registry.example.org/acme/shop:$VERSION"

docker run --rm --read-only --user 10001:10001 --cap-drop ALL --security-opt no-new-privileges \
  --memory 256m --pids-limit 100 --network shop \
  -v /srv/shop/secrets/db_password:/run/secrets/db_password:ro \
  "registry.example.org/acme/migrate:$VERSION"
