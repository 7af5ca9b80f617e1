"""Every flag of `docker run`, `docker create` and `podman run`, as one table.

Source: `docker run --help` of 28.2 with the hidden flags of docker/cli (cli/command/container/opts.go), `podman run --help` of 4.3 and
the podman-run manual of 5.x. `nerdctl run` takes docker's flags and some of its own.
"""

from typing import Final

from hardener.record import NamedTuple


class Flag(NamedTuple):
    """One flag. `name` is the one that its tool's help shows first, without dashes; aliases share it."""

    name: str
    boolean: bool
    many: bool  # may be repeated; of the others the last one counts
    kind: str  # how its value is read: a key of reader.KINDS
    field: str  # the field of Service it sets, or the Compose name under which `Service.extra` keeps it
    tools: str  # d docker, p podman, n nerdctl
    listed: bool  # podman splits its value at commas
    only_run: bool  # `create` does not have it


# name(s) | short | kind | field | tools, `*` repeatable, `,` podman splits the value at commas, `!` not for `create`
_TABLE: Final = """
add-host                | . | host     | extra_hosts         | dpn*,
annotation              | . | pair     | annotations         | dpn*,
arch                    | . | extra    | arch                | p
attach                  | a | stream   | attach              | dpn*,
authfile                | . | extra    | authfile            | p
blkio-weight            | . | weight   | blkio_config.weight | dpn
blkio-weight-device     | . | extras   | blkio_config.weight_device | dpn*
cap-add                 | . | texts    | cap_add             | dpn*,
cap-drop                | . | texts    | cap_drop            | dpn*,
cert-dir                | . | extra    | cert-dir            | p
cgroup-conf             | . | extras   | cgroup-conf         | p*
cgroup-parent           | . | text     | cgroup_parent       | dpn
cgroupns                | . | cgroupns | cgroup              | dpn
cgroups                 | . | extra    | cgroups             | p
chrootdirs              | . | extras   | chrootdirs          | p*
cidfile                 | . | extra    | cidfile             | dpn
conmon-pidfile          | . | extra    | conmon-pidfile      | p
cpu-count               | . | extraint | cpu_count           | d
cpu-percent             | . | extraint | cpu_percent         | d
cpu-period              | . | extraint | cpu_period          | dpn
cpu-quota               | . | int      | cpu_quota           | dpn
cpu-rt-period           | . | extraint | cpu_rt_period       | dpn
cpu-rt-runtime          | . | extraint | cpu_rt_runtime      | dpn
cpu-shares              | c | int      | cpu_shares          | dpn
cpus                    | . | cores    | cpus                | dpn
cpuset-cpus             | . | text     | cpuset              | dpn
cpuset-mems             | . | extra    | cpuset_mems         | dpn
creds                   | . | extra    | creds               | p
decryption-key          | . | extras   | decryption-key      | p*
detach                  | d | bool     | detach              | dpn!
detach-keys             | . | extra    | detach_keys         | dpn!
device                  | . | device   | devices             | dpn*,
device-cgroup-rule      | . | rule     | device_cgroup_rules | dpn*
device-read-bps         | . | extras   | blkio_config.device_read_bps | dpn*
device-read-iops        | . | extras   | blkio_config.device_read_iops | dpn*
device-write-bps        | . | extras   | blkio_config.device_write_bps | dpn*
device-write-iops       | . | extras   | blkio_config.device_write_iops | dpn*
disable-content-trust   | . | switch   | disable-content-trust | dp
dns                     | . | address  | dns                 | dpn*,
dns-option dns-opt      | . | extras   | dns_opt             | dpn*,
dns-search              | . | extras   | dns_search          | dpn*,
domainname              | . | text     | domainname          | dn
entrypoint              | . | entry    | entrypoint          | dpn
env                     | e | env      | environment         | dpn*
env-file                | . | file     | env_files           | dpn*,
env-host                | . | switch   | env-host            | p
env-merge               | . | extras   | env-merge           | p*
expose                  | . | expose   | expose              | dpn*,
gidmap                  | . | extras   | gidmap              | p*
gpus                    | . | gpus     | gpus                | dpn
group-add               | . | texts    | group_add           | dpn*,
group-entry             | . | extra    | group-entry         | p
health-cmd              | . | test     | health.test         | dpn
health-interval         | . | health   | health.interval     | dpn
health-log-destination  | . | extra    | health-log-destination | p
health-max-log-count    | . | extraint | health-max-log-count | p
health-max-log-size     | . | extraint | health-max-log-size | p
health-on-failure       | . | extra    | health-on-failure   | p
health-retries          | . | health   | health.retries      | dpn
health-start-interval   | . | health   | health.start_interval | dn
health-start-period     | . | health   | health.start_period | dpn
health-startup-cmd      | . | extra    | health-startup-cmd  | p
health-startup-interval | . | extra    | health-startup-interval | p
health-startup-retries  | . | extraint | health-startup-retries | p
health-startup-success  | . | extraint | health-startup-success | p
health-startup-timeout  | . | extra    | health-startup-timeout | p
health-timeout          | . | health   | health.timeout      | dpn
help                    | . | switch   | help                | dpn
hostname                | h | text     | hostname            | dpn
hosts-file              | . | extra    | hosts-file          | p
hostuser                | . | extras   | hostuser            | p*
http-proxy              | . | switch   | http-proxy          | p
image-volume            | . | extra    | image-volume        | p
init                    | . | bool     | init                | dpn
init-ctr                | . | extra    | init-ctr            | p
init-path               | . | extra    | init-path           | p
interactive             | i | bool     | stdin_open          | dpn
io-maxbandwidth         | . | extrasize | io-maxbandwidth    | d
io-maxiops              | . | extraint | io-maxiops          | d
ip                      | . | ip       | ip                  | dpn
ip6                     | . | ip       | ip6                 | dpn
ipc                     | . | ipc      | ipc                 | dpn
ipfs-address            | . | extra    | ipfs-address        | n
isolation               | . | text     | isolation           | dn
kernel-memory           | . | extrasize | kernel-memory      | dpn
label                   | l | pair     | labels              | dpn*
label-file              | . | extras   | label_file          | dpn*
link                    | . | link     | links               | d*
link-local-ip           | . | extras   | link_local_ips      | dn*
log-driver              | . | logger   | logging.driver      | dpn
log-opt                 | . | logger   | logging.options     | dpn*
mac-address             | . | mac      | mac_address         | dpn
memory                  | m | size     | memory              | dpn
memory-reservation      | . | size     | memory_reservation  | dpn
memory-swap             | . | swap     | memory_swap         | dpn
memory-swappiness       | . | int      | memory_swappiness   | dpn
mount                   | . | mount    | mounts              | dpn*
name                    | . | name     | container_name      | dpn
network net             | . | network  | networks            | dpn*
network-alias net-alias | . | alias    | network_aliases     | dpn*,
no-healthcheck          | . | unhealth | health.disabled     | dpn
no-hostname             | . | switch   | no-hostname         | p
no-hosts                | . | switch   | no-hosts            | p
oom-kill-disable        | . | bool     | oom_kill_disable    | dpn
oom-score-adj           | . | int      | oom_score_adj       | dpn
os                      | . | extra    | os                  | p
passwd                  | . | switch   | passwd              | p!
passwd-entry            | . | extra    | passwd-entry        | p
personality             | . | extra    | personality         | p
pid                     | . | pid      | pid                 | dpn
pidfile                 | . | extra    | pidfile             | pn
pids-limit              | . | int      | pids_limit          | dpn
platform                | . | text     | platform            | dpn
pod                     | . | extra    | pod                 | p
pod-id-file             | . | extra    | pod-id-file         | p
preserve-fd             | . | extras   | preserve-fd         | p*!
preserve-fds            | . | extraint | preserve-fds        | p!
privileged              | . | bool     | privileged          | dpn
publish                 | p | port     | ports               | dpn*,
publish-all             | P | bool     | publish_all         | dp
pull                    | . | pull     | pull_policy         | dpn
quiet                   | q | switch   | quiet               | dpn
rdt-class               | . | extra    | rdt-class           | pn
read-only               | . | bool     | read_only           | dpn
read-only-tmpfs         | . | switch   | read-only-tmpfs     | p
replace                 | . | switch   | replace             | p
requires                | . | extras   | requires            | p*
restart                 | . | restart  | restart             | dpn
retry                   | . | extraint | retry               | p
retry-delay             | . | extra    | retry-delay         | p
rm                      | . | bool     | remove              | dpn
rmi                     | . | switch   | rmi                 | p!
rootfs                  | . | rootfs   | rootfs              | pn
runtime                 | . | text     | runtime             | dpn
sdnotify                | . | extra    | sdnotify            | p
seccomp-policy          | . | extra    | seccomp-policy      | p
secret                  | . | secret   | secrets             | p*
security-opt            | . | secopt   | security_opt        | dpn*
shm-size                | . | size     | shm_size            | dpn
shm-size-systemd        | . | extra    | shm-size-systemd    | p
sig-proxy               | . | switch   | sig-proxy           | dpn!
signature-policy        | . | extra    | signature-policy    | p
stop-signal             | . | signal   | stop_signal         | dpn
stop-timeout            | . | grace    | stop_grace_period   | dpn
storage-opt             | . | storage  | storage_opt         | dp*
subgidname              | . | extra    | subgidname          | p
subuidname              | . | extra    | subuidname          | p
sysctl                  | . | sysctl   | sysctls             | dpn*,
systemd                 | . | extra    | systemd             | pn
timeout                 | . | extraint | timeout             | p
tls-verify              | . | switch   | tls-verify          | p
tmpfs                   | . | tmpfs    | mounts              | dpn*
tty                     | t | bool     | tty                 | dpn
tz                      | . | extra    | tz                  | p
uidmap                  | . | extras   | uidmap              | p*
ulimit                  | . | ulimit   | ulimits             | dpn*,
umask                   | . | extra    | umask               | pn
unsetenv                | . | extras   | unsetenv            | p*
unsetenv-all            | . | switch   | unsetenv-all        | p
use-api-socket          | . | bool     | use_api_socket      | d
user                    | u | text     | user                | dpn
userns                  | . | userns   | userns_mode         | dpn
uts                     | . | uts      | uts                 | dpn
variant                 | . | extra    | variant             | p
verify                  | . | extra    | verify              | n
volume                  | v | volume   | mounts              | dpn*
volume-driver           | . | extra    | volume_driver       | d
volumes-from            | . | texts    | volumes_from        | dpn*
workdir                 | w | folder   | working_dir         | dpn
"""

