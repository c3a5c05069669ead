#!/bin/sh
# What the tests need besides the lab: a real sshd, other shells, a browser, an XML validator.
set -eu
exec "$(dirname "$0")/apt.sh" openssh-server sudo dash csh fish acl busybox-static libxml2-utils iproute2 chromium chromium-driver poppler-utils jq
