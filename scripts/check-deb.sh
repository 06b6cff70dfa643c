#!/bin/sh
# Installs a package of scripts/package-deb.sh in a fresh Debian and lets its service live, be killed, and end.
#
#   sh scripts/check-deb.sh PACKAGE
#
# The Debian is bookworm, made by debootstrap below target/debian/roots (EARWITNESS_ROOTS) and copied for each check. A
# package for arm64 runs under qemu. systemd does not run there: scripts/check_deb_service.py does what the installed unit
# says. Shown: the package installs with what it depends on; the service becomes ready on a replayed recording, is started
# again after a SIGKILL with nothing lost from the spool, and ends on SIGTERM; removal and purge leave nothing behind.
# Needs root, the network, debootstrap, python3, tiny.en and the recording beckett. Exit code: 77 if it cannot run here.
set -eu

say() { printf 'check-deb: %s\n' "$*" >&2; }
cannot() {
    say "$@"
    exit 77
}

package=$(realpath "${1:?say what to check: sh scripts/check-deb.sh PACKAGE}")
script=$(realpath "$0")
root=$(dirname "$script")/..
native=${EARWITNESS_NATIVE:-$root/target/debug/earwitness}
[ "$(id -u)" -eq 0 ] || cannot "root is needed: chroot"
for tool in debootstrap python3 dpkg-deb unshare; do
    command -v "$tool" >/dev/null || cannot "$tool is missing: apt-get install debootstrap python3 util-linux"
done
arch=$(dpkg-deb --field "$package" Architecture)

export LC_ALL=C DEBIAN_FRONTEND=noninteractive
foreign=--foreign
[ "$arch" != "$(dpkg --print-architecture)" ] || foreign=

# --- a Debian ---

roots=${EARWITNESS_ROOTS:-$root/target/debian/roots}
mkdir -p "$roots"
roots=$(realpath "$roots")
base=$roots/$arch work=$roots/check-$arch
if ! [ -e "$base/var/lib/dpkg" ]; then
    say "making a Debian bookworm for $arch in $base"
    # shellcheck disable=SC2086 # one word or none
    debootstrap --variant=minbase --arch="$arch" $foreign bookworm "$base" >&2 || cannot "debootstrap failed: no network?"
fi

# --- programs for ARM run by themselves ---

# A user namespace has binfmt handlers of its own (Linux 6.7): the machine's stay as they are.
inside=${EARWITNESS_IN_NAMESPACE-}
if [ -n "$foreign" ] && [ -z "$inside" ] && ! [ -e "/proc/sys/fs/binfmt_misc/qemu-aarch64" ]; then
    command -v qemu-aarch64-static >/dev/null || cannot "qemu is missing: apt-get install qemu-user-static"
    go=$(mktemp -u)
    mkfifo "$go"
    EARWITNESS_IN_NAMESPACE=1 unshare --user --mount sh -c 'read -r _ <"$0"; exec sh "$@"' "$go" "$script" "$package" &
    child=$!
    while [ "$(readlink "/proc/$child/ns/user")" = "$(readlink /proc/self/ns/user)" ]; do
        kill -0 "$child" 2>/dev/null || cannot "no user namespaces here: apt-get install binfmt-support, and run it again"
        sleep 0.1
    done
    echo "0 0 4294967295" >"/proc/$child/uid_map"
    echo "0 0 4294967295" >"/proc/$child/gid_map"
    echo go >"$go"
    rm "$go"
    status=0
    wait "$child" || status=$?
    exit "$status"
fi
if [ -n "$inside" ]; then
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || cannot "this kernel has no binfmt_misc for namespaces (Linux 6.7)"
    # The head of a 64-bit ARM program and which of its bits count. F: qemu is opened now, so the chroot needs none.
    head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf ':qemu-aarch64:M::%s:%s:%s:F' "$head" "$mask" /usr/bin/qemu-aarch64-static >/proc/sys/fs/binfmt_misc/register
