"""Programs that distributions ship with setuid or setgid bits or capabilities: theirs to keep, and nothing that an image has added.

Only what the packages of a minimal system and of common servers bring; sudo, doas and pkexec are left out on purpose. Paths are without
`/usr` before them: some systems have merged the two. Sources: the file lists of Debian 12 and 13, Ubuntu 24.04, Alpine 3.22 and Red Hat
UBI 9 (`find / -perm /6000`, `getcap -r /`), and their packages' maintainer scripts.
"""

from __future__ import annotations

from typing import Final

_DEBIAN: Final = (
    # passwd, login, mount, util-linux, libpam-modules-bin, bsdutils
    "bin/chage bin/chfn bin/chsh bin/expiry bin/gpasswd bin/newgrp bin/passwd bin/su bin/mount bin/umount sbin/unix_chkpwd "
    "sbin/pam_extrausers_chkpwd bin/wall bin/write bin/write.ul bin/bsd-write "
    # openssh-client, dbus, cron, at, exim4, postfix, procmail-like, utempter, fuse, locate
    "bin/ssh-agent lib/openssh/ssh-keysign lib/dbus-1.0/dbus-daemon-launch-helper bin/crontab bin/at sbin/exim4 sbin/postdrop "
    "sbin/postqueue bin/dotlockfile bin/mail-lock bin/mail-unlock "
    "bin/mail-touchlock bin/fusermount bin/fusermount3 bin/ntfs-3g bin/plocate "
    "bin/mlocate bin/locate bin/newuidmap bin/newgidmap sbin/mount.nfs sbin/mount.cifs bin/screen bin/bwrap "
    "lib/polkit-1/polkit-agent-helper-1 "
    "lib/x86_64-linux-gnu/utempter/utempter lib/aarch64-linux-gnu/utempter/utempter "
    # with capabilities: iputils, mtr, gstreamer
    "bin/ping bin/ping4 bin/ping6 bin/arping bin/clockdiff bin/traceroute6.iputils bin/mtr-packet "
    "lib/x86_64-linux-gnu/gstreamer1.0/gstreamer-1.0/gst-ptp-helper lib/aarch64-linux-gnu/gstreamer1.0/gstreamer-1.0/gst-ptp-helper"
)
_ALPINE: Final = (
    "bin/bbsuid bin/su bin/mount bin/umount bin/chage bin/chfn bin/chsh bin/expiry bin/gpasswd bin/newgrp bin/passwd sbin/unix_chkpwd "
    "libexec/dbus-daemon-launch-helper lib/ssh/ssh-keysign bin/fusermount bin/fusermount3 bin/newuidmap bin/newgidmap bin/crontab"
)
_RHEL: Final = (
    "bin/chage bin/chfn bin/chsh bin/gpasswd bin/newgrp bin/passwd bin/su bin/mount bin/umount bin/crontab bin/at bin/write bin/locate "
    "sbin/unix_chkpwd sbin/pam_timestamp_check sbin/grub2-set-bootflag sbin/userhelper sbin/lockdev bin/fusermount bin/fusermount3 "
    "libexec/dbus-1/dbus-daemon-launch-helper lib64/dbus-1/dbus-daemon-launch-helper libexec/openssh/ssh-keysign "
    "libexec/utempter/utempter sbin/mount.nfs sbin/postdrop sbin/postqueue bin/screen "
    # with capabilities: shadow-utils, iputils, httpd
    "bin/newuidmap bin/newgidmap bin/ping bin/arping sbin/arping bin/clockdiff sbin/clockdiff sbin/suexec sbin/mtr-packet"
)
_BY_FAMILY: Final = {
    family: frozenset(paths.split())
    for family, paths in {"debian": _DEBIAN, "alpine": _ALPINE, "rhel": _RHEL, "suse": _RHEL, "arch": f"{_RHEL} {_DEBIAN}"}.items()
}

# They make root of others by their very purpose: a rule of their own tells of them.
ESCALATORS: Final = frozenset({"sudo", "sudoedit", "sudo-rs", "doas", "pkexec", "please", "calife", "op"})


def ships(family: str, path: str) -> bool:
    """Whether a distribution of a family is known to ship a path of an image (no `/` before it) with privileges."""
    return path.removeprefix("usr/") in _BY_FAMILY.get(family, frozenset())
