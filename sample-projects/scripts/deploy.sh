#!/usr/bin/env bash
# Bring up the shop on this machine.
set -e

VERSION=${1:-latest}

docker network create shop 2>/dev/null || true

docker run -d --name db --network shop \
  -p 5432:5432 \
  -e POSTGRES_PASSWORD=hunter2 \
  -v /srv/shop/db:/var/lib/postgresql/data \
  postgres

docker run -d --name web --network shop --restart always \
  --privileged \
  -p 80:80 \
  -v /:/host \
  -v /var/run/docker.sock:/var/run/docker.sock \
  --security-opt seccomp=unconfined \
  acme/shop:$VERSION

# Meant to be read-only, but the flag stands behind the image.
docker run -d --name metrics --network shop -p 9100:9100 prom/node-exporter:v1.9.1 --read-only

docker run --rm --restart on-failure -v "$PWD":/work --network shop acme/migrate:$VERSION

ssh backup@vault.example.org "docker run --pid host --cap-add SYS_ADMIN -v /srv/backup:/backup acme/backup:$VERSION"
