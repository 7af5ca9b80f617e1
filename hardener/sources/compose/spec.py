"""The keys of the Compose Specification, level by level, and what may stand under each. Source: compose-go's schema/compose-spec.json.

A type is a list of alternatives, separated by `|`: a scalar (the names of `scalar_types.py`), `[T]` a list, `{T}` a map with names of
one's own, `<T>` such a map whose names are restricted to letters, digits and `._-`, `@level` a map with the keys of a level. A `!`
before it says that the key must be there.
"""

from typing import Final

_STRINGS: Final = "[str]"
_ONE_OR_MORE: Final = "str|[str]"
_COMMAND: Final = "null|str|[str]"
_VARIABLES: Final = "{str|number|bool|null}|[str]"
_OPTIONS: Final = "{str|number}"
_HOSTS: Final = "{str|[str]}|[host]"
_GRANTS: Final = "[str|@grant]"
_ULIMITS: Final = "<limit|@ulimit>"
_DEVICE_REQUESTS: Final = "[@device-request]"

LEVELS: Final[dict[str, dict[str, str]]] = {
    "": {
        "version": "str", "name": "str", "include": "null|[null|str|@include]", "services": "<@service>", "networks": "{null|@network}",
        "volumes": "<null|@volume>", "secrets": "<@secret>", "configs": "<@config>", "models": "{@model}",
    },
    "service": {
        "annotations": _VARIABLES, "attach": "bool", "blkio_config": "@blkio", "build": "str|@build", "cap_add": _STRINGS,
        "cap_drop": _STRINGS, "cgroup": "cgroup", "cgroup_parent": "str", "command": _COMMAND, "configs": _GRANTS,
        "container_name": "container-name", "cpu_count": "int", "cpu_percent": "int", "cpu_period": "number", "cpu_quota": "number",
        "cpu_rt_period": "number", "cpu_rt_runtime": "number", "cpu_shares": "number", "cpus": "number", "cpuset": "str",
        "credential_spec": "@credential", "depends_on": "[str]|<@dependency>", "deploy": "null|@deploy", "develop": "null|@develop",
        "device_cgroup_rules": _STRINGS, "devices": "[str|@device]", "dns": _ONE_OR_MORE, "dns_opt": _STRINGS,
        "dns_search": _ONE_OR_MORE, "domainname": "str", "entrypoint": _COMMAND, "env_file": "str|[str|@env-file]",
        "environment": _VARIABLES, "expose": "[exposed]", "extends": "str|@extends", "external_links": _STRINGS, "extra_hosts": _HOSTS,
        "gpus": "gpus|[@device-request]", "group_add": "[str|number]", "healthcheck": "@healthcheck", "hostname": "str", "image": "str",
        "init": "bool", "ipc": "str", "isolation": "str", "label_file": _ONE_OR_MORE, "labels": _VARIABLES, "links": _STRINGS,
        "logging": "@logging", "mac_address": "str", "mem_limit": "size", "mem_reservation": "whole-size", "mem_swappiness": "int",
        "memswap_limit": "size", "models": "[str]|{null|@model-use}", "network_mode": "str", "networks": "[str]|<null|@attachment>",
        "oom_kill_disable": "bool", "oom_score_adj": "oom-score", "pid": "str|null", "pids_limit": "number", "platform": "str",
        "ports": "[port|@port]", "post_start": "[@hook]", "pre_start": "[@start-hook]", "pre_stop": "[@hook]", "privileged": "bool",
        "profiles": _STRINGS, "provider": "@provider", "pull_policy": "pull-policy", "pull_refresh_after": "str", "read_only": "bool",
        "restart": "restart", "runtime": "str", "scale": "count", "secrets": _GRANTS, "security_opt": _STRINGS, "shm_size": "size",
        "stdin_open": "bool", "stop_grace_period": "duration", "stop_signal": "str", "storage_opt": "{any}", "sysctls": _VARIABLES,
        "tmpfs": _ONE_OR_MORE, "tty": "bool", "ulimits": _ULIMITS, "use_api_socket": "plain-bool", "user": "str",
        "userns_mode": "str", "uts": "str", "volumes": "[mount|@mount]", "volumes_from": _STRINGS, "working_dir": "str",
    },
    "build": {
        "additional_contexts": "{str|number|bool|null}|[pair]", "args": _VARIABLES, "cache_from": _STRINGS, "cache_to": _STRINGS,
        "context": "str", "dockerfile": "str", "dockerfile_inline": "str", "entitlements": _STRINGS,
        "extra_hosts": _HOSTS, "isolation": "str",
        "labels": _VARIABLES, "network": "str", "no_cache": "bool", "no_cache_filter": _ONE_OR_MORE, "platforms": _STRINGS,
        "privileged": "bool", "provenance": "str|plain-bool", "pull": "bool", "sbom": "str|plain-bool", "secrets": _GRANTS,
        "shm_size": "whole-size", "ssh": "{str|number|bool|null}|[ssh-key]", "tags": _STRINGS, "target": "str", "ulimits": _ULIMITS,
    },
    "blkio": {
        "device_read_bps": "[@blkio-limit]", "device_read_iops": "[@blkio-limit]", "device_write_bps": "[@blkio-limit]",
        "device_write_iops": "[@blkio-limit]", "weight": "int", "weight_device": "[@blkio-weight]",
    },
    "blkio-limit": {"path": "str", "rate": "size"},
    "blkio-weight": {"path": "str", "weight": "int"},
    "credential": {"config": "str", "file": "str", "registry": "str"},
    "dependency": {"condition": "!condition", "required": "plain-bool", "restart": "bool"},
    "device": {"permissions": "str", "source": "!str", "target": "!str"},
    "device-request": {
        "capabilities": _STRINGS, "count": "gpu-count", "device_ids": _STRINGS, "driver": "str", "options": _VARIABLES,
    },
    "env-file": {"format": "env-format", "path": "!str", "required": "bool"},
    "extends": {"file": "null|str", "service": "!str"},
    "include": {"path": "!str|[str]", "project_directory": "str", "env_file": _ONE_OR_MORE},
    "provider": {"options": "{str|number|bool|[str|number|bool]}", "type": "!str"},
    "logging": {"driver": "str", "options": "{str|number|null}"},
    "model-use": {"endpoint_var": "str", "model_var": "str"},
    "attachment": {
        "aliases": _STRINGS, "driver_opts": _OPTIONS, "gw_priority": "plain-number", "interface_name": "str", "ipv4_address": "str",
        "ipv6_address": "str", "link_local_ips": _STRINGS, "mac_address": "str", "priority": "plain-number",
    },
    "port": {
        "app_protocol": "str", "host_ip": "address", "mode": "port-mode", "name": "str", "protocol": "str", "published": "published",
        "target": "!port-number",
    },
    "mount": {
        "bind": "@mount-bind", "cluster": "any", "consistency": "str", "image": "@mount-image", "read_only": "bool", "source": "str",
        "target": "str", "tmpfs": "@mount-tmpfs", "type": "!mount-type", "volume": "@mount-volume",
    },
    "mount-bind": {"create_host_path": "bool", "propagation": "str", "recursive": "recursive", "selinux": "selinux"},
    "mount-volume": {"labels": _VARIABLES, "nocopy": "bool", "subpath": "str"},
    "mount-tmpfs": {"mode": "number", "size": "whole-size"},
    "mount-image": {"subpath": "str"},
    "healthcheck": {
        "disable": "bool", "interval": "duration", "retries": "number", "start_interval": "duration", "start_period": "duration",
        "test": _ONE_OR_MORE, "timeout": "duration",
    },
    "develop": {"watch": "[@watch]"},
    "watch": {
        "action": "!watch-action", "exec": "@hook", "ignore": _ONE_OR_MORE, "include": _ONE_OR_MORE, "initial_sync": "plain-bool",
        "path": "!str", "target": "str",
    },
    "deploy": {
        "endpoint_mode": "endpoint-mode", "labels": _VARIABLES, "mode": "deploy-mode", "placement": "@placement", "replicas": "count",
        "resources": "@resources", "restart_policy": "@restart-policy", "rollback_config": "@update", "update_config": "@update",
    },
    "update": {
        "delay": "duration", "failure_action": "failure-action", "max_failure_ratio": "number", "monitor": "duration",
        "order": "update-order", "parallelism": "int",
    },
    "resources": {"limits": "@limits", "reservations": "@reservations"},
    "limits": {"cpus": "number", "memory": "size-text", "pids": "int"},
    "reservations": {"cpus": "number", "devices": _DEVICE_REQUESTS, "generic_resources": "[@generic-resource]", "memory": "size-text"},
    "generic-resource": {"discrete_resource_spec": "@discrete-resource"},
    "discrete-resource": {"kind": "str", "value": "number"},
    "restart-policy": {"condition": "restart-condition", "delay": "duration", "max_attempts": "int", "window": "duration"},
    "placement": {"constraints": _STRINGS, "max_replicas_per_node": "int", "preferences": "[@preference]"},
    "preference": {"spread": "str"},
    "network": {
        "attachable": "bool", "driver": "str", "driver_opts": _OPTIONS, "enable_ipv4": "bool", "enable_ipv6": "bool",
        "external": "bool|@external", "internal": "bool", "ipam": "@ipam", "labels": _VARIABLES, "name": "str",
    },
    "ipam": {"config": "[@ipam-config]", "driver": "str", "options": "{str}"},
    "ipam-config": {"aux_addresses": "{str}", "gateway": "str", "ip_range": "str", "subnet": "str"},
    "volume": {"driver": "str", "driver_opts": _OPTIONS, "external": "bool|@external", "labels": _VARIABLES, "name": "str"},
    "secret": {
        "driver": "str", "driver_opts": _OPTIONS, "environment": "str", "external": "bool|@external", "file": "str",
        "labels": _VARIABLES, "name": "str", "template_driver": "str",
    },
    "config": {
        "content": "str", "environment": "str", "external": "bool|@external", "file": "str", "labels": _VARIABLES, "name": "str",
        "template_driver": "str",
    },
    "external": {"name": "str"},
    "model": {"context_size": "plain-int", "model": "!str", "name": "str", "runtime_flags": _STRINGS},
    "grant": {"gid": "str", "mode": "number", "source": "!str", "target": "str", "uid": "str"},
    "ulimit": {"hard": "!limit", "soft": "!limit"},
    "hook": {
        "command": "!" + _COMMAND, "environment": _VARIABLES, "privileged": "bool", "user": "str", "working_dir": "str",
    },
    "start-hook": {
        "command": _COMMAND, "environment": _VARIABLES, "image": "str", "per_replica": "bool", "privileged": "bool", "user": "str",
        "working_dir": "str",
    },
}  # fmt: skip

NICKNAMES: Final = {
    "net": "network_mode", "env": "environment", "envs": "environment", "env_vars": "environment", "memory": "mem_limit",
    "mem": "mem_limit", "cpu": "cpus", "cpu_limit": "cpus", "cmd": "command", "log_driver": "logging.driver",
    "log_opt": "logging.options", "capabilities": "cap_add", "mounts": "volumes", "depends": "depends_on", "requires": "depends_on",
    "host": "hostname", "readonly": "read_only", "readOnly": "read_only", "seccomp": "security_opt", "apparmor": "security_opt",
    "restart_policy": "restart", "platforms": "platform", "add_host": "extra_hosts", "publish": "ports", "workdir": "working_dir",
    "name": "container_name", "no_new_privileges": "security_opt: [no-new-privileges:true]", "userns": "userns_mode",
    "device": "devices", "ulimit": "ulimits", "sysctl": "sysctls", "secret": "secrets", "config": "configs", "network": "networks",
    "port": "ports", "volume": "volumes", "link": "links", "profile": "profiles", "label": "labels",
}  # fmt: skip
"""What people write for keys of a service: names of version 1, of the command line, of Kubernetes, and singulars."""
