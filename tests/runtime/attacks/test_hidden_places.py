"""`host` shows this machine's programs and nothing that is anybody's business: whatever a machine may keep a credential in."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attacking import INTERPRETER, default, without
from launching import PYTHON, config, launch

from hardener.launch import private
from hardener.linux import calls, consts, mounting

SH = ("/bin/sh", "-c")
# Where credentials lie on real machines: of people, of engines and orchestrators, of networks, of certificates, of clouds and of services.
FILES = (
    *("/root/.ssh/id_ed25519", "/home/user/.aws/credentials", "/project/.env", "/data/secret", "/secrets/token", "/backup/dump.sql"),
    *("/var/lib/kubelet/pki/key", "/var/lib/cloud/instance/user-data.txt", "/var/run/docker.sock", "/run/user/1000/bus", "/srv/app/.env"),
    *("/mnt/share/key", "/media/stick/key", "/tmp/krb5cc_0", "/boot/grub/user.cfg", "/swapfile", "/.env", "/opt/runner/.credentials"),
    *("/etc/shadow", "/etc/gshadow", "/etc/security/opasswd", "/etc/sudoers", "/etc/sudoers.d/admin", "/etc/machine-id"),
    *("/etc/ssh/ssh_host_ed25519_key", "/etc/ssl/private/server.key", "/etc/pki/tls/private/server.key", "/etc/letsencrypt/live/key.pem"),
    *("/etc/kubernetes/admin.conf", "/etc/rancher/k3s/k3s.yaml", "/etc/docker/key.json", "/etc/containers/auth.json", "/etc/cni/net.d/x"),
    *("/etc/krb5.keytab", "/etc/http.keytab", "/etc/rndc.key", "/etc/wireguard/wg0.conf", "/etc/openvpn/client.ovpn", "/etc/ipsec.secrets"),
    *("/etc/ppp/chap-secrets", "/etc/wpa_supplicant/wpa_supplicant.conf", "/etc/NetworkManager/system-connections/home.nmconnection"),
    *("/etc/netplan/50.yaml", "/etc/fstab", "/etc/crypttab", "/etc/cifs-credentials", "/etc/rsyncd.secrets", "/etc/iscsi/iscsid.conf"),
    *(
        "/etc/cloud/cloud.cfg",
        "/etc/boto.cfg",
        "/etc/google/key.json",
        "/etc/gitlab-runner/config.toml",
        "/etc/ansible/vault",
        "/etc/salt/pki/k",
    ),
    *("/etc/environment", "/etc/default/app", "/etc/systemd/system/app.service", "/etc/cron.d/backup", "/etc/crontab", "/etc/pip.conf"),
    *("/etc/npmrc", "/etc/gitconfig", "/etc/apt/auth.conf", "/etc/apt/auth.conf.d/pro", "/etc/postfix/sasl_passwd", "/etc/msmtprc"),
    *("/etc/mysql/debian.cnf", "/etc/ceph/ceph.client.admin.keyring", "/etc/credstore/x", "/etc/sssd/sssd.conf", "/etc/vault.d/vault.hcl"),
    "/nix/var/nix/daemon-socket/socket",
    "/home-of-a-user/.netrc",
)


@pytest.fixture(scope="module")
def machine(place: Path) -> Iterator[Path]:
    """Return a root that looks like a machine with all of that on it, readable by everybody, and this machine's programs."""
    root = place / "machine"
    for name in FILES:
        path = root / name[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("secret\n")
    (root / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\nrunner:x:1001:1001::/opt/runner:/bin/sh\n")
    for name in ("usr", "proc", "dev", "sys"):
        (root / name).mkdir()
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / name).symlink_to(f"usr/{name}")
    yield root


def test_what_a_machine_keeps_is_not_shown(machine: Path, place: Path) -> None:
    folders, files = private.find(str(machine))
    document = default(*SH, f"cat {' '.join(FILES)} 2>/dev/null; echo end", root=machine)
    quiet = ["nosuid", "nodev", "noexec"]
    usr = {"destination": "/usr", "source": "/usr", "type": "bind", "options": ["rbind", "ro"]}
    naive = {**document, "mounts": [*document["mounts"], usr]}
    assert launch(naive, place).out.count("secret") == len(FILES) - 2  # /tmp and /run are the container's own in any case
    document["mounts"] = [
        *document["mounts"][:-2],
        usr,
        *({"destination": path, "type": "tmpfs", "options": [*quiet, "size=1m"]} for path in folders),
    ]
    document["linux"]["maskedPaths"] += files
    result = launch(document, place)
    assert result.out == "end\n", result


def test_a_program_of_this_machine_sees_no_home_and_no_other_process() -> None:
    secret = Path("/etc/harden-test.keytab")
    folder = Path("/harden-test-workspace")
    sleeper = subprocess.Popen(["/bin/sleep", "60"], env={"TOKEN": "secret"})
    try:
        secret.write_text("secret")
        folder.mkdir()
        (folder / "token").write_text("secret")
        script = f"cat {secret} {folder}/token /proc/*/environ /etc/shadow; ls /home /root /var /srv {folder} /proc/{sleeper.pid}"
        command = [sys.executable, "-m", "hardener", "run", "host", "sh", "-c", script]
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert "secret" not in result.stdout
        assert "TOKEN" not in result.stdout
        assert "/home:" in result.stdout, result.stderr
    finally:
        sleeper.kill()
        sleeper.wait()
        secret.unlink(missing_ok=True)
        (folder / "token").unlink(missing_ok=True)
        folder.rmdir()


def test_a_hidden_place_that_is_a_link_is_hidden_where_it_leads(root: Path) -> None:
    for name in ("data/home", "etc", "usr"):
        (root / name).mkdir(parents=True)
    (root / "etc" / "passwd").write_text("")
    (root / "home").symlink_to("data/home")
    (root / "etc" / "ssh").symlink_to("../data")
    assert private.find(str(root)) == (["/data", "/etc/ssh", "/home"], [])


def test_an_abstract_socket_of_this_machine_is_out_of_reach(place: Path) -> None:
    name = f"\0harden-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        code = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('\\0{name[1:]}'); print('in')"
        document = default(*INTERPRETER, "-c", code)
        refused = launch(document, place)
        assert "Connection refused" in refused.err
        result = launch(without(document, "network", "landlock"), place)
        assert result.out == "in\n", result


def test_mounts_below_a_users_root_stay_read_only(root: Path, folder: Path) -> None:
    for name in ("data", "proc", "dev", "sys", "tmp", "usr", "bin", "lib", "lib64"):
        (root / name).mkdir()
    (root / "probe.py").write_text("")

    def before() -> None:
        calls.unshare(consts.CLONE_NEWNS)
        mounting.mount("", "/", "", consts.MS_REC | consts.MS_PRIVATE)
        mounting.attach(mounting.new_filesystem("tmpfs", "data", ("mode=777",)), mounting.open_path(str(root / "data")), name="data")

    document = config(root, *SH, "echo x >/data/x; echo $?", linux__resources=None)
    for kind in ("uidMappings", "gidMappings"):
        document["linux"][kind] = [{"containerID": 0, "hostID": 1, "size": 1}]
    document["mounts"] = [mount for mount in document["mounts"] if mount["destination"] != PYTHON]
    result = launch(document, folder, uid=1, before=before)
    assert (result.out, "Read-only" in result.err) == ("2\n", True)
    document["root"]["readonly"] = False
    assert launch(document, folder, uid=1, before=before).out == "0\n"
