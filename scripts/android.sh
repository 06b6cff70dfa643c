#!/bin/sh
# Builds the library for Android into the sample's Gradle module; without an NDK checks the types.
#
#   sh scripts/android.sh                     what a developer's machine and CI run
#   ANDROID_FEATURES=uniffi sh scripts/android.sh      other features of crates/ffi than uniffi,cloud,telemetry
#
# With an NDK (ANDROID_NDK_HOME, or the newest of ANDROID_HOME/ndk): cargo-ndk compiles for arm64-v8a and x86_64, with memory
# pages of 16 KB, into examples/ffi/android/earwitness/native; the Kotlin for it goes into its folder generated; and Gradle,
# where it is installed, makes the AAR. Without one nothing can be linked: cargo checks the library for aarch64-linux-android,
# with `capture`, too, which apps leave out. A target that rustup cannot add is compiled from the standard library's sources,
# those of scripts/cross-linux.sh if the installed Rust has none; C is compiled by aarch64-linux-gnu-gcc, and thrown away.
# webrtc adds a detector that costs a tenth: ANDROID_FEATURES=uniffi,cloud,telemetry,webrtc, which wants the NDK's C compiler.
# Exit code: 0 built, or checked where there is no NDK; 1 not.
set -eu

say() { printf 'android: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

cd "$(dirname "$0")/.."
module=examples/ffi/android/earwitness
features=${ANDROID_FEATURES:-uniffi,cloud,telemetry}
built=${CARGO_TARGET_DIR:-target}
have cargo || die "Rust is missing: follow the instructions at https://rustup.rs"

has_target() { # TARGET
    [ -n "$(find "$("${RUSTC:-rustc}" --print target-libdir --target "$1" 2>/dev/null)" -name 'libstd-*' 2>/dev/null)" ]
}
add_target() { # TARGET
    has_target "$1" || { [ -z "${RUSTC-}" ] && have rustup && rustup target add "$1" >&2 && has_target "$1"; }
}

ndk=${ANDROID_NDK_HOME-}
if [ -z "$ndk" ] && [ -n "${ANDROID_HOME-}" ]; then
    ndk=$(find "$ANDROID_HOME/ndk" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort -V | tail -1)
fi

# --- without an NDK ---

if [ -z "$ndk" ]; then
    say "no NDK (ANDROID_NDK_HOME, or ANDROID_HOME with its ndk folder): only checking, for aarch64-linux-android"
    target=aarch64-linux-android
    build_std=
    if ! add_target "$target"; then
        # With this cargo can compile the standard library. (A package's folder holds the sources or links to them.)
        if ! [ -e "$("${RUSTC:-rustc}" --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]; then
            say "the installed Rust has neither the target nor the standard library's sources: asking scripts/cross-linux.sh"
            settings=$(sh scripts/cross-linux.sh armv7 --print-env)
            RUSTC=$(eval "$settings" && echo "$RUSTC")
            export RUSTC
            [ -e "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ] ||
                die "$RUSTC has no sources of the standard library: rustup component add rust-src"
        fi
        build_std=-Zbuild-std=std,panic_unwind
        # Cargo calls the flag unstable, and so wants to be told that this is known.
        export RUSTC_BOOTSTRAP=1
    fi
    have aarch64-linux-gnu-gcc || die "apt-get install gcc-aarch64-linux-gnu g++-aarch64-linux-gnu libc6-dev-arm64-cross"
    export CC_aarch64_linux_android=aarch64-linux-gnu-gcc CXX_aarch64_linux_android=aarch64-linux-gnu-g++
    # The C library of ordinary Linux hides what Android's shows.
    export AR_aarch64_linux_android=aarch64-linux-gnu-ar CFLAGS_aarch64_linux_android=-D_GNU_SOURCE
    say "$("${RUSTC:-rustc}" --version), cargo check --target $target --features $features,capture"
    # shellcheck disable=SC2086 # one word or none
    cargo check --locked $build_std --target "$target" -p earwitness-ffi --lib --no-default-features --features "$features,capture"
    say "checked. It is built where an NDK is, and was not run on a phone"
    exit 0
fi

# --- with one ---

[ -d "$ndk" ] || die "$ndk is not there"
export ANDROID_NDK_HOME="$ndk"
cargo ndk --version >/dev/null 2>&1 || die "cargo-ndk is missing: cargo install cargo-ndk"
for target in aarch64-linux-android x86_64-linux-android; do
    add_target "$target" || die "rustup target add $target"
done
# Phones whose memory pages have 16 KB refuse anything less. The NDK does so by itself since r28.
pages='-C link-arg=-Wl,-z,max-page-size=16384 -C link-arg=-Wl,-z,common-page-size=16384'
say "$ndk, features $features"
rm -rf "$module/native" "$module/generated"
RUSTFLAGS="${RUSTFLAGS-} $pages" cargo ndk --platform 26 -t arm64-v8a -t x86_64 -o "$module/native" \
    build --release --locked -p earwitness-ffi --lib --no-default-features --features "$features"
for abi in arm64-v8a x86_64; do
    library=$module/native/$abi/libearwitness_ffi.so
    [ -e "$library" ] || die "$library was not made"
    # A program header ends with its alignment.
    if have readelf; then
        for page in $(LC_ALL=C readelf --program-headers --wide "$library" | awk '$1 == "LOAD" { print $NF }'); do
            [ "$((page % 16384))" -eq 0 ] || die "$library is not for memory pages of 16 KB: aligned to $page"
        done
    fi
done
# From what cargo made: a stripped library has no names to make bindings from.
cargo run --locked -p uniffi-bindgen -- generate "$built/aarch64-linux-android/release/libearwitness_ffi.so" \
    --language kotlin --no-format --out-dir "$module/generated"
say "built $module/native and $module/generated"
if have gradle && [ -n "${ANDROID_HOME-}" ]; then
    gradle -p examples/ffi/android :earwitness:assembleRelease
    say "built $module/build/outputs/aar/earwitness-release.aar"
else
    say "no gradle, or no ANDROID_HOME: open examples/ffi/android in Android Studio, or copy the module into your project"
fi
