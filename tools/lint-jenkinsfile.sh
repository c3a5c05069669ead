#!/bin/sh
# Lints the Jenkinsfile with npm-groovy-lint, at a fixed version. It needs Node and Java, some 300 MB
# of Debian packages for one file: CI installs them; elsewhere, where they are missing, the lint is
# skipped, with a message.
set -eu
version=16.2.0
if [ "${CI:-}" = true ] && ! { command -v npx && command -v java; } >/dev/null; then
    "$(dirname "$0")/apt.sh" npm default-jre-headless || true # said below, where it failed
fi
for program in npm npx java; do
    command -v "$program" >/dev/null || {
        echo "lint-jenkinsfile: skipped: $program is not installed (apt-get install npm default-jre-headless)"
        exit 0
    }
done
place=.cache/npm-groovy-lint
if [ ! -x "$place/node_modules/.bin/npm-groovy-lint" ]; then
    mkdir -p "$place"
    npm install --silent --no-audit --no-fund --no-save --prefix "$place" "npm-groovy-lint@$version" || {
        echo "lint-jenkinsfile: skipped: npm-groovy-lint $version cannot be had from the registry"
        exit 0
    }
fi
# The server that it keeps for editors would outlive us.
"$place/node_modules/.bin/npm-groovy-lint" --noserver --failon warning --config .groovylintrc.json Jenkinsfile
