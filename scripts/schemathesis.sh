#!/usr/bin/env bash
# Tries the API against its own description: what openapi.json promises must hold for valid and invalid requests.
# Usage: scripts/schemathesis.sh        (EVERGRANT_BIN: the binary, default target/debug/evergrant)
#
# The seed is fixed and no example database is kept, so every run sends the same requests. The server is a fresh one on
# loopback with SQLite in a temporary folder, and may reach nothing: EVERGRANT_EGRESS_ALLOW stays empty.
# It asks more slowly than the limit per credential, so that no answer is a 429.
#   SCHEMATHESIS_SEED, SCHEMATHESIS_EXAMPLES   another seed, more cases per operation
#   SCHEMATHESIS_SECONDS                       when it is ended as hanging (exit code 124), default 600
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$(realpath "${EVERGRANT_BIN:-target/debug/evergrant}")
folder=$(mktemp -d "${TMPDIR:-/tmp}/evergrant-schemathesis.XXXXXX")
server=""

stop() {
  local code=$?
  if [[ -n "$server" ]] && kill -TERM "$server" 2>/dev/null; then
    wait "$server" || {
      echo "schemathesis: the server did not end cleanly" >&2
      ((code != 0)) || code=1
    }
  fi
  if ((code != 0)) && [[ -f "$folder/server.log" ]]; then
    echo "schemathesis: the last lines of the server's log:" >&2
    tail -n 20 "$folder/server.log" >&2
  fi
  rm -rf "$folder"
  exit "$code"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
origin=http://127.0.0.1:$port
export EVERGRANT_LISTEN=127.0.0.1:$port EVERGRANT_PUBLIC_URL=$origin EVERGRANT_DATA_DIR=$folder/data
unset EVERGRANT_DATABASE_URL EVERGRANT_MASTER_KEY EVERGRANT_MASTER_KEY_FILE EVERGRANT_EGRESS_ALLOW

"$binary" serve >"$folder/server.log" 2>&1 &
server=$!

# Waits for /readyz, creates what an authenticated caller has, and prints the API key.
key=$(python3 - "$binary" "$origin" "$server" <<'PYTHON'
import json, os, subprocess, sys, time, urllib.error, urllib.request

binary, origin, server = sys.argv[1:]


def call(path, headers={}, body=None):
    request = urllib.request.Request(origin + path, headers={"content-type": "application/json", **headers})
    request.data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read()


deadline = time.monotonic() + 30
while True:
    try:
        call("/readyz")
        break
    except (OSError, urllib.error.URLError) as error:
        ended = open(f"/proc/{server}/stat", encoding="utf-8").read().rsplit(")", 1)[1].split()[0] == "Z"
        if ended or time.monotonic() > deadline:
            sys.exit(f"schemathesis: the server is not ready: {error}")
        time.sleep(0.1)

create = [binary, "key", "create", "--org", "default", "--env", "test", "--name", "schemathesis", "--json"]
key = json.loads(subprocess.run(create, check=True, stdout=subprocess.PIPE).stdout)["key"]
call("/api/v2/public/linked-account", {"x-api-key": key}, {"linked_account_id": "schemathesis"})
print(key)
PYTHON
)

cd .test # it leaves a folder behind, from which `st replay` repeats what failed
timeout --foreground "${SCHEMATHESIS_SECONDS:-600}" venv/bin/schemathesis run "$origin/openapi.json" \
  --url "$origin" \
  --header "x-api-key: $key" \
  --header "linked_account_id: schemathesis" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --phases examples,coverage,fuzzing \
  --max-examples "${SCHEMATHESIS_EXAMPLES:-25}" \
  --seed "${SCHEMATHESIS_SEED:-20261122}" \
  --generation-database none \
  --rate-limit 40/s \
  --request-timeout 10 \
  --max-redirects 0 \
  --continue-on-failure \
  --workers 1 \
  --no-color
