#!/bin/sh
# Builds the program with one feature after the other and writes docs/sizes.md: stripped size, times of starts, peak memory.
#
#   sh scripts/sizes.sh                     about 20 minutes on two cores
#
# As root, or where sudo asks for no password, also starts with nothing in the system's cache: only root may empty it.
# Needs tiny.en, silero-vad and the recording two-cities (`earwitness models pull`), python3, strip and GNU time (/usr/bin/time).
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/sizes
out=docs/sizes.md

die() {
    printf 'sizes: %s\n' "$*" >&2
    exit 1
}
[ -x /usr/bin/time ] || die "GNU time is missing: apt-get install time"
for tool in cargo strip python3; do
    command -v "$tool" >/dev/null || die "$tool is missing"
done
speech=$(mktemp -d)
trap 'rm -rf "$speech" "$out.new"' EXIT
trap 'exit 1' INT TERM

mib() { awk -v bytes="$1" 'BEGIN { printf "%.1f", bytes / 1048576 }'; }

build() { # FEATURES
    cargo build --release --locked --target-dir "$target" --no-default-features --features "$1" --bin earwitness
    cp "$target/release/earwitness" "$speech/program"
    strip "$speech/program"
}

# As the first start after the installation; after the computer was switched on; and again.
unpacked() { rm -rf "$speech/models/.packed"; }
root=
[ "$(id -u)" -eq 0 ] || root='sudo -n'
uncached() { sync && echo 3 | $root tee /proc/sys/vm/drop_caches >/dev/null; }
again() { :; }

# The middle of five runs on 4 s of speech, PREPARE before each: seconds and MiB.
measure() { # PREPARE
    : >"$speech/runs"
    for _ in 1 2 3 4 5; do
        "$1"
        EARWITNESS_MODELS=$speech/models /usr/bin/time -a -o "$speech/runs" -f '%e %M' \
            "$speech/program" transcribe "$speech/four.wav" >"$speech/text" 2>"$speech/errors" ||
            die "the program failed: $(cat "$speech/errors")"
        [ -s "$speech/text" ] || die "the program heard nothing"
    done
    sort -n "$speech/runs" | awk 'NR == 3 { printf "%.2f %.0f\n", $1, $2 / 1024 }'
}

build ""
# A copy of the models: the user's stay packed.
for model in tiny.en silero-vad; do
    path=$("$speech/program" models path "$model") || die "$model is missing: earwitness models pull $model"
    [ -d "$path" ] || path=$(dirname "$path")
    mkdir -p "$speech/models"
    cp -a "$path" "$speech/models/"
done
# Four seconds of the reading.
reading=$("$speech/program" models path two-cities) || die "the reading is missing: earwitness models pull two-cities"
python3 - "$reading" "$speech/four.wav" <<'PY'
import sys, wave
with wave.open(sys.argv[1]) as source, wave.open(sys.argv[2], "wb") as cut:
    cut.setparams(source.getparams())
    cut.writeframes(source.readframes(4 * source.getframerate()))
PY
empties=
if uncached 2>/dev/null; then empties=1; fi

{
    echo "# Sizes"
    echo
    echo "The program for $(uname -m), stripped, release profile; written by \`sh scripts/sizes.sh\`. Each time is a whole run,"
    echo "\`earwitness transcribe\` of 4 s of speech with tiny.en and Silero; the middle of five runs on $(getconf _NPROCESSORS_ONLN) cores."
    echo "*First*: the weights are not packed yet, and are then. *Cold*: they are, and neither they nor the program are in the"
    echo "system's cache, as after switching on (a virtual machine's host may still have them). *Warm*: the same again, everything"
    echo "in the cache. Peak memory is resident memory."
    if [ -z "$empties" ]; then
        echo
        echo "Cold starts were not measured: only root may empty the cache."
    fi
    echo
    echo "| features | size, MiB | first, s | first, peak MiB | cold, s | warm, s | warm, peak MiB |"
    echo "|---|---|---|---|---|---|---|"
} >"$out.new"
sum=
for feature in "" webrtc capture cloud telemetry download serve collect; do
    sum=${sum:+$sum,}$feature
    build "$sum"
    size=$(wc -c <"$speech/program")
    first=$(measure unpacked)
    cold="– –"
    [ -z "$empties" ] || cold=$(measure uncached)
    warm=$(measure again)
    label=${feature:+"+ $feature"}
    echo "| ${label:-runtime only} | $(mib "$size") | ${first% *} | ${first#* } | ${cold% *} | ${warm% *} | ${warm#* } |" >>"$out.new"
    tail -1 "$out.new" >&2
done
mv "$out.new" "$out"
