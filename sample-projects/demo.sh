#!/bin/sh
# What `make demo` shows: real commands on the projects beside this file, each printed before it runs. To extend it, add a `show`.
set -u
cd "$(dirname "$0")" || exit 2

say() {
    printf '\n\033[1m# %s\033[0m\n' "$*"
}

# Prints and runs a command; the first argument is the exit code that it must have: a demo that goes wrong says so and fails.
show() {
    expected=$1
    shift
    printf '\033[36m$ %s\033[0m\n' "$*"
    "$@"
    code=$?
    if [ "$code" -ne "$expected" ]; then
        printf 'demo: exit code %s, expected %s\n' "$code" "$expected" >&2
        exit 1
    fi
    printf '\033[2m(exit code %s)\033[0m\n' "$code"
}

say "The classic naive image: four lines"
cat naive-node/Dockerfile
show 1 harden lint naive-node

say "Why is that so? Every rule explains itself, offline; a peer's id works as well"
show 0 harden explain HD101

say "As a gate: the exit code is 1 when something is at or above the threshold, in every format"
show 1 harden lint --fail-on high legacy-mess
show 0 harden lint --fail-on critical naive-node

say "The same application done right: nothing to say"
show 0 harden lint hardened-node

say "A whole project: compose files, their override, variables and the Dockerfile they build, judged as what will run"
show 1 harden lint shop-compose/naive

say "One line is a service, too"
show 1 harden lint -- docker run -d --privileged -p 5432:5432 -v /var/run/docker.sock:/var/run/docker.sock postgres

say "The same shop done right, and the policy says so key by key"
show 0 harden lint shop-compose/hardened
show 0 harden gate --policy default shop-compose/hardened

say "Compose service, docker run line and harden run flags say the same: take any, get another"
show 0 harden convert --to run --service cache shop-compose/hardened/compose.yaml

# Launching needs Linux and user namespaces; where they are missing, the demo ends with the reason.
say "The other half: any program behind walls, without a daemon: no capabilities, a filter on system calls, a read-only root, no network"
if harden run host -- true; then
    show 0 harden run host -- sh -c 'id -u; grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status; ls /root; touch /file || true'
fi
