#!/bin/sh
# Builds the program with one feature after the other and writes docs/sizes.md: stripped size, cold start, peak memory.
#
#   sh scripts/sizes.sh                     about 20 minutes on two cores
#
# Needs tiny.en, silero-vad and the recording two-cities (`earwitness models pull`), and /usr/bin/time.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}/sizes
out=docs/sizes.md
speech=$(mktemp -d)
trap 'rm -rf "$speech"' EXIT

mib() { awk -v bytes="$1" 'BEGIN { printf "%.1f", bytes / 1048576 }'; }

build() { # FEATURES
    cargo build --release --locked --target-dir "$target" --no-default-features --features "$1" --bin earwitness
    cp "$target/release/earwitness" "$speech/program"
    strip "$speech/program"
}

# The middle of five runs on 4 s of speech: seconds and MiB.
measure() {
    for _ in 1 2 3 4 5; do
        /usr/bin/time -f '%e %M' "$speech/program" transcribe "$speech/four.wav" 2>&1 >"$speech/text" | tail -1
    done | sort -n | sed -n 3p
}

build ""
# Four seconds of the reading, as the library itself decodes it.
reading=$("$speech/program" models path two-cities)
"$speech/program" transcribe "$reading" >/dev/null # packs the weights once
python3 - "$reading" "$speech/four.wav" <<'PY'
import sys, wave
with wave.open(sys.argv[1]) as source, wave.open(sys.argv[2], "wb") as cut:
    cut.setparams(source.getparams())
    cut.writeframes(source.readframes(4 * source.getframerate()))
PY

{
    echo "# Sizes"
    echo
    echo "The program for $(uname -m), stripped, release profile; written by \`sh scripts/sizes.sh\`. Cold start is a whole run:"
    echo "\`earwitness transcribe\` of 4 s of speech with tiny.en and Silero, weights packed before, files in the system's cache;"
    echo "the middle of five runs on $(getconf _NPROCESSORS_ONLN) cores."
    echo
    echo "| features | size, MiB | run of 4 s, s | peak memory, MiB |"
    echo "|---|---|---|---|"
} >"$out.new"
sum=
for feature in "" webrtc capture cloud telemetry download serve collect; do
    sum=${sum:+$sum,}$feature
    build "$sum"
    size=$(wc -c <"$speech/program")
    set -- $(measure)
    label=${feature:+"+ $feature"}
    echo "| ${label:-runtime only} | $(mib "$size") | $1 | $(awk -v k="$2" 'BEGIN { printf "%.0f", k / 1024 }') |" >>"$out.new"
    tail -1 "$out.new" >&2
done
mv "$out.new" "$out"
