#!/bin/sh
# Boots the lab's fleet, audits it, compares the verdicts with those it was designed to give.
# Usage: tools/audit-lab.sh BIN [pytest options]. Exit 0: every verdict is the designed one.
set -eu
bin=$1
shift

trap '"$bin/python" -m lab down >/dev/null' EXIT
trap 'exit 130' INT TERM
"$bin/python" -m lab up
status=0
"$bin/pytest" --inventory inventories/lab.yml "$@" || status=$?
# 0: all pass, 1: some fail, as designed; anything else is a broken run.
[ "$status" -le 1 ] || exit "$status"
"$bin/python" -m lab check reports/latest/results.json