fi
if [ -e "$base/debootstrap" ]; then
    # Namespaces forbid device nodes. The first stage has made those that matter; debootstrap only tries whether it may.
    stub=$base/usr/local/sbin/mknod
    printf '#!/bin/sh\nfor last; do case $last in */*) : >"$last" ;; esac; done\n' >"$stub"
    chmod +x "$stub"
    chroot "$base" /usr/bin/env "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" /debootstrap/debootstrap --second-stage >&2
    rm "$stub"
fi

# --- the package in it ---

rm -rf "$work"
if [ -z "$inside" ]; then
    cp -a "$base" "$work"
else
    mkdir "$work"
    find "$base" -mindepth 1 -maxdepth 1 ! -name dev -exec cp -a {} "$work" \;
    mkdir "$work/dev"
    for node in null zero full random urandom tty; do
        : >"$work/dev/$node"
        mount --bind "/dev/$node" "$work/dev/$node"
    done
fi
cp /etc/resolv.conf "$work/etc/resolv.conf"
below() { chroot "$work" /usr/bin/env PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"; }
cp "$package" "$work/tmp/earwitness.deb"
below apt-get -qq update >&2
begin=$(date +%s)
below apt-get -qq install -y --no-install-recommends /tmp/earwitness.deb >&2
say "installed in $(($(date +%s) - begin)) s with $(below dpkg-query --showformat='${Depends}' --show earwitness)"
below earwitness --version >&2
below getent passwd earwitness >&2
[ "$(below stat -c '%U %a' /var/lib/earwitness)" = "earwitness 700" ] || { say "wrong owner of its folder"; exit 1; }
[ -e "$work/etc/earwitness/profile.toml" ] || { say "no profile was chosen"; exit 1; }

# --- its service: three pieces of speech and a long silence, in place of the microphone ---

home=$work/var/lib/earwitness
for model in tiny.en silero-vad; do
    path=$("$native" models path "$model") || cannot "a model is missing: $native models pull $model"
    [ -d "$path" ] || path=$(dirname "$path")
    mkdir -p "$home/.cache/earwitness/models"
    cp -a "$path" "$home/.cache/earwitness/models/"
done
speech=$("$native" models path beckett) || cannot "the recording is missing: $native models pull beckett"
python3 - "$speech" "$home/replayed.wav" <<'CUT'
import sys, wave
with wave.open(sys.argv[1]) as source, wave.open(sys.argv[2], "wb") as made:
    made.setparams(source.getparams())
    second = source.getframerate()
    silence = b"\0\0" * source.getnchannels() * second
    for _ in range(3):
        made.writeframes(source.readframes(3 * second) + 2 * silence)
    made.writeframes(600 * silence)
CUT
below chown -R earwitness:earwitness /var/lib/earwitness
mkdir -p "$work/etc/systemd/system/earwitness.service.d"
cat >"$work/etc/systemd/system/earwitness.service.d/replay.conf" <<DROPIN
[Service]
ExecStart=
ExecStart=/usr/bin/earwitness listen --profile /etc/earwitness/profile.toml --format jsonl --input /var/lib/earwitness/replayed.wav --pace ${EARWITNESS_CHECK_PACE-8} \$LISTEN_ARGS
RestartSec=1
WatchdogSec=${EARWITNESS_CHECK_WATCHDOG-10}
DROPIN
echo 'LISTEN_ARGS=--keep --no-speculation --threads 1' >>"$work/etc/earwitness/earwitness.env"
python3 "$(dirname "$script")/check_deb_service.py" "$work" chroot "$work"

# --- and away ---

below apt-get -qq remove -y earwitness >&2
[ -e "$work/etc/earwitness/profile.toml" ] && [ -d "$home" ] || { say "removal took settings or records away"; exit 1; }
below apt-get -qq purge -y earwitness >&2
for left in /etc/earwitness /var/lib/earwitness /usr/bin/earwitness /lib/systemd/system/earwitness.service; do
    [ ! -e "$work$left" ] || { say "purge left $left"; exit 1; }
done
# What is mounted in a namespace goes with it, and its files at the next check.
[ -n "$inside" ] || rm -rf "$work"
say "package for $arch: installed, listened, killed, restarted, ended, removed, purged"
