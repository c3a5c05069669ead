#!/bin/sh
# Merges the runs in shards/ into published/RUN_NAME, for the Jenkinsfile.
# SIGNING_KEY signs. Exits with 4 where a shard is missing or does not fit.
set -eu
umask 077

mkdir -p published
.venv/bin/ipvs-audit merge shards/* --into "published/$RUN_NAME" --sign "$SIGNING_KEY"
