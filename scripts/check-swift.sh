#!/bin/sh
# Compiles the Swift samples with Swift's own compiler and runs them on the reading of the demonstration.
#
#   sh scripts/check-swift.sh [LIBRARY [UNIFFI_BINDGEN [NATIVE]]]
#
# What cargo build --workspace and cargo test --no-run make is taken where nothing is said:
# target/debug/deps/libearwitness_ffi.so, target/debug/uniffi-bindgen, target/debug/earwitness. The compiler is Debian trixie's
# swiftlang, in a Debian that debootstrap makes below target/debian/roots (EARWITNESS_ROOTS) the first time: 450 MB to download,
# 3 GB on disk. The system stays as it is.
#
# Shown: examples/ffi/swift hears from a file and from live buffers the words that NATIVE hears, tells partial texts, is
# cancelled, and ends with a message where there are no models. examples/ffi/ios, on the stand-in of
# crates/uniffi-bindgen/tests/stand-ins for Apple's AVFoundation, hears the same words, and goes through calls, headsets, stops
# and failures. Nothing here says that it compiles with Apple's own headers.
#
# Needs root, the network the first time, and tiny.en, silero-vad and two-cities among the models (EARWITNESS_MODELS, or those of
# who called sudo). Exit code: 0 well, 1 not, 77 cannot run here.
set -eu

say() { printf 'check-swift: %s\n' "$*" >&2; }
cannot() {
    say "$@"
    exit 77
}
fail() {
    say "FAILED: $*"
    exit 1
}

root=$(realpath "$(dirname "$0")/..")
library=${1-$root/target/debug/deps/libearwitness_ffi.so}
bindgen=${2-$root/target/debug/uniffi-bindgen}
native=${3-$root/target/debug/earwitness}
[ "$(id -u)" -eq 0 ] || cannot "root is needed: chroot"
for tool in debootstrap python3 unshare; do
    command -v "$tool" >/dev/null || cannot "$tool is missing: apt-get install debootstrap python3 util-linux"
done
for made in "$library" "$bindgen" "$native"; do
    [ -e "$made" ] || cannot "$made is not there: cargo build --workspace; cargo test -p earwitness-ffi --no-run"
done
library=$(realpath "$library") bindgen=$(realpath "$bindgen") native=$(realpath "$native")
# The models of who called sudo, not root's.
if [ -z "${EARWITNESS_MODELS-}" ] && [ -n "${SUDO_USER-}" ]; then
    HOME=$(getent passwd "$SUDO_USER" | cut -d: -f6)
    export HOME
fi
for model in tiny.en silero-vad two-cities; do
    "$native" models path "$model" >/dev/null 2>&1 || cannot "$model is missing: $native models pull $model"
done
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# --- a Debian with the compiler ---

roots=${EARWITNESS_ROOTS:-$root/target/debian/roots}
mkdir -p "$roots"
debian=$(realpath "$roots")/trixie-swift
# Mounts are made in a namespace of their own, and go with it.
below() { # COMMAND: a shell's, in the Debian
    # shellcheck disable=SC2016 # for the shell in the namespace
    unshare --mount sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive HOME=/root sh -c "$1"' "$debian" "$1"
}
# Under a name of its own until it is whole: one that was interrupted must not be taken for a Debian.
if ! [ -e "$debian" ]; then
    whole=$debian
    debian=$whole.new
    rm -rf "$debian"
    say "making a Debian trixie with a Swift compiler in $whole"
    debootstrap --variant=minbase trixie "$debian" >&2 || cannot "debootstrap failed: no network?"
    cp /etc/resolv.conf "$debian/etc/resolv.conf"
    # The compiler asks for a C++ library to compile against, but not for which.
    below 'apt-get -qq install -y --no-install-recommends swiftlang libc6-dev libstdc++-14-dev libasound2t64 && apt-get clean' >&2 ||
        cannot "no Swift compiler for this machine in Debian's archive, or no network"
    mv "$debian" "$whole"
    debian=$whole
fi

# --- what is compiled, and what is heard ---

