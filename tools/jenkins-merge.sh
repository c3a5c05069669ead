#!/bin/sh
# Puts the runs in shards/ together, for the Jenkinsfile: they come to lie in published/RUN_NAME.
# SIGNING_KEY signs. Exits with 4 where a shard is missing or does not fit.
set -eu

mkdir -p published
.venv/bin/ipvs-audit merge shards/* --into "published/$RUN_NAME" --sign "$SIGNING_KEY"
