#!/bin/sh
# What the tests need besides the lab: a real sshd, other shells, a browser, an XML validator, what
# Heimdall counts with, and axe-core.
set -eu
"$(dirname "$0")/apt.sh" openssh-server sudo dash csh fish acl busybox-static libxml2-utils iproute2 chromium chromium-driver poppler-utils jq
"$(dirname "$0")/npm-package.sh" inspecjs 2.12.6 efff1c0eeca55e7d55868de9415db0a0095d28e8b8bd1c5121c7a63bfb71fabf
"$(dirname "$0")/npm-package.sh" axe-core 4.14.1 e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
