#!/bin/sh
# Installs a package of scripts/package-deb.sh in a fresh Debian and lets its service live, be killed, and end.
#
#   sh scripts/check-deb.sh PACKAGE
#   EARWITNESS_SUITE=trixie sh scripts/check-deb.sh PACKAGE
#
# The Debian is bookworm (EARWITNESS_SUITE), made by debootstrap below target/debian/roots (EARWITNESS_ROOTS) and copied for
# each check. A package for ARM runs under qemu. systemd does not run there: scripts/check_deb_service.py does what the
# installed unit says. Shown: the package installs with what it depends on and neither enables nor starts its service; that
# becomes ready on a replayed recording, is started again after a SIGKILL with nothing lost from the spool, and ends on
# SIGTERM; a removal ends its being enabled and keeps records, a purge leaves nothing behind.
# Needs root, the network, debootstrap, python3, for another architecture qemu-user-static, and from the user who calls
# (through sudo: who called sudo; else EARWITNESS_MODELS) tiny.en, silero-vad and the recording beckett, found by
# target/debug/earwitness (EARWITNESS_NATIVE). Exit code: 77 if it cannot run here.
set -eu
# shellcheck source=scripts/debian-root.sh
. "$(dirname "$0")/debian-root.sh"

python3 "$scripts/check_deb_service.py" "$work" chroot "$work"

# --- and away ---

# As `systemctl enable` would; there is no systemctl here.
mkdir -p "$(dirname "$wanted")"
ln -s /lib/systemd/system/earwitness.service "$wanted"
below apt-get -qq remove -y earwitness >&2
for kept in "$work/etc/earwitness/profile.toml" "$home" "$work/var/log/earwitness/events.jsonl"; do
    [ -s "$kept" ] || fail "removal took $kept away"
done
! [ -L "$wanted" ] || fail "it is still enabled after its removal"
below apt-get -qq install -y --no-install-recommends /tmp/earwitness.deb >&2
! [ -L "$wanted" ] || fail "it was enabled by being installed again"
below apt-get -qq purge -y earwitness >&2
for left in /etc/earwitness /var/lib/earwitness /var/log/earwitness /usr/bin/earwitness /usr/lib/systemd/system/earwitness.service \
    /var/lib/systemd/deb-systemd-helper-enabled/earwitness.service.dsh-also; do
    [ ! -e "$work$left" ] || fail "purge left $left"
done
# What is mounted in a namespace goes with it, and its files at the next check.
[ -n "$inside" ] || rm -rf "$work"
say "package for $arch on $suite: installed, listened, killed, restarted, ended, removed, installed again, purged"
