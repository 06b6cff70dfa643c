#!/bin/sh
# Runs the installed unit under a real systemd, with all its restrictions, in a fresh Debian without network and microphone.
#
#   sh scripts/check-unit.sh PACKAGE
#
# The package must be for this machine's architecture; the Debian, what is needed and the variables are check-deb.sh's. systemd
# runs as the first process of namespaces of its own and of a chroot. Shown: the unit starts without a network and without the
# firmware's mailbox (/dev/vcio), with its groups and without core dumps; its events go where root alone writes; SIGKILL and a
# process that hangs lead to a new start, a wrong profile does not; an update goes on; a stop and a removal end it.
# Exit code: 77 if it cannot run here.
set -eu
# shellcheck source=scripts/debian-root.sh
. "$(dirname "$0")/debian-root.sh"

[ -z "$inside" ] || cannot "systemd does not run under qemu here: check a package for this machine's architecture"
need nsenter util-linux
tree=$(findmnt -n -o TARGET -t cgroup2 | head -1)
[ -n "$tree" ] || cannot "no cgroup2 is mounted here"
below apt-get -qq install -y --no-install-recommends systemd logrotate >&2
# systemd mounts an empty /tmp.
cp "$package" "$work/root/earwitness.deb"

# --- systemd, first process of its own world ---

group=$tree/earwitness-check-$$
mkdir "$group" || cannot "no cgroup can be made below $tree"
first=
finish() {
    [ -z "$first" ] || kill -9 "$first" 2>/dev/null || true
    # What it started ends with it.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        if find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null && ! [ -e "$group" ]; then break; fi
        sleep 0.5
    done
}
trap finish EXIT
trap 'exit 1' INT TERM

cat >"$work/begin" <<'BEGIN'
mount --make-rprivate /
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/dev"
for node in null zero full random urandom tty; do
    : >"$1/dev/$node"
    mount --bind "/dev/$node" "$1/dev/$node"
done
mkdir "$1/dev/shm" "$1/dev/pts"
cd "$1"
pivot_root . mnt
umount -l mnt
exec env -i container=check PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=console --show-status=no
BEGIN
# The network is one without any link: not even this machine is reached from it.
sh -c 'echo $$ >"$1/cgroup.procs"; exec unshare --mount --pid --net --uts --ipc --cgroup --fork sh -eu "$2/begin" "$2"' \
    sh "$group" "$work" >"$work/systemd.log" 2>&1 &
outer=$!

within() { nsenter --target "$first" --all --wd=/ env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
unit() { within systemctl show --value --property "$1" earwitness.service; }
until_true() { # WHAT SECONDS COMMAND...
    what=$1 left=$(($2 * 5))
    shift 2
    until "$@"; do
        left=$((left - 1))
        if [ "$left" -le 0 ]; then
            within journalctl --no-pager -u earwitness -n 20 >&2 || true
            tail -20 "$work/systemd.log" >&2
            fail "not so in time: $what"
        fi
        sleep 0.2
    done
    say "$what"
}
is() { [ "$(unit "$1")" = "$2" ]; }
is_up() {
    first=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && first=${first%% *} && [ -n "$first" ] &&
        [ "$(cat "/proc/$first/comm")" = systemd ] && within systemctl is-system-running 2>/dev/null | grep -q 'running\|degraded'
}
# shellcheck disable=SC2016 # for dpkg
until_true "systemd runs: $(below dpkg-query --showformat='${Version}' --show systemd)" 60 is_up

# --- the unit ---

! within systemctl is-enabled --quiet earwitness || fail "the installation enabled it"
within systemctl enable --now --quiet earwitness || until_true "it starts" 0 false # shows why
is ActiveState active || fail "started, and $(unit ActiveState)"
say "started: $(unit StatusText)"
process=/proc/$(unit MainPID)
in_process() { within cat "$process/$1"; }
in_process limits | grep -q 'Max core file size *0  *0 ' || fail "it may dump core"
groups=$(in_process status | sed -n 's/^Groups:[[:space:]]*//p')
for name in audio video; do
    number=$(within getent group "$name" | cut -d: -f3)
    case " $groups " in *" $number "*) ;; *) fail "the process is not in the group $name: $groups" ;; esac
