#!/bin/sh
# Builds earwitness for 64-bit ARM (Raspberry Pi 3, 4, 5, Zero 2 W) on an x86-64 Debian machine.
#
#   sh scripts/cross-aarch64.sh                           the device build
#   sh scripts/cross-aarch64.sh --features capture,webrtc other flags of cargo build; these features instead
#   sh scripts/cross-aarch64.sh --print-env               only prepares, prints the settings for a shell to eval
#
# The device build has everything but the two servers: capture, cloud, telemetry, webrtc, download.
# Compiled with the installed Rust if that has the target (rustup target add aarch64-unknown-linux-gnu),
# otherwise with Debian's rustc-web, which has. That compiler and ALSA's headers are unpacked into
# target/cross (EARWITNESS_CROSS chooses another folder) and not installed; from the system only the cross
# compiler is needed, which apt-get installs as root or where sudo asks for no password.
# The second run downloads nothing.
set -eu

say() { printf 'cross: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

target=aarch64-unknown-linux-gnu
device_features=capture,cloud,telemetry,webrtc,download
cd "$(dirname "$0")/.."
prefix=${EARWITNESS_CROSS:-$PWD/target/cross}
sysroot=$prefix/sysroot
libs=$sysroot/usr/lib/aarch64-linux-gnu

have dpkg-deb && have apt-get || die "this needs Debian or Ubuntu: elsewhere install the target with rustup, an" \
    "aarch64 GCC and ALSA's headers for arm64, then: cargo build --release --target $target"
[ "$(uname -m)" = x86_64 ] || die "this is for x86-64 machines; on a Raspberry Pi itself: cargo build --release"
have cargo || die "Rust is missing: follow the instructions at https://rustup.rs"

# --- from the system: the C cross compiler ---

need=
have aarch64-linux-gnu-gcc || need="$need gcc-aarch64-linux-gnu"
have aarch64-linux-gnu-g++ || need="$need g++-aarch64-linux-gnu"
[ -e /usr/aarch64-linux-gnu/include/stdlib.h ] || need="$need libc6-dev-arm64-cross"
have pkg-config || need="$need pkg-config"
if [ -n "$need" ]; then
    root=
    [ "$(id -u)" -eq 0 ] || root='sudo -n'
    install="apt-get install -y --no-install-recommends$need"
    say "installing:$need"
    # shellcheck disable=SC2086 # lists of words
    $root env DEBIAN_FRONTEND=noninteractive $install >&2 </dev/null || die "run as root: $install"
fi

# --- unpacked beside the build: compiler and headers for arm64 ---

# apt with lists of its own, which know arm64; the system's architectures stay as they are.
prepare_apt() {
    mkdir -p "$prefix/apt/lists/partial" "$prefix/apt/cache/archives/partial" "$prefix/debs"
    : >"$prefix/apt/status"
    cat >"$prefix/apt/conf" <<CONF
APT::Architectures { "amd64"; "arm64"; };
APT::Sandbox::User "";
Dir::State::lists "$prefix/apt/lists/";
Dir::State::status "$prefix/apt/status";
Dir::Cache "$prefix/apt/cache/";
CONF
    export APT_CONFIG="$prefix/apt/conf"
    [ -n "${lists_fetched-}" ] || apt-get -qq update >&2 || say "apt-get update complained; going on"
    lists_fetched=1
}

fetch_into() { # FOLDER PACKAGE...
    folder=$1
    shift
    prepare_apt
    rm -f "$prefix"/debs/*.deb
    (cd "$prefix/debs" && apt-get -qq download "$@" >&2) || die "could not download $*: are Debian's archive and its" \
        "security archive among apt's sources?"
    for package in "$prefix"/debs/*.deb; do
        dpkg-deb -x "$package" "$folder"
    done
    rm -f "$prefix"/debs/*.deb
}

needs() { # PACKAGE BEGINNING: the package of that name among its dependencies
    apt-cache show "$1" | sed -n 's/^Depends: //p' | tr ',' '\n' | awk -v name="$2" 'index($1, name) == 1 { print $1; exit }'
}

has_target() { # RUSTC
    [ -n "$(find "$("$1" --print target-libdir --target "$target" 2>/dev/null)" -name 'libstd-*' 2>/dev/null)" ]
}

rustc=${RUSTC:-rustc}
if ! has_target "$rustc"; then
    rustc=$prefix/rustc
    if ! [ -x "$rustc" ] || ! has_target "$rustc"; then
        say "the installed Rust has no $target: unpacking Debian's compiler into $prefix"
        prepare_apt
        version=$(apt-cache madison rustc-web:amd64 | awk -F'|' '{ gsub(/ /, "", $2); print $2; exit }')
        [ -n "$version" ] || die "apt knows no rustc-web: run rustup target add $target, or add bookworm-security" \
            "to apt's sources"
        # Its packages name the library and the LLVM that it was made with.
        std=$(needs "libstd-rust-web-dev:amd64=$version" libstd-rust-web-)
        llvm=$(needs "$std:amd64=$version" libllvm)
        fetch_into "$prefix/rust" "rustc-web:amd64=$version" "$std:amd64=$version" \
            "libstd-rust-web-dev:amd64=$version" "libstd-rust-web-dev:arm64=$version" "$llvm:amd64" libz3-4:amd64 libxml2:amd64
        cat >"$rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$prefix/rust/usr/lib/x86_64-linux-gnu exec $prefix/rust/usr/bin/rustc "\$@"
WRAPPER
        chmod +x "$rustc"
        has_target "$rustc" || die "the unpacked compiler does not run:" "$("$rustc" --version 2>&1 | head -3)"
    fi
fi
if ! [ -e "$libs/libasound.so" ]; then
    fetch_into "$sysroot" libasound2:arm64 libasound2-dev:arm64
fi

settings() {
    cat <<ENV
export RUSTC='$rustc'
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CXX_aarch64_unknown_linux_gnu=aarch64-linux-gnu-g++
export PKG_CONFIG_ALLOW_CROSS=1
export PKG_CONFIG_SYSROOT_DIR='$sysroot'
export PKG_CONFIG_LIBDIR='$libs/pkgconfig'
ENV
}
if [ "${1-}" = --print-env ]; then
    settings
    exit 0
fi
case " $* " in
*" --features"* | *" --all-features "*) ;;
*) set -- --features "$device_features" "$@" ;;
esac
eval "$(settings)"
say "$("$rustc" --version), cargo build --release --target $target --no-default-features $*"
cargo build --release --locked --target "$target" --no-default-features "$@"
say "built $(realpath --relative-to="$PWD" "${CARGO_TARGET_DIR:-target}")/$target/release/earwitness"
