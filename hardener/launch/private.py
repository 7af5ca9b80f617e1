"""What of this machine is nobody's business, when its own root is a container's (`host`).

At the top only what programs consist of is shown: whatever else a machine has there (its data, its mounts, a workspace) is hidden without
having a name here. Below /etc, which programs do read, the folders and files are hidden that hold credentials or are known to quote them.
"""

from __future__ import annotations

import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# What programs consist of (Debian, Red Hat, Alpine, Arch, NixOS, Guix, snaps), and what the container mounts its own over.
SHOWN: Final = (
    *("bin", "sbin", "lib", "lib32", "lib64", "libx32", "libexec", "usr", "etc", "opt", "nix", "gnu", "snap"),
    *("proc", "sys", "dev", "tmp", "run"),
)
# Below /etc: keys, passwords, tokens, and what starts services, which is where their secrets are written.
ETC_FOLDERS: Final = (
    *("ssh", "ssl/private", "pki/private", "pki/tls/private", "pki/nssdb", "letsencrypt", "acme", "sudoers.d", "security/keytabs", "gnupg"),
    *("NetworkManager/system-connections", "wpa_supplicant", "iwd", "ppp", "wireguard", "openvpn", "ipsec.d", "swanctl", "strongswan"),
    *("tinc", "nebula", "tailscale", "zerotier-one", "openfortivpn", "vpnc", "chatscripts", "netplan", "hostapd", "freeradius", "raddb"),
    *("kubernetes", "rancher", "k3s", "k0s", "cni", "etcd", "docker", "containers", "containerd", "crio", "buildkit", "nomad.d"),
    *("consul.d", "vault.d", "vault", "salt", "puppetlabs", "chef", "ansible", "cloud", "google", "azure", "waagent", "aws", "amazon"),
    *("gitlab", "gitlab-runner", "buildkite-agent", "jenkins", "drone", "grafana", "prometheus", "alertmanager", "rclone", "restic"),
    *("borgmatic", "duplicity", "ceph", "iscsi", "multipath", "cryptsetup-keys.d", "luks", "keys", "credstore", "credstore.encrypted"),
    *("systemd/system", "systemd/network", "environment.d", "cron.d", "cron.daily", "cron.hourly", "cron.weekly", "cron.monthly"),
    *("default", "sysconfig", "conf.d", "samba", "sssd", "ldap", "openldap", "polkit-1", "pacemaker", "corosync", "drbd.d", "audit"),
    *("apt/auth.conf.d", "exim4", "postfix/sasl", "bind/keys", "boto.d", "s3cmd", "sasl2", "zabbix", "nagios", "icinga2", "munin"),
)
ETC_FILES: Final = (
    *("shadow", "shadow-", "gshadow", "gshadow-", "sudoers", "security/opasswd", "machine-id", "hostid", "krb5.keytab", "fstab"),
    *("crypttab", "environment", "crontab", "anacrontab", "rsyncd.conf", "exports", "auto.master", "davfs2/secrets", "cifs-credentials"),
    *("credentials", "apt/auth.conf", "npmrc", "pip.conf", "gitconfig", "boto.cfg", "s3cfg", "msmtprc", "ddclient.conf"),
    *("ssmtp/ssmtp.conf", "netrc", "postfix/sasl_passwd", "postfix/sasl_passwd.db", "ipsec.conf", "xl2tpd/xl2tp-secrets", "nslcd.conf"),
    *("libnss-ldap.conf", "ldap.conf", "mysql/debian.cnf", "pgpass", "pgbouncer/userlist.txt", "snmp/snmpd.conf", "nut/upsd.users"),
    *("mosquitto/passwd", "ups/upsd.users", "bind/rndc.key", "rndc.key", "dovecot/users", "opendkim/keys", "waagent.conf"),
    *("chrony/chrony.keys", "ntp.keys"),
)
SECRET_ENDINGS: Final = (".keytab", ".key", ".psk", ".secret", ".secrets", ".password", ".passwd", ".token", ".kubeconfig")
# Sockets in what else is shown that all may write to: a read-only mount keeps nobody from them, and their servers have this machine's
# rights. To look for such at each start would take longer than the start; but for Nix, they lie below /run and /var, which are hidden.
SOCKETS: Final = ("nix/var/nix/daemon-socket", "nix/var/nix/gc-socket")
FIRST_PERSON: Final = 1000  # ids below are services, whose homes are where their programs lie


def find(top: str = "") -> tuple[list[str], list[str]]:
    """Return the folders and the files that are hidden of the machine whose root is `top`, this one's by default."""
    entries = [entry for entry in posix.scandir(f"{top}/") if entry.name not in SHOWN]
    folders = [f"/{entry.name}" for entry in entries if entry.is_dir()]
    files = [f"/{entry.name}" for entry in entries if entry.is_file(follow_symlinks=False)]
    etc = {*posix.listdir(f"{top}/etc")}
    folders += [f"/etc/{name}" for name in ETC_FOLDERS if name.partition("/")[0] in etc and _is_directory(f"{top}/etc/{name}")]
    files += [f"/etc/{name}" for name in ETC_FILES if name.partition("/")[0] in etc]
    files += [f"/etc/{name}" for name in etc if name.endswith(SECRET_ENDINGS) and name not in ETC_FILES]
    folders += [f"/{name}" for name in SOCKETS if _is_directory(f"{top}/{name}")]
    folders += [home for home in _homes(f"{top}/etc/passwd") if _is_directory(top + home)]
    return sorted(folders), sorted(files)


def _homes(path: str) -> list[str]:
    """Return the homes of people that lie where programs do; all others are hidden with what is around them."""
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        text = posix.read(fd, 1 << 20).decode("utf-8", "surrogateescape")
    finally:
        posix.close(fd)
    rows = [line.split(":") for line in text.splitlines()]
    people = [row[5] for row in rows if len(row) > 6 and row[2].isdecimal() and FIRST_PERSON <= int(row[2]) < 65534]
    return [home.rstrip("/") for home in people if home.startswith(("/opt/", "/usr/home/")) and ".." not in home and home.count("/") > 1]


def _is_directory(path: str) -> bool:
    try:
        return posix.stat(path).st_mode & 0o170000 == 0o040000
    except (FileNotFoundError, NotADirectoryError, PermissionError):  # whom we cannot ask, the container cannot either
        return False
