#!/bin/sh
# Builds earwitness for ARM boards with Linux on an x86-64 Debian machine.
#
#   sh scripts/cross-linux.sh aarch64                           the device build for 64-bit systems: Raspberry Pi 3, 4, 5, Zero 2 W
#   sh scripts/cross-linux.sh armv7                             for 32-bit systems: Raspberry Pi 2 and later
#   sh scripts/cross-linux.sh aarch64 --features capture,webrtc other flags of cargo build; these features instead
#   sh scripts/cross-linux.sh aarch64 --print-env               only prepares, prints the settings for a shell to eval
#
# The device build has everything but the two servers: capture, cloud, telemetry, webrtc, download.
# Compiled with the installed Rust if that has the target or rustup can add it, otherwise with
# Debian's rustc-web. That has a standard library for aarch64; for armv7 cargo compiles it, too, from
# rust-web-src. The compiler and ALSA's headers are unpacked into target/cross (EARWITNESS_CROSS chooses
# another folder) and not installed; from the system only the C cross compiler is needed, which apt-get
# installs as root or where sudo asks for no password. The second run downloads nothing.
set -eu

say() { printf 'cross: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

case ${1-} in
aarch64) target=aarch64-unknown-linux-gnu gnu=aarch64-linux-gnu debian=arm64 ;;
armv7) target=armv7-unknown-linux-gnueabihf gnu=arm-linux-gnueabihf debian=armhf ;;
*)
    say "say for which processors: sh scripts/cross-linux.sh aarch64|armv7"
    exit 2
    ;;
esac
shift
device_features=capture,cloud,telemetry,webrtc,download
cd "$(dirname "$0")/.."
prefix=${EARWITNESS_CROSS:-$PWD/target/cross}
sysroot=$prefix/sysroot-$debian
libs=$sysroot/usr/lib/$gnu

{ have dpkg-deb && have apt-get; } || die "this needs Debian or Ubuntu: elsewhere install the target with rustup, an" \
    "GCC and ALSA's headers for it, then: cargo build --release --target $target"
[ "$(uname -m)" = x86_64 ] || die "this is for x86-64 machines; on a Raspberry Pi itself: cargo build --release"
have cargo || die "Rust is missing: follow the instructions at https://rustup.rs"

# --- from the system: the C cross compiler ---

need=
have $gnu-gcc || need="$need gcc-$gnu"
have $gnu-g++ || need="$need g++-$gnu"
[ -e /usr/$gnu/include/stdlib.h ] || need="$need libc6-dev-$debian-cross"
have pkg-config || need="$need pkg-config"
if [ -n "$need" ]; then
    root=
    [ "$(id -u)" -eq 0 ] || root='sudo -n'
    # Another apt may be at work, as on a machine just started.
    apt_get() {
        # shellcheck disable=SC2086 # a list of words
        $root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >&2 </dev/null
    }
    say "installing:$need"
    # A fresh container has no package lists, and old ones name packages that are gone.
    # shellcheck disable=SC2086 # a list of words
    if [ -z "$(find /var/lib/apt/lists -name '*Packages*' 2>/dev/null | head -1)" ] ||
        ! apt_get install -y --no-install-recommends $need; then
        apt_get update || say "apt-get update failed; going on with the package lists that are here"
        apt_get install -y --no-install-recommends $need ||
            die "run as root: apt-get update && apt-get install -y --no-install-recommends$need"
    fi
fi

# --- unpacked beside the build: compiler and headers ---

# apt with lists of its own, which know one more architecture; the system's stay as they are. A folder for each: where the
# archive's list of one architecture is broken, apt drops what stands beside it.
prepare_apt() { # ARCHITECTURE
    apt=$prefix/apt-$1
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$prefix/debs"
    : >"$apt/status"
    cat >"$apt/conf" <<CONF
APT::Architectures { "amd64"; "$1"; };
APT::Sandbox::User "";
Dir::State::lists "$apt/lists/";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache/";
CONF
    export APT_CONFIG="$apt/conf"
    case " ${lists_fetched-} " in
    *" $1 "*) ;;
    *) apt-get -qq update >&2 || say "apt-get update complained; going on" ;;
    esac
    lists_fetched="${lists_fetched-} $1"
}

