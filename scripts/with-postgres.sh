#!/usr/bin/env bash
# Runs a command with a throw-away PostgreSQL and passes its exit code on.
# Usage: scripts/with-postgres.sh COMMAND [ARGUMENT...]
#
# The command sees TEST_POSTGRES_URL. The server listens on 127.0.0.1 only, lives in a temporary folder and is gone
# afterwards, folder included. When TEST_POSTGRES_URL is set already, the command runs against that server instead.
#   EVERGRANT_TEST_POSTGRES_OPTIONS   further server options, for example "-c fsync=on"
set -euo pipefail

if (($# == 0)); then
  echo "usage: $0 COMMAND [ARGUMENT...]" >&2
  exit 64
fi
if [[ -n "${TEST_POSTGRES_URL:-}" ]]; then
  exec "$@"
fi

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
if [[ ! -x "$bin/initdb" ]]; then
  found=$(command -v initdb || true)
  bin=${found%/*}
fi
if [[ ! -x "$bin/initdb" ]]; then
  echo "with-postgres: no PostgreSQL server found (looked in /usr/lib/postgresql and PATH); run: make setup" >&2
  exit 69
fi

folder=$(mktemp -d "${TMPDIR:-/tmp}/evergrant-postgres.XXXXXX")
server=""

stop() {
  if [[ -n "$server" ]] && kill -INT "$server" 2>/dev/null; then # SIGINT: fast shutdown
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# PostgreSQL refuses to run as root: then an existing unprivileged user owns it. --pdeathsig stops the server even
# when this script is killed outright.
as_user=(setpriv --pdeathsig INT)
if ((EUID == 0)); then
  owner=nobody
  if id -u postgres >/dev/null 2>&1; then owner=postgres; fi
  chown "$owner" "$folder"
  as_user+=(--reuid "$owner" --regid "$(id -g "$owner")" --clear-groups)
fi

if ! (cd / && "${as_user[@]}" "$bin/initdb" --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 \
  --locale C --no-sync) >"$folder/initdb.log" 2>&1; then
  echo "with-postgres: initdb failed:" >&2
  cat "$folder/initdb.log" >&2
  exit 69
fi

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Starts the server on $1; false when it ended before it was ready (another program took the port, for one).
start_on() {
  local -a options=()
  read -ra options <<<"${EVERGRANT_TEST_POSTGRES_OPTIONS:-}"
  # Nothing here outlives the run, so no write need reach the disk. Options of the caller come last and win.
  (cd / && exec "${as_user[@]}" "$bin/postgres" -D "$folder/data" -p "$1" -c listen_addresses=127.0.0.1 \
    -c unix_socket_directories= -c max_connections=300 -c fsync=off -c synchronous_commit=off \
    -c full_page_writes=off "${options[@]}") >"$folder/server.log" 2>&1 &
  server=$!
  local deadline=$((SECONDS + 30))
  while ((SECONDS < deadline)); do
    if ! kill -0 "$server" 2>/dev/null; then return 1; fi
    if "$bin/pg_isready" --quiet --host 127.0.0.1 --port "$1"; then
      # Ready may mean somebody else's server on that port; ours is the one that is still alive a moment later.
      kill -0 "$server" 2>/dev/null && return 0
    fi
    sleep 0.1
  done
  return 1
}

for _ in 1 2 3; do
  port=$(free_port)
  if start_on "$port"; then
    export TEST_POSTGRES_URL="postgres://postgres@127.0.0.1:$port/postgres"
    code=0
    "$@" || code=$?
    exit "$code"
  fi
  kill -INT "$server" 2>/dev/null || true
  wait "$server" 2>/dev/null || true
  server=""
done

echo "with-postgres: the server did not start:" >&2
cat "$folder/server.log" >&2
exit 69