done
[ "$(within ls -L -l "$process/fd/1" | awk '{ print $1, $3, $4 }')" = "-rw-r----- root earwitness" ] ||
    fail "its events: $(within ls -L -l "$process/fd/1")"
within systemd-analyze security --no-pager earwitness | tail -1 >&2

heard() { within grep -q '"event":"final"' /var/log/earwitness/events.jsonl; }
until_true "what was said is in the events" 60 heard
as_service() { within runuser -u earwitness -- "$@"; }
as_service head -c 1 /var/log/earwitness/events.jsonl >/dev/null || fail "its user cannot read its events"
! as_service ln -s /etc/passwd /var/log/earwitness/link 2>/dev/null || fail "its user may write into the events' folder"
! as_service truncate -s 0 /var/log/earwitness/events.jsonl 2>/dev/null || fail "its user may change its events"
! within journalctl --no-pager -o cat -u earwitness | grep -q '"event"' || fail "events are in the journal"

within systemctl kill --signal=KILL earwitness
until_true "SIGKILL: started again" 30 is NRestarts 1
until_true "ready again" 60 is ActiveState active
within systemctl kill --kill-who=main --signal=STOP earwitness
until_true "a process that hangs: started again" 60 is NRestarts 2
until_true "ready again" 60 is ActiveState active

main=$(unit MainPID)
within logrotate --force /etc/logrotate.d/earwitness
[ -e "$work/var/log/earwitness/events.jsonl.1.gz" ] || fail "logrotate did nothing"
[ "$(within stat -c '%U:%G %a' /var/log/earwitness/events.jsonl)" = "root:earwitness 640" ] || fail "logrotate changed the events' owner"
[ "$(unit MainPID)" = "$main" ] || fail "logrotate restarted it"
say "events rotated under the running service"

# The same version again is an update for the scripts of the package.
within dpkg --install /root/earwitness.deb >&2
{ is ActiveState active && [ "$(unit MainPID)" != "$main" ]; } || fail "after an update: $(unit ActiveState)"
say "an update: goes on"

echo 'no profile' >"$work/etc/earwitness/profile.bad"
within cp /etc/earwitness/profile.toml /etc/earwitness/profile.good
within cp /etc/earwitness/profile.bad /etc/earwitness/profile.toml
! within systemctl restart earwitness 2>/dev/null || fail "it starts with a wrong profile"
sleep 3
{ is ActiveState failed && is ExecMainStatus 7; } || fail "wrong profile: $(unit ActiveState), $(unit ExecMainStatus)"
within cp /etc/earwitness/profile.good /etc/earwitness/profile.toml
within systemctl restart earwitness || fail "it does not start with a mended profile"
say "a wrong profile: ended with 7 and not tried again; mended: restarted"

within systemctl stop earwitness
{ is ActiveState inactive && is Result success; } || fail "stopped, and $(unit ActiveState): $(unit Result)"
say "stopped"
# As after switching on a board whose /var/log is in memory.
rm -rf "$work/var/log/earwitness"
within systemd-tmpfiles --create /usr/lib/tmpfiles.d/earwitness.conf
[ "$(within stat -c '%U:%G %a' /var/log/earwitness /var/log/earwitness/events.jsonl | tr '\n' ' ')" = \
    "root:earwitness 750 root:earwitness 640 " ] || fail "the events' folder was not made again as it was"
within sed -i '/^LISTEN_ARGS=/d' /etc/earwitness/earwitness.env
within systemctl start --no-block earwitness
until_true "without a microphone: ended with 6" 60 is ExecMainStatus 6
again() { [ "$(unit NRestarts)" -ge 2 ]; }
until_true "and tried again" 60 again

within dpkg --remove earwitness >&2
# Failed it may be: that is how it ended before.
rests() { case $(unit ActiveState) in inactive | failed) [ "$(unit MainPID)" = 0 ] ;; *) false ;; esac; }
rests || fail "removed, and $(unit ActiveState)"
! [ -L "$wanted" ] || fail "it is still enabled after its removal"
within dpkg --install /root/earwitness.deb >&2
rests || fail "installed again, and $(unit ActiveState)"
! within systemctl is-enabled --quiet earwitness || fail "it was enabled by being installed again"
say "removed and installed again: neither enabled nor started"

finish
first=
rm -rf "$work"
say "unit for $arch on $suite: all of it held"
