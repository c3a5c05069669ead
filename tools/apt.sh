#!/bin/sh
# Installs those of the named Debian packages that are missing: with apt when root, else says what to do.
set -eu
missing=
for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing Debian packages. Install them as root, then run this again: apt-get install$missing" >&2
    exit 1
fi
echo "Installing Debian packages:$missing"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # a list of package names
apt-get install --yes --quiet=2 --no-install-recommends $missing >/dev/null 2>&1 || {
    apt-get update --quiet=2
    apt-get install --yes --quiet=2 --no-install-recommends $missing >/dev/null
}
