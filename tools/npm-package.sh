#!/bin/sh
# npm-package.sh NAME VERSION SHA256: fetches a package, without what it depends on, into
# .cache/NAME-VERSION/package. It needs npm, nothing else.
set -eu
cd "$(dirname "$0")/.."
file=$1-$2.tgz place=.cache/$1-$2
[ ! -d "$place" ] || exit 0
command -v npm >/dev/null || tools/apt.sh nodejs npm
rm -rf "$place.new"
mkdir -p "$place.new"
npm pack --silent --pack-destination "$place.new" "$1@$2" >/dev/null
(
  cd "$place.new"
  echo "$3  $file" | sha256sum -c --quiet -
  tar xzf "$file"
)
mv "$place.new" "$place"
