#!/bin/sh
# Fetches axe-core, which looks for what keeps people from reading the report, at a fixed version and
# digest. It needs npm, nothing else.
set -eu
cd "$(dirname "$0")/.."
version=4.14.1
digest=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
place=.cache/axe-core-$version
[ ! -f "$place/package/axe.min.js" ] || exit 0
command -v npm >/dev/null || tools/apt.sh nodejs npm
mkdir -p "$place"
npm pack --silent --pack-destination "$place" "axe-core@$version" >/dev/null
cd "$place"
echo "$digest  axe-core-$version.tgz" | sha256sum -c --quiet -
tar xzf "axe-core-$version.tgz"
