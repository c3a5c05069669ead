#!/bin/sh
# Makes docs/report.png, the report as the README shows it. Usage: tools/screenshots.sh BIN [RUN]
# RUN is a run of the lab fleet; without one, its recorded evidence is judged.
set -eu
bin=$1
run=${2:-}

place=.cache/screenshots
rm -rf "$place" && mkdir -p "$place"
if [ -z "$run" ]; then
    for host in compliant drifted trap namespaced legacy idle; do
        cat "tests/recordings/$host.jsonl"
    done >"$place/lab.jsonl"
    "$bin/pytest" -q --from-snapshots "$place/lab.jsonl" --reports "$place/reports" >"$place/log" || [ $? = 1 ]
    run=$place/reports/latest
fi
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$PWD/$place/chromium" \
    --blink-settings=preferredColorScheme=1 --window-size=1280,2050 \
    --screenshot=docs/report.png "file://$(realpath "$run")/index.html" >"$place/log" 2>&1
echo docs/report.png