_BOOLEAN: Final = frozenset({"bool", "switch", "unhealth", "rootfs"})

_TABLES: dict[str, tuple[dict[str, Flag], dict[str, Flag]]] = {}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Options of the tools themselves, before `run`, that take a value.
GLOBAL_VALUES: Final = {
    "docker": _words("--config -c --context -H --host -l --log-level --tlscacert --tlscert --tlskey"),
    "podman": _words(
        "--cgroup-manager -c --connection --conmon --config --context --db-backend --default-mounts-file --events-backend -H --host "
        "--hooks-dir --identity --imagestore --log-level --module --namespace --network-cmd-path --network-config-dir --out --pull-option "
        "--root --runroot --runtime --runtime-flag --ssh --storage-driver --storage-opt --tls-ca --tls-cert --tls-key --tmpdir --url "
        "--volumepath"
    ),
    "nerdctl": _words(
        "-a --address --bridge-ip --cgroup-manager --cni-netconfpath --cni-path --data-root --host -H --hosts-dir -n --namespace "
        "--snapshotter --storage-driver"
    ),
}


def table(tool: str) -> tuple[dict[str, Flag], dict[str, Flag]]:
    """Return the flags of `docker`, `podman` or `nerdctl` by name and by letter."""
    found = _TABLES.get(tool)
    if found is None:
        names: dict[str, Flag] = {}
        letters: dict[str, Flag] = {}
        for row in _TABLE.strip().splitlines():
            spelled, letter, kind, field, marks = [cell.strip() for cell in row.split("|")]
            if tool[0] not in marks:
                continue
            aliases = spelled.split()
            flag = Flag(aliases[0], kind in _BOOLEAN, "*" in marks, kind, field, marks, "," in marks and tool == "podman", "!" in marks)
            names.update(dict.fromkeys(aliases, flag))
            if letter != ".":
                letters[letter] = flag
        found = _TABLES[tool] = names, letters
    return found
