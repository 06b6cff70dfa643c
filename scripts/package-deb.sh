#!/bin/sh
# Makes a Debian package of a binary: target/debian/earwitness_VERSION_ARCH.deb, whose path it prints.
#
#   sh scripts/package-deb.sh BINARY ARCH [FOLDER]
#
# BINARY is from scripts/cross-linux.sh or cargo build --release; ARCH is amd64, arm64 or armhf (armv7). What it depends on is
# read from the binary: the libraries that it names, and the newest version of the C library that it asks for. The same binary
# and commit give the same package (SOURCE_DATE_EPOCH, else the commit's time). The version is Cargo.toml's at the commit with
# the tag vVERSION alone: others add the commit, so that packages of one version have one content.
set -eu

say() { printf 'package-deb: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

binary=${1-} arch=${2-}
{ [ -n "$binary" ] && [ -n "$arch" ]; } || die "say what to package: sh scripts/package-deb.sh BINARY amd64|arm64|armhf [FOLDER]"
[ -x "$binary" ] || die "$binary is not there: build it first"
for tool in dpkg-deb readelf; do
    command -v "$tool" >/dev/null || die "$tool is missing: apt-get install dpkg binutils"
done
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${3-$root/target/debian}
debian=$root/packaging/debian

case $arch in
amd64) machine=X86-64 strip=strip ;;
arm64) machine=AArch64 strip=aarch64-linux-gnu-strip ;;
armhf) machine=ARM strip=arm-linux-gnueabihf-strip ;;
*) die "$arch is not known here: amd64, arm64 or armhf" ;;
esac
LC_ALL=C readelf -h "$binary" | grep -q "Machine:.* $machine\$" || die "$binary is not for $arch"
[ "$(dpkg --print-architecture)" != "$arch" ] || strip="strip"
command -v "$strip" >/dev/null || die "$strip is missing: apt-get install binutils-${strip%-strip}"

version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version *= *"\(.*\)"/\1/p' "$root/Cargo.toml")
[ -n "$version" ] || die "no version in Cargo.toml"
if commit=$(TZ=UTC git -C "$root" log -1 --format=%cd.%h --date=format-local:%Y%m%d%H%M%S --abbrev=9 2>/dev/null); then
    # For dpkg 0.1.0~git… is older than 0.1.0, and 0.1.0+git… newer: before the release and after it.
    if ! git -C "$root" rev-parse -q --verify "refs/tags/v$version" >/dev/null; then
        version="$version~git$commit"
    elif [ "$(git -C "$root" rev-parse "v$version^{commit}")" != "$(git -C "$root" rev-parse HEAD)" ]; then
        version="$version+git$commit"
    fi
    # What is not committed is in the package and not in its version.
    changed=$(git -C "$root" status --porcelain -- packaging firmware-configs docs Cargo.toml CHANGELOG.md)
    [ -z "$changed" ] || say "the version $version names a commit, but there are changes that are not committed"
fi
if [ -z "${SOURCE_DATE_EPOCH-}" ]; then
    SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || date +%s)
fi
export SOURCE_DATE_EPOCH

# --- what it needs at run time ---

glibc=$(LC_ALL=C readelf --version-info "$binary" | grep -o 'GLIBC_[0-9.]*' | sed 's/GLIBC_//' | sort -uV | tail -1)
depends="libc6 (>= ${glibc:?})"
# The new name first: where it exists, libasound2 is only provided, also by a package that is not ALSA (liboss4-salsa). On armhf
# the new name has another layout of times, so only the old library fits; no other provides it with a version.
asound="libasound2t64 | libasound2"
[ "$arch" != armhf ] || asound="libasound2 (>= 1.2)"
for library in $(LC_ALL=C readelf -d "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
    case $library in
    libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux*) ;;
    libgcc_s.so.1) depends="$depends, libgcc-s1" ;;
    libasound.so.2) depends="$depends, $asound" ;;
    libstdc++.so.6) depends="$depends, libstdc++6" ;;
    *) die "$binary needs $library, and no package is known for it: add it to $0" ;;
    esac
done

# --- the tree ---

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
umask 022
chmod 755 "$stage"
put() { install -D -m "$1" "$2" "$stage/$3"; }
put 755 "$binary" usr/bin/earwitness
"$strip" "$stage/usr/bin/earwitness"
put 644 "$debian/earwitness.service" usr/lib/systemd/system/earwitness.service
# Keys may be written into it.
put 600 "$debian/earwitness.env" etc/earwitness/earwitness.env
put 644 "$debian/logrotate" etc/logrotate.d/earwitness
put 644 "$debian/tmpfiles" usr/lib/tmpfiles.d/earwitness.conf
for profile in "$root"/firmware-configs/*.toml; do
    put 644 "$profile" "usr/share/earwitness/profiles/$(basename "$profile")"
done
doc=usr/share/doc/earwitness
for file in "$debian/copyright" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$root/docs/raspberry-pi.md" "$root/docs/telemetry.md"; do
    put 644 "$file" "$doc/$(basename "$file")"
done
put 644 "$root/CHANGELOG.md" "$doc/changelog"
gzip -9n "$stage/$doc/changelog"

mkdir -p "$stage/DEBIAN"
size=$(du -sk --apparent-size "$stage" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCH@/$arch/" -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" \
    "$debian/control.in" >"$stage/DEBIAN/control"
printf '%s\n' /etc/earwitness/earwitness.env /etc/logrotate.d/earwitness >"$stage/DEBIAN/conffiles"
# Of what dpkg does not ask about when it changed: `dpkg --verify` compares.
(cd "$stage" && find usr -type f -exec md5sum {} + | LC_ALL=C sort -k 2) >"$stage/DEBIAN/md5sums"
for script in postinst prerm postrm; do
    install -m 755 "$debian/$script" "$stage/DEBIAN/$script"
done
find "$stage" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +

mkdir -p "$folder"
package=$folder/earwitness_${version}_$arch.deb
dpkg-deb --root-owner-group -Zxz --build "$stage" "$package" >&2
printf '%s\n' "$package"
