#!/bin/sh
# Installs the speech clients that the server's tests use, into target/python-clients.
#
#   sh scripts/install-clients.sh TARGET_FOLDER
#
# Once they are there in the versions of tests/clients/requirements.txt it needs no network.
set -eu
cd "$(dirname "$0")/.."
folder=$1/python-clients
wanted=tests/clients/requirements.txt
cmp -s "$wanted" "$folder/installed.txt" && exit 0
rm -rf "$folder"
python3 -m pip install --quiet --disable-pip-version-check --target "$folder" --requirement "$wanted"
cp "$wanted" "$folder/installed.txt"
