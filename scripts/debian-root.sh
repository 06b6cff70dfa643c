# A fresh Debian with the package in it and a recording in place of the microphone: the part that check-deb.sh and check-unit.sh
# share. Read by them with `.`; what it needs and obeys stands there. It leaves `work` (the Debian's folder), `home` (the
# service's, in it), `wanted` (the link that `systemctl enable` makes), `arch`, `suite`, `inside` (whether it is in a namespace of
# its own), `say`, `fail` and `below` (runs a program in the Debian).
# shellcheck shell=sh disable=SC2016 # what stands in single quotes is for another shell, or for dpkg

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
cannot() {
    say "$@"
    exit 77
}
fail() {
    say "FAILED: $*"
    exit 1
}

package=$(realpath "${1:?say what to check: sh $0 PACKAGE}")
script=$(realpath "$0")
scripts=$(dirname "$script")
root=$(dirname "$scripts")
native=${EARWITNESS_NATIVE:-$root/target/debug/earwitness}
suite=${EARWITNESS_SUITE:-bookworm}

# --- what it needs, before anything is downloaded ---

[ "$(id -u)" -eq 0 ] || cannot "root is needed: chroot"
[ -e "$package" ] || cannot "$package is not there: sh scripts/package-deb.sh"
need() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || cannot "$1 is missing: apt-get install $2"
}
need dpkg-deb dpkg
need debootstrap debootstrap
need python3 python3
need unshare util-linux
arch=$(dpkg-deb --field "$package" Architecture)
case $arch in
amd64) qemu= ;;
arm64) qemu="qemu-aarch64" ;;
armhf) qemu="qemu-arm" ;;
*) cannot "a package for $arch cannot be checked here" ;;
esac
foreign=--foreign
[ "$arch" != "$(dpkg --print-architecture)" ] || foreign=
[ -z "$foreign" ] || need "$qemu-static" qemu-user-static
[ -x "$native" ] || cannot "$native is not there: cargo build, or say EARWITNESS_NATIVE=PROGRAM"
# The models of who called sudo, not root's.
if [ -z "${EARWITNESS_MODELS-}" ] && [ -n "${SUDO_USER-}" ]; then
    HOME=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    export HOME
fi
for model in tiny.en silero-vad beckett; do
    "$native" models path "$model" >/dev/null 2>&1 ||
        cannot "$model is missing${SUDO_USER:+ among the models of $SUDO_USER}: $native models pull $model"
done

export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# --- a Debian ---

roots=${EARWITNESS_ROOTS:-$root/target/debian/roots}
mkdir -p "$roots"
roots=$(realpath "$roots")
base=$roots/$suite-$arch work=$roots/$(basename "$script" .sh)-$suite-$arch
# Made by an earlier version of this script.
if [ "$suite" = bookworm ] && ! [ -e "$base" ] && [ -e "$roots/$arch/var/lib/dpkg/status" ] && ! [ -e "$roots/$arch/debootstrap" ]; then
    base=$roots/$arch
fi
inside=${EARWITNESS_IN_NAMESPACE-}
# Under a name of its own until it is whole: one that was interrupted must not be taken for a Debian.
new=$base.new
if ! [ -e "$base" ] && [ -z "$inside" ]; then
    say "making a Debian $suite for $arch in $base"
    rm -rf "$new"
    # shellcheck disable=SC2086 # one word or none
    debootstrap --variant=minbase --arch="$arch" $foreign "$suite" "$new" >&2 || cannot "debootstrap failed: no network?"
    [ -n "$foreign" ] || mv "$new" "$base"
fi

# --- programs for ARM run by themselves ---

# A user namespace has binfmt handlers of its own (Linux 6.7): the machine's stay as they are.
if [ -n "$foreign" ] && [ -z "$inside" ] && ! [ -e "/proc/sys/fs/binfmt_misc/$qemu" ]; then
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
    # The head of an ARM program (class, machine) and which of its bits count. F: qemu is opened now, so the chroot needs none.
    case $arch in
    arm64) class='\x02' machine='\xb7' ;;
    *) class='\x01' machine='\x28' ;;
    esac
    head='\x7fELF'$class'\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00'$machine'\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf ':%s:M::%s:%s:%s:F' "$qemu" "$head" "$mask" "$(command -v "$qemu-static")" >/proc/sys/fs/binfmt_misc/register
fi
if ! [ -e "$base" ]; then
    # Namespaces forbid device nodes. The first stage has made those that matter; debootstrap only tries whether it may.
    # The stub goes away with debootstrap's own folder.
    mkdir -p "$new/debootstrap/stub"
    stub=$new/debootstrap/stub/mknod
    printf '#!/bin/sh\nfor last; do case $last in */*) : >"$last" ;; esac; done\n' >"$stub"
    chmod +x "$stub"
    chroot "$new" /usr/bin/env "PATH=/debootstrap/stub:/usr/sbin:/usr/bin:/sbin:/bin" /debootstrap/debootstrap --second-stage >&2
    mv "$new" "$base"
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
case $(below dpkg-query --showformat='${Package} ' --show '*asound*' 2>/dev/null) in
*liboss4*) fail "apt took a stand-in for ALSA's library" ;;
esac
below earwitness --version >&2
below getent passwd earwitness >&2
[ "$(below stat -c '%U %a' /var/lib/earwitness)" = "earwitness 700" ] || fail "wrong owner of its folder"
# Where root writes what was said, the service must not: a link there would lead root anywhere.
[ "$(below stat -c '%U:%G %a' /var/log/earwitness)" = "root:earwitness 750" ] || fail "wrong owner of the events' folder"
[ "$(below stat -c '%U:%G %a' /var/log/earwitness/events.jsonl)" = "root:earwitness 640" ] || fail "wrong owner of the events"
for group in audio video; do
    below id -nG earwitness | tr ' ' '\n' | grep -qx "$group" || fail "its user is not in the group $group"
done
[ -e "$work/etc/earwitness/profile.toml" ] || fail "no profile was chosen"
wanted=$work/etc/systemd/system/multi-user.target.wants/earwitness.service
! [ -L "$wanted" ] || fail "the installation enabled the service"
below dpkg --verify earwitness >&2 || fail "files differ from their md5sums"

# --- its service: three pieces of speech and a long silence, in place of the microphone ---

home=$work/var/lib/earwitness
for model in tiny.en silero-vad; do
    path=$("$native" models path "$model")
    [ -d "$path" ] || path=$(dirname "$path")
    mkdir -p "$home/.cache/earwitness/models"
    cp -a "$path" "$home/.cache/earwitness/models/"
done
speech=$("$native" models path beckett)
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
cat >"$work/etc/systemd/system/earwitness.service.d/quick.conf" <<DROPIN
[Service]
RestartSec=1
WatchdogSec=${EARWITNESS_CHECK_WATCHDOG-10}
DROPIN
# The unit's command line as installed, and with what a user may add: the recording instead of a microphone.
pace=8
if [ -n "$foreign" ]; then
    # qemu takes some 20 s for an utterance, and the recording must not end before the last is answered.
    pace=2
    export EARWITNESS_CHECK_PATIENCE="${EARWITNESS_CHECK_PATIENCE-300}"
fi
replay="--input /var/lib/earwitness/replayed.wav --pace ${EARWITNESS_CHECK_PACE-$pace}"
echo "LISTEN_ARGS=$replay --no-speculation --threads 1" >>"$work/etc/earwitness/earwitness.env"