work=$debian/build
rm -rf "$work"
mkdir -p "$work/models" "$work/none"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
# The generator asks cargo where the crate's settings are.
(cd "$root" && "$bindgen" generate "$library" --language swift --no-format --out-dir "$work") || fail "no bindings were generated"
cp "$library" "$work/libearwitness_ffi.so"
cp "$root"/examples/ffi/swift/*.swift "$root"/examples/ffi/ios/Sources/Earwitness/*.swift \
    "$root"/crates/uniffi-bindgen/tests/stand-ins/*.swift "$work"
for model in tiny.en silero-vad; do
    path=$("$native" models path "$model")
    [ -d "$path" ] || path=$(dirname "$path")
    cp -a "$path" "$work/models/"
done
# 14 s, as WAV, as 16-bit samples and as floats, all at 16 kHz: the reading has 48.
python3 - "$("$native" models path two-cities)" "$work" <<'CUT'
import array, sys, wave
with wave.open(sys.argv[1]) as source:
    assert source.getparams()[:3] == (1, 2, 48000), source.getparams()
    read = array.array("h", source.readframes(14 * 48000))
heard = array.array("h", (sum(read[at:at + 3]) // 3 for at in range(0, len(read) - 2, 3)))
with wave.open(sys.argv[2] + "/speech.wav", "wb") as made:
    made.setparams((1, 2, 16000, 0, "NONE", ""))
    made.writeframes(heard.tobytes())
with open(sys.argv[2] + "/speech.s16", "wb") as raw, open(sys.argv[2] + "/speech.f32", "wb") as floats:
    heard.tofile(raw)
    array.array("f", (sample / 32768 for sample in heard)).tofile(floats)
CUT
words() { tr 'A-Z ' 'a-z\n' | sed 's/^[^a-z0-9]*//; s/[^a-z0-9]*$//' | grep .; }
"$native" transcribe "$work/speech.wav" 2>"$work/errors" | words >"$work/wanted" || fail "NATIVE: $(cat "$work/errors")"
[ "$(wc -l <"$work/wanted")" -gt 20 ] || fail "NATIVE heard only: $(tr '\n' ' ' <"$work/wanted")"
same() { # BEGINNING: what the lines that begin so tell, on stdin
    sed -n "s/^$1 //p" | words | cmp -s - "$work/wanted"
}

say "$(below 'swiftc --version 2>&1 | head -1')"
options='-I . -Xcc -fmodule-map-file=/build/EarwitnessFFI.modulemap -L . -learwitness_ffi -parse-as-library'
below "cd /build && swiftc $options Earwitness.swift Transcribe.swift -o transcribe" >&2 || fail "the Swift sample does not compile"
below "cd /build && swiftc -emit-module -emit-library -module-name AVFoundation AVFoundation.swift -o libAVFoundation.so &&
    swiftc $options -lAVFoundation -module-name Earwitness Earwitness.swift PhoneMicrophone.swift Listening.swift HearWithPhone.swift \
        -o hear" >&2 || fail "the iOS sample does not compile"

# --- examples/ffi/swift ---

hear() { # COMMAND
    below "cd /build && LD_LIBRARY_PATH=. timeout 300 $1"
}
hear './transcribe models speech.wav speech.s16' >"$work/told" 2>"$work/errors" || fail "the Swift sample: $(cat "$work/errors")"
same 'file final' <"$work/told" || fail "other words from the file: $(cat "$work/told")"
same 'live final' <"$work/told" || fail "other words from live buffers: $(cat "$work/told")"
grep -q '^live partial ' "$work/told" || fail "no partial texts"
[ "$(grep -c ' ended well$' "$work/told")" -eq 2 ] || fail "not ended well: $(cat "$work/told")"
hear './transcribe models speech.wav speech.s16 2' >"$work/told" 2>"$work/errors" || fail "cancelled: $(cat "$work/errors")"
grep -q '^live ended cancelled$' "$work/told" || fail "it was not cancelled: $(cat "$work/told")"
! grep -q '^live final' "$work/told" || fail "a cancelled session has answered"
status=0
hear './transcribe none speech.wav speech.s16' >"$work/told" 2>"$work/errors" || status=$?
[ "$status" -eq 1 ] || fail "without models it ended with $status"
grep -q 'earwitness models' "$work/errors" || fail "without models it said: $(cat "$work/errors")"

# --- examples/ffi/ios ---

hear './hear models speech.f32' >"$work/told" 2>"$work/errors" ||
    fail "the iOS sample: $(tail -5 "$work/told") $(head -3 "$work/errors")"
[ "$(tail -1 "$work/told")" = checked ] || fail "the iOS sample came to no end: $(cat "$work/told")"
sed '/^# a call/q' "$work/told" | same final || fail "other words through the iOS sample: $(cat "$work/told")"
say "the Swift sample and the iOS sample hear what the command line hears"
