#!/bin/sh
# What the tests need besides the lab: a real sshd, other shells, a browser, an XML validator, what
# Heimdall counts with, and axe-core.
set -eu
"$(dirname "$0")/apt.sh" openssh-server sudo dash csh fish acl busybox-static libxml2-utils iproute2 chromium chromium-driver poppler-utils jq
"$(dirname "$0")/inspecjs.sh"
exec "$(dirname "$0")/axe.sh"
