#!/bin/sh
# Fetches inspecjs, which Heimdall counts with, at a fixed version and digest. It needs Node, nothing else.
set -eu
cd "$(dirname "$0")/.."
version=2.12.6
digest=efff1c0eeca55e7d55868de9415db0a0095d28e8b8bd1c5121c7a63bfb71fabf
place=.cache/inspecjs-$version
[ ! -f "$place/package/lib/index.js" ] || exit 0
command -v npm >/dev/null || tools/apt.sh nodejs npm
mkdir -p "$place"
npm pack --silent --pack-destination "$place" "inspecjs@$version" >/dev/null
cd "$place"
echo "$digest  inspecjs-$version.tgz" | sha256sum -c --quiet -
tar xzf "inspecjs-$version.tgz"
