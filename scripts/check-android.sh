#!/bin/sh
# Compiles the Android sample and the generated Kotlin against Android's own classes.
#
#   sh scripts/check-android.sh [LIBRARY [UNIFFI_BINDGEN]]
#
# What cargo build --workspace and cargo test --no-run make is taken where nothing is said:
# target/debug/deps/libearwitness_ffi.so and target/debug/uniffi-bindgen. The classes are those of the newest platform in
# ANDROID_HOME. Without an SDK they are Android 6's (API 23) from a Debian package of 13 MB, kept in target/android; what the
# sample uses of newer ones is in crates/uniffi-bindgen/tests/stand-ins/android/newer. No other Java is there: what Android
# lacks is not found. The language is Kotlin 2.1's, which the Gradle module asks for. `make test` runs the sample, on stand-ins.
# Needs JDK 17, libjna-java, and the Kotlin compiler that scripts/install-clients.sh puts into target/kotlin (EARWITNESS_KOTLIN
# says where else). Exit code: 0 it compiles, 1 it does not, 77 cannot run here.
set -eu

say() { printf 'check-android: %s\n' "$*" >&2; }
cannot() {
    say "$@"
    exit 77
}

root=$(realpath "$(dirname "$0")/..")
library=${1-$root/target/debug/deps/libearwitness_ffi.so}
bindgen=${2-$root/target/debug/uniffi-bindgen}
kotlin=${EARWITNESS_KOTLIN:-$root/target/kotlin}/node_modules/kotlin-compiler/lib
jna=/usr/share/java/jna.jar
for made in "$library" "$bindgen"; do
    [ -e "$made" ] || cannot "$made is not there: cargo build --workspace; cargo test -p earwitness-ffi --no-run"
done
library=$(realpath "$library") bindgen=$(realpath "$bindgen")
[ -e "$kotlin" ] || cannot "no Kotlin compiler: sh scripts/install-clients.sh target"
[ -e "$jna" ] || cannot "JNA is missing: apt-get install libjna-java"
command -v javac >/dev/null || cannot "a JDK is missing: apt-get install openjdk-17-jdk-headless"

# --- Android's classes ---

android=
[ -z "${ANDROID_HOME-}" ] || android=$(find "$ANDROID_HOME/platforms" -path '*/android-*/android.jar' 2>/dev/null | sort -V | tail -1)
stand_ins=
if [ -z "$android" ]; then
    stand_ins=$root/crates/uniffi-bindgen/tests/stand-ins/android/newer
    kept=$root/target/android
    android=$kept/usr/share/java/com.android.android-23.jar
    if ! [ -e "$android" ]; then
        for tool in curl dpkg-deb; do
            command -v $tool >/dev/null || cannot "$tool is missing: apt-get install curl dpkg"
        done
        mkdir -p "$kept"
        package=libandroid-23-java_6.0.1+r72-6_all.deb
        say "fetching $package"
        curl --silent --show-error --fail --max-time 300 --output "$kept/new.deb" \
            "${EARWITNESS_DEBIAN:-http://deb.debian.org/debian}/pool/main/a/android-framework-23/$package" || cannot "no network?"
        echo "8af1b6df556971dda0a6da3536ea526a838e0c363afcdd454213d8bce94793e3  $kept/new.deb" | sha256sum --check --quiet ||
            cannot "$package is not the one that was expected"
        dpkg-deb -x "$kept/new.deb" "$kept"
        rm "$kept/new.deb"
    fi
fi

# --- compiled with nothing else ---

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
# The generator asks cargo where the crate's settings are.
(cd "$root" && "$bindgen" generate "$library" --language kotlin --no-format --out-dir "$work/generated")
mkdir "$work/newer"
set -- "$work/generated/org/earwitness/earwitness.kt" "$root"/examples/ffi/android/earwitness/src/main/java/org/earwitness/sample/*.kt
if [ -n "$stand_ins" ]; then
    find "$stand_ins" -name '*.java' -exec javac -cp "$android" -d "$work/newer" {} +
    set -- "$@" "$stand_ins"/*.kt
fi
java -Xmx1g -cp "$kotlin/*" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -nowarn -no-stdlib -no-reflect -no-jdk -jvm-target 17 \
    -language-version 2.1 -api-version 2.1 -d "$work/sample.jar" \
    -cp "$work/newer:$android:$jna:$kotlin/kotlin-stdlib.jar:$kotlin/kotlinx-coroutines-core-jvm.jar" "$@"
say "the sample and the generated Kotlin compile against $android"