fetch_into() { # FOLDER PACKAGE...: with the lists that were prepared last
    folder=$1
    shift
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

# With this cargo can compile the standard library. (A package's folder holds the sources or links to them.)
has_std_source() { # RUSTC
    [ -e "$("$1" --print sysroot 2>/dev/null)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

usable() { # RUSTC
    has_target "$1" || { [ "$debian" = armhf ] && has_std_source "$1"; }
}

rustc=${RUSTC:-rustc}
if [ -z "${RUSTC-}" ] && ! has_target "$rustc" && have rustup && ! { [ -x "$prefix/rustc" ] && usable "$prefix/rustc"; }; then
    say "rustup target add $target"
    rustup target add "$target" >&2 || say "rustup could not add it; going on with Debian's compiler"
fi
if ! has_target "$rustc"; then
    rustc=$prefix/rustc
    if ! [ -x "$rustc" ] || ! usable "$rustc"; then
        say "the installed Rust has no $target: unpacking Debian's compiler into $prefix"
        prepare_apt arm64
        version=$(apt-cache madison rustc-web:amd64 | awk -F'|' '{ gsub(/ /, "", $2); print $2; exit }')
        [ -n "$version" ] || die "apt knows no rustc-web: run rustup target add $target, or add bookworm-security" \
            "to apt's sources"
        # Its packages name the library and the LLVM that it was made with.
        std=$(needs "libstd-rust-web-dev:amd64=$version" libstd-rust-web-)
        llvm=$(needs "$std:amd64=$version" libllvm)
        if [ "$debian" = arm64 ]; then library="libstd-rust-web-dev:arm64=$version"; else library="rust-web-src=$version"; fi
        fetch_into "$prefix/rust" "rustc-web:amd64=$version" "$std:amd64=$version" \
            "libstd-rust-web-dev:amd64=$version" "$library" "$llvm:amd64" libz3-4:amd64 libxml2:amd64
        cat >"$rustc" <<WRAPPER
#!/bin/sh
LD_LIBRARY_PATH=$prefix/rust/usr/lib/x86_64-linux-gnu exec $prefix/rust/usr/bin/rustc "\$@"
WRAPPER
        chmod +x "$rustc"
        usable "$rustc" || die "the unpacked compiler does not run:" "$("$rustc" --version 2>&1 | head -3)"
    fi
fi
# Compiled with the program. Cargo calls the flag unstable, and so wants to be told that this is known.
build_std=
has_target "$rustc" || build_std=-Zbuild-std=std,panic_unwind
if ! [ -e "$libs/libasound.so" ]; then
    prepare_apt "$debian"
    # Where times have 64 bits the library has a new name, and the old one names no package.
    asound=libasound2t64
    [ -n "$(apt-cache show "$asound:$debian" 2>/dev/null)" ] || asound=libasound2
    fetch_into "$sysroot" "$asound:$debian" "libasound2-dev:$debian"
fi

settings() {
    upper=$(echo "$target" | tr a-z- A-Z_) lower=$(echo "$target" | tr - _)
    cat <<ENV
export RUSTC='$rustc'
export CARGO_TARGET_${upper}_LINKER=$gnu-gcc
export CC_$lower=$gnu-gcc
export CXX_$lower=$gnu-g++
export PKG_CONFIG_ALLOW_CROSS=1
export PKG_CONFIG_SYSROOT_DIR='$sysroot'
export PKG_CONFIG_LIBDIR='$libs/pkgconfig'
ENV
    [ -z "$build_std" ] || echo "export RUSTC_BOOTSTRAP=1 # for cargo's $build_std"
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
# shellcheck disable=SC2086 # one word or none
cargo build --release --locked $build_std --target "$target" --no-default-features "$@"
binary=${CARGO_TARGET_DIR:-target}/$target/release/earwitness
say "built $(realpath --relative-to="$PWD" "$binary")"
# The cross compiler's C library is this system's. A board with an older one refuses the program.
board=2.36
glibc=$(LC_ALL=C readelf --version-info "$binary" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -1)
[ "$(printf '%s\n' "$glibc" $board | sort -V | tail -1)" = $board ] ||
    say "WARNING: it needs the C library $glibc, and bookworm has $board: for boards with bookworm build it on bookworm"
