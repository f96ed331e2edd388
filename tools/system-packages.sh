#!/bin/sh
# Installs those of the named Debian packages that are missing. Asks for nothing when all are there.
set -eu

missing=""
for package in "$@"; do
    dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Needed and not installed:$missing. This machine has no apt-get, so install them by hand." >&2
    exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo -n"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -qq
# shellcheck disable=SC2086  # one word per package
$as_root apt-get install -qq -y --no-install-recommends $missing </dev/null >/dev/null
