#!/bin/sh
# Makes the virtual environment from a lock file. Usage: tools/setup.sh PYTHON VENV LOCK
set -eu
python=$1 venv=$2 lock=$3

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

# RHEL and Alibaba Cloud Linux have a newer Python besides their own.
for other in python3.11 python3.12 python3.13; do
    fits "$python" || ! fits "$other" || python=$other
done
if ! fits "$python"; then
    echo "ipvs-audit needs Python 3.11 or newer; '$python' is not." >&2
    if command -v dnf >/dev/null; then
        echo "As root: dnf install python3.11 python3.11-pip openssh-clients; then run this again" >&2
    else
        echo "As root: apt-get install python3 python3-venv openssh-client; or give make PYTHON=/path/to/python3.11" >&2
    fi
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$(dirname "$0")/apt.sh" python3-venv
fi
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
