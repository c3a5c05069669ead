#!/bin/sh
# One run of the audit for the Jenkinsfile, which says by environment variables what to do:
# INVENTORY, LIMIT, POLICY, WAIVERS, KNOWN_HOSTS_FILE, SSH_USER, SSH_KEY_FILE, SIGNING_KEY,
# RUN_NAME (the run comes to lie in published/RUN_NAME), RUN_SHARD (K/N), RUN_OPTION (one more).
# Exits as pytest does; a shard without a host is no failure.
set -eu

# What ssh shall use for hosts whose inventory does not say it.
config=$(mktemp)
trap 'rm -f "$config"' EXIT
printf 'Host *\n    User %s\n    IdentityFile %s\n    IdentitiesOnly yes\n' \
    "$SSH_USER" "$SSH_KEY_FILE" >"$config"

set -- --inventory "$INVENTORY" --policy "$POLICY" --waivers "$WAIVERS" \
    --reports "reports/$RUN_NAME" --known-hosts "$KNOWN_HOSTS_FILE" --ssh-config "$config" \
    --shard "$RUN_SHARD" --format csv,prometheus --junit-split 500 --sign "$SIGNING_KEY"
[ -z "${LIMIT:-}" ] || set -- "$@" --limit "$LIMIT"
[ -z "${RUN_OPTION:-}" ] || set -- "$@" "$RUN_OPTION"
[ ! -e "baseline/published/$RUN_NAME/results.json" ] ||
    set -- "$@" --baseline "baseline/published/$RUN_NAME"

status=0
.venv/bin/pytest -q "$@" || status=$?
if [ -e "reports/$RUN_NAME/latest" ]; then
    mkdir -p published
    # Jenkins' file patterns and symbolic links do not go well together: a plain copy.
    cp -R "reports/$RUN_NAME/latest/." "published/$RUN_NAME"
fi
if [ "$status" = 5 ] && [ "$RUN_SHARD" != 1/1 ]; then
    echo "shard $RUN_SHARD has no host"
    exit 0
fi
exit "$status"
