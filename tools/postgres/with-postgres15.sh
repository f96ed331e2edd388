#!/bin/sh
# Runs a command with TEST_DATABASE_URL naming a throw-away cluster of Debian's PostgreSQL 15.
set -eu

bin=/usr/lib/postgresql/15/bin
[ -x "$bin/initdb" ] || "$(dirname "$0")/../system-packages.sh" postgresql-15

# PostgreSQL refuses to run as root, so root hands it to the user that the package made.
as_owner=""
directory=$(mktemp -d "${TMPDIR:-/tmp}/postgres15.XXXXXX")
if [ "$(id -u)" -eq 0 ]; then
    as_owner="runuser -u postgres --"
    chown postgres: "$directory"
fi

stop() {
    (cd / && $as_owner "$bin/pg_ctl" --pgdata="$directory/data" --mode=immediate --wait stop >/dev/null 2>&1) || true
    rm -rf "$directory"
}
trap stop EXIT
trap 'exit 130' INT TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
settings="-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$directory"
settings="$settings -c max_connections=200 -c fsync=off -c full_page_writes=off"
(
    cd /
    $as_owner "$bin/initdb" --pgdata="$directory/data" --username=postgres --auth=trust --encoding=UTF8 \
        --locale=C.UTF-8 --no-sync >/dev/null &&
        $as_owner "$bin/pg_ctl" --pgdata="$directory/data" --log="$directory/log" --options="$settings" --wait start >/dev/null
) || { cat "$directory/log" >&2; exit 1; }

TEST_DATABASE_URL="postgresql+asyncpg://postgres@127.0.0.1:$port/postgres" "$@"
