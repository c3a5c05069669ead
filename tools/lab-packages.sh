#!/bin/sh
# What the lab needs: an emulator, the tools that make its images, an SSH client.
set -eu
exec "$(dirname "$0")/apt.sh" qemu-system-x86 qemu-utils debootstrap cpio e2fsprogs openssh-client
