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

# All that follows is made in one folder, the containers' records included, and removed at the end.
folder=$(mktemp -d /tmp/harden-demo.XXXXXX) || exit 2
chmod 755 "$folder"
export HARDENER_ROOT="$folder/hardener"
clean() {
    harden rm --force versions walls >/dev/null 2>&1
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 130' INT TERM

say "An image with a secret that a later layer deletes, and the same done right: made here, of this machine's shell"
images="$folder/images"
signed=
show 0 python3 image-layers/layout.py "$images"
show 0 harden image layers "$images:naive"
show 1 harden image secrets "$images:naive"
show 1 harden image lint "$images:naive"
show 0 harden image lint "$images:fixed"
if python3 -c 'import cryptography' 2>/dev/null; then
    say "Signed as cosign signs it, with a fresh key; the digest that is signed is the one to pin"
    signed=1
    cp image-layers/policy.yaml "$folder"
    show 0 python3 image-layers/sign.py "$images" fixed "$folder/cosign"
    show 0 harden image verify --key "$folder/cosign.pub" "$images:fixed"
    show 1 harden image verify --key "$folder/cosign.pub" "$images:naive"
fi

# Launching needs Linux and user namespaces; where they are missing, the demo ends with the reason.
say "The other half: any program behind walls, without a daemon: no capabilities, a filter on system calls, a read-only root, no network"
launch() {
    harden run $without "$@"
}
without=
if ! reason=$(launch host -- true 2>&1); then
    # An ordinary user without delegated control groups has no limits to set, and has to say that he knows.
    without='--allow-unenforced memory --allow-unenforced pids --allow-unenforced cpu'
    if ! launch host -- true 2>/dev/null; then
        printf 'skipped, containers cannot be started here:\n%s\n' "$reason"
        exit 0
    fi
fi
show 0 harden run $without host -- sh -c 'id -u; grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/self/status; ls /root; touch /file || true'

say "The image behind the same walls; and a policy that starts only what is signed"
# An ordinary user without a range in /etc/subuid has nobody but root inside.
launch "$images:fixed" >/dev/null 2>&1 || without="$without --user 0"
show 0 harden run $without "$images:fixed"
if [ -n "$signed" ]; then
    show 0 harden run $without --policy "$folder/policy.yaml" "$images:fixed"
    show 125 harden run $without --policy "$folder/policy.yaml" "$images:naive"
fi

say "The link shortener of hardened-node, with its own tests, on this machine's root"
if ! launch host -- node --version >/dev/null 2>&1; then
    echo 'skipped: there is no node in /usr'
elif ! cp -R hardened-node "$folder/links" || ! (cd "$folder/links" && npm ci --silent --fetch-retries=0 --ignore-scripts --no-audit --no-fund) 2>"$folder/npm"; then
    echo 'skipped: its packages cannot be installed:'
    tail -n 3 "$folder/npm"
else
    show 0 harden run $without -v "$folder/links:/srv/links:ro" -w /srv/links host -- node --test
    show 0 harden run $without -v "$folder/links:/srv/links:ro" -w /srv/links host -- \
        sh -c 'node src/index.js & until node src/healthcheck.js; do sleep 0.2; done; echo healthy'
fi

say "The service of python-api, started in the background, asked from inside, and its walls as the kernel shows them"
ask='import sys, urllib.request; print(urllib.request.urlopen("http://127.0.0.1:8000" + sys.argv[1]).read().decode())'
if ! launch host -- python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1; then
    echo 'skipped: there is no Python 3.10 or newer in /usr'
elif ! cp -R python-api "$folder/api" ||
    ! python3 -m pip install --quiet --disable-pip-version-check --retries 1 --require-hashes --target "$folder/lib" \
        -r python-api/requirements.txt 2>"$folder/pip"; then
    echo 'skipped: its packages cannot be installed:'
    tail -n 3 "$folder/pip"
else
    show 0 harden run $without -d --name versions -v "$folder/api:/srv/api:ro" -v "$folder/lib:/srv/lib:ro" \
        -w /srv/api -e PYTHONPATH=/srv/lib -e PYTHONDONTWRITEBYTECODE=1 host -- python3 -m versions
    tries=0
    until harden exec versions python3 -c "$ask" /healthz >/dev/null 2>&1 || [ "$tries" -eq 50 ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    show 0 harden exec versions python3 -c "$ask" '/newest?v=1.9&v=1.10&v=2.0&allowed=<2'
    show 0 harden ps
    show 0 harden logs versions
    show 0 harden inspect --format table versions
    show 0 harden stop versions
    show 0 harden rm versions
fi
