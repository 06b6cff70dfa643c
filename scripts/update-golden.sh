#!/bin/sh
# Rewrites tests/golden: what other implementations say, then what the tests themselves record.
#
#   make golden-update
#
# Each tests/golden/*.py writes the files beside it, from packages installed into a virtual
# environment under target/. Read `git diff tests/golden` before committing: a change there is a
# change of what we hold ourselves to.
set -eu
cd "$(dirname "$0")/.."
cargo=${CARGO:-cargo}

# The versions that the files there now were made with. crates/scoring/tests/golden/sctk.py wants NIST's toolkit beside them
# (apt-get install sctk; 2.4.10 it was), and says so.
PACKAGES='numpy==2.4.6 faster-whisper==1.2.1 onnxruntime==1.32.0 whisper-normalizer==0.1.15 scipy==1.17.1 pyloudnorm==0.2.0 jiwer==4.0.0'

target=$($cargo metadata --format-version 1 --no-deps --locked --offline |
    sed 's/.*"target_directory":"\([^"]*\)".*/\1/')
venv=$target/golden-venv
if [ ! -x "$venv/bin/pip" ]; then
    python3 -m venv --clear "$venv" || {
        echo "python3 cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    }
fi
# shellcheck disable=SC2086 # a list of words
"$venv/bin/pip" install --quiet --disable-pip-version-check $PACKAGES

# Silero's scores go to standard output, and its weights are ours to name.
silero() {
    $cargo test --quiet --locked --workspace --no-run
    "$target/debug/earwitness" models pull silero-vad >/dev/null
    weights=$("$target/debug/earwitness" models path silero-vad)
    [ ! -d "$weights" ] || weights=$weights/silero_vad_16k_op15.onnx
    scores=tests/golden/silero_v6.2_scores.txt
    # A failure must not leave half a file behind.
    "$venv/bin/python" "$1" "$weights" >"$scores.part"
    mv "$scores.part" "$scores"
}

for script in tests/golden/*.py crates/scoring/tests/golden/*.py; do
    echo "$script"
    case $script in
    */silero.py) silero "$script" ;;
    *) "$venv/bin/python" "$script" ;;
    esac
done

echo "expected results that the tests record themselves"
EARWITNESS_UPDATE_GOLDEN=1 $cargo test --quiet --locked --workspace
git --no-pager diff --stat -- tests/golden crates/scoring/tests/golden
