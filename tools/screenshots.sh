#!/bin/sh
# Pictures of the report. Usage: tools/screenshots.sh BIN [RUN]
#
# docs/report.png, as the README shows it, is made of RUN, a run of the lab fleet; without one, of the
# fleet's recorded evidence. Into .cache/screenshots come, for looking at: that report and made-up
# ones of 1 and 10,000 hosts, light, dark, narrow and on paper (PDF, its pages as PNG).
set -eu
bin=$1
run=${2:-}

place=.cache/screenshots
rm -rf "$place" && mkdir -p "$place"
if [ -z "$run" ]; then
    for host in compliant drifted trap namespaced legacy idle fleet/down; do
        cat "tests/recordings/$host.jsonl"
    done >"$place/lab.jsonl"
    "$bin/pytest" -q --inventory tests/recordings/fleet/inventory.yml --from-snapshots "$place/lab.jsonl" \
        --reports "$place/reports" >"$place/log" || [ $? = 1 ]
    run=$place/reports/latest
fi

browser() {
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars \
        --user-data-dir="$PWD/$place/chromium" "$@" >>"$place/log" 2>&1
}

# picture SCHEME SIZE PNG PAGE; SCHEME is 0 for dark, 1 for light
picture() {
    browser --blink-settings="preferredColorScheme=$1" --window-size="$2" --screenshot="$3" "$4"
}

# all NAME RUN: every picture of a run
all() {
    page=file://$(realpath "$2")/index.html
    picture 1 1280,2600 "$place/$1-light.png" "$page"
    picture 0 1280,2600 "$place/$1-dark.png" "$page"
    # A window of its own cannot be so narrow: a frame can.
    printf '<iframe src="%s" width="380" height="2400" frameborder="0"></iframe>' "$page" >"$place/narrow.html"
    picture 1 500,2420 "$place/$1-narrow.png" "file://$PWD/$place/narrow.html"
    browser --no-pdf-header-footer --print-to-pdf="$place/$1.pdf" "$page"
    pdftoppm -r 60 -l 6 -png "$place/$1.pdf" "$place/$1-paper"
}

for hosts in 1 10000; do
    "$bin/python" bench/reports.py "$hosts" "$place/$hosts"
    all "$hosts" "$place/$hosts"
done
all lab "$run"
picture 1 1280,2320 docs/report.png "file://$(realpath "$run")/index.html"
ls "$place"/*.png docs/report.png
