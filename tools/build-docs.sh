#!/bin/sh
# Builds the site of the pages into CACHE/site, links checked, and holds the examples of docs/ci.md to
# the schemas that GitLab and GitHub publish (check-jsonschema carries them; nothing is fetched).
#   build-docs.sh BIN CACHE
set -eu
bin=$1 cache=$2

# mkdocs serves one directory; README.md and what it links to lie beside docs/.
rm -rf "$cache/pages" "$cache/examples"
mkdir -p "$cache/pages" "$cache/examples"
cp -R README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md LICENSE Containerfile Jenkinsfile docs inventories "$cache/pages"
# Disabled by mkdocs-material's own switch: an advertisement on each build.
NO_MKDOCS_2_WARNING=1 "$bin/mkdocs" build --strict --quiet

awk -v into="$cache/examples" '
    /^```yaml$/ { file = into "/" ++number ".yml"; next }
    /^```$/ { file = "" }
    file { print > file }
' docs/ci.md
"$bin/check-jsonschema" --quiet --builtin-schema vendor.gitlab-ci --data-transform gitlab-ci "$cache/examples/1.yml"
"$bin/check-jsonschema" --quiet --builtin-schema vendor.github-workflows "$cache/examples/2.yml"
