#!/bin/sh
# Runs a binary for ARM under qemu as the processors of Raspberry Pis, and compares its text with this machine's.
#
#   sh scripts/check-cross.sh BINARY [NATIVE]
#
# BINARY is what scripts/cross-linux.sh built; NATIVE (target/debug/earwitness) gives the text to compare with. Each
# processor recognizes the first seconds of an installed reading with tiny.en. It shows that no instruction is used that a
# processor lacks and that the answer is right; the times are qemu's and say nothing of a board.
# EARWITNESS_CHECK_SECONDS (3.2) says how much is heard. Exit code: 0 equal, 1 not, 77 cannot run here.
set -eu

say() { printf 'check-cross: %s\n' "$*" >&2; }
cannot() {
    say "$@"
    exit 77
}

binary=${1-}
[ -n "$binary" ] || { say "say what to check: sh scripts/check-cross.sh BINARY [NATIVE]"; exit 2; }
root=$(dirname "$0")/..
native=${2-$root/target/debug/earwitness}
seconds=${EARWITNESS_CHECK_SECONDS-3.2}
command -v python3 >/dev/null || cannot "python3 is missing, which cuts the recording"
[ -x "$binary" ] || cannot "$binary is not there: sh scripts/cross-linux.sh aarch64"
machine=$(LC_ALL=C readelf -h "$binary" | sed -n 's/.*Machine: *//p')
case $machine in
AArch64) qemu=qemu-aarch64-static gnu=aarch64-linux-gnu debian=arm64 processors="cortex-a53 cortex-a72 cortex-a76" ;;
ARM) qemu=qemu-arm-static gnu=arm-linux-gnueabihf debian=armhf processors="cortex-a7 cortex-a15" ;;
*)
    say "$binary is for ${machine:-nothing known}: this checks AArch64 and ARM"
    exit 2
    ;;
esac
command -v "$qemu" >/dev/null || cannot "qemu is missing: apt-get install qemu-user-static"
[ -x "$native" ] || cannot "$native is not there: cargo build"
reading=$("$native" models path two-cities) || cannot "the reading is missing: $native models pull two-cities"
"$native" models path tiny.en >/dev/null || cannot "the model is missing: $native models pull tiny.en"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
piece=$work/piece.wav
python3 - "$reading" "$piece" "$seconds" <<'CUT'
import sys, wave
whole, piece, seconds = sys.argv[1:]
with wave.open(whole) as source, wave.open(piece, "wb") as cut:
    cut.setparams(source.getparams())
    cut.writeframes(source.readframes(int(float(seconds) * source.getframerate())))
CUT

# The C library is the cross compiler's; ALSA's, where the build has capture, lies in the folder of cross-linux.sh.
libraries=/usr/$gnu
alsa=${EARWITNESS_CROSS:-$root/target/cross}/sysroot-$debian/usr/lib/$gnu

recognize() { # NAME COMMAND...: the text into NAME.text, what is logged into NAME.log
    name=$1
    shift
    begin=$(date +%s)
    status=0
    "$@" transcribe -vv --model tiny.en --threads 1 "$piece" >"$work/$name.text" 2>"$work/$name.log" || status=$?
    isa=$(sed -n 's/.*model loaded.* isa=\([a-z0-9-]*\).*/\1/p' "$work/$name.log" | head -1)
    printf '%-12s %-13s %4d s  exit %d  %s\n' "$name" "${isa:-?}" $(($(date +%s) - begin)) "$status" "$(tr "\n" " " <"$work/$name.text")"
    [ "$status" -eq 0 ] || tail -3 "$work/$name.log" >&2
}

echo "processor    instructions  time         text of the first $seconds s"
recognize x86-64 "$native"
failed=0
for cpu in $processors; do
    recognize "$cpu" "$qemu" -cpu "$cpu" -E "LD_LIBRARY_PATH=$alsa" -L "$libraries" "$binary"
    cmp -s "$work/x86-64.text" "$work/$cpu.text" || failed=1
done
if [ "$failed" -ne 0 ] || ! [ -s "$work/x86-64.text" ]; then
    say "a text differs or is missing"
    exit 1
fi
say "the texts are equal"
