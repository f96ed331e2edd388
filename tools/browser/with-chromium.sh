#!/bin/sh
# Runs a command with CHROMIUM_PATH set; installs Debian's Chromium when no browser of the kind is there.
set -eu

find_chromium() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

CHROMIUM_PATH="${CHROMIUM_PATH:-$(find_chromium)}"
if [ -z "$CHROMIUM_PATH" ]; then
    "$(dirname "$0")/../system-packages.sh" chromium
    CHROMIUM_PATH="$(find_chromium)"
fi
export CHROMIUM_PATH
exec "$@"
