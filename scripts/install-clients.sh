#!/bin/sh
# Installs what the tests use of other ecosystems: speech clients, into target/python-clients, and JetBrains' Kotlin
# compiler (94 MB, Apache-2.0), into target/kotlin.
#
#   sh scripts/install-clients.sh TARGET_FOLDER
#
# Once they are there in the versions below it needs no network.
set -eu
cd "$(dirname "$0")/.."
target=$1

folder=$target/python-clients
wanted=tests/clients/requirements.txt
if ! cmp -s "$wanted" "$folder/installed.txt"; then
    rm -rf "$folder"
    python3 -m pip install --quiet --disable-pip-version-check --target "$folder" --requirement "$wanted"
    cp "$wanted" "$folder/installed.txt"
fi

# Distributions' Kotlin is too old for the generated bindings.
[ "$(uname -s)" = Linux ] || exit 0
kotlin=2.4.20
sum=038d406cc51d5fe3f6b5a16366a3f083b783bceb9e576e3103e695c3ce04e0fa
folder=$target/kotlin
if [ "$(cat "$folder/installed.txt" 2>/dev/null)" != "$kotlin" ]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    npm install --silent --ignore-scripts --no-save --no-audit --no-fund --prefix "$folder" "kotlin-compiler@$kotlin"
    jar=$folder/node_modules/kotlin-compiler/lib/kotlin-compiler.jar
    echo "$sum  $jar" | sha256sum --check --quiet || {
        echo "install-clients: $jar is not the compiler that was expected" >&2
        exit 1
    }
    echo "$kotlin" >"$folder/installed.txt"
fi
