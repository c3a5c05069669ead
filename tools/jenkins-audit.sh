#!/bin/sh
# One run of the audit for the Jenkinsfile, which says by environment variables what to do:
# INVENTORY, LIMIT, POLICY, WAIVERS, KNOWN_HOSTS_FILE, SSH_USER, SSH_KEY_FILE, SIGNING_KEY,
# RUN_NAME (the run is written to published/RUN_NAME), RUN_OPTION (one more; --remediate asks
# nobody: Jenkins has asked, and only what published/plan shows is done), ACCEPT_STATISTICS_LOSS and ACCEPT_RECIPE_SIDE_EFFECTS (true or false).
# With RUN_SHARD (K/N), the run is written to shards/K, for tools/jenkins-merge.sh.
# Exits as pytest does.
set -eu
# Reports hold whole files of hosts that only root may read there.
umask 077

# What ssh shall use for hosts whose inventory does not say it.
config=$(mktemp)
trap 'rm -f "$config"' EXIT
printf 'Host *\n    User %s\n    IdentityFile %s\n    IdentitiesOnly yes\n' \
    "$SSH_USER" "$SSH_KEY_FILE" >"$config"

place=published/$RUN_NAME
[ -z "${RUN_SHARD:-}" ] || place=shards/${RUN_SHARD%/*}
set -- --inventory "$INVENTORY" --policy "$POLICY" --waivers "$WAIVERS" \
    --reports "reports/$place" --known-hosts "$KNOWN_HOSTS_FILE" --ssh-config "$config" \
    --format csv,prometheus --junit-split 500 --sign "$SIGNING_KEY"
[ -z "${LIMIT:-}" ] || set -- "$@" --limit "$LIMIT"
[ -z "${RUN_SHARD:-}" ] || set -- "$@" --shard "$RUN_SHARD"
case ${RUN_OPTION:-} in
'') ;;
--remediate) set -- "$@" --remediate --yes --approved-plan published/plan ;;
*) set -- "$@" "$RUN_OPTION" ;;
esac
[ "${ACCEPT_STATISTICS_LOSS:-}" != true ] || set -- "$@" --accept-statistics-loss
[ "${ACCEPT_RECIPE_SIDE_EFFECTS:-}" != true ] || set -- "$@" --accept-recipe-side-effects
[ ! -e "baseline/published/$RUN_NAME/results.json" ] ||
    set -- "$@" --baseline "baseline/published/$RUN_NAME"

# Jenkins' abort sends SIGTERM to this shell too. pytest then ends in order, and its reports are wanted.
trap : TERM HUP INT

# What an earlier build left there is not what this one found.
rm -f "reports/$place/latest"
status=0
.venv/bin/pytest -q "$@" || status=$?
if [ -e "reports/$place/latest" ]; then
    mkdir -p "$place"
    # Jenkins' file patterns and symbolic links do not go well together: a plain copy.
    cp -R "reports/$place/latest/." "$place"
fi
exit "$status"
