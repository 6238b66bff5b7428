#!/usr/bin/env bash
# Measures Evergrant and says of each figure how it was got, and whether its goal is met.
# Usage: scripts/bench.sh [PART]...     all parts unless some are named
#
#   start        start-up to ready on an empty SQLite database, and idle memory
#   proxy        calls through the proxy beside the upstream itself, a bare pass-through, and nginx
#   credentials  credentials handed out beside a fixed reply; a million stored connections: idle memory, start-up
#   refresh      whole refresh cycles beside the database's commit rate; flushes per refresh
#   due          finding the next 500 due of 1,000, 100,000 and 1,000,000 connections
#   verdict      how often the detector is right, and what a large body costs it
#   pages        the hosted list in a real browser: bytes and layout shift
#
# Programs that are measured from outside, ours and the bare pass-through, are release builds: what users run. What is measured
# within one program is built with the bench profile, without link-time optimisation. EVERGRANT_BIN names another binary to be
# measured; RUNS is the number of starts (15).
set -euo pipefail
cd "$(dirname "$0")/.."

parts=(start proxy credentials refresh due verdict pages)
usage() { sed -n '2,/^set -/p' "$0" | sed '$d; s/^# \{0,1\}//'; }
for word in "$@"; do
  case " ${parts[*]} " in
    *" $word "*) ;;
    *) usage; [[ "$word" == --help || "$word" == -h ]] && exit 0 || exit 64 ;;
  esac
done
[[ $# -gt 0 ]] || set -- "${parts[@]}"

# PROGRAM: its path, built if need be.
built() {
  cargo build --locked --release --package evergrant "$@" --message-format=json |
    python3 -c 'import json, sys; print([one["executable"] for one in map(json.loads, sys.stdin) if one.get("executable")][-1])'
}

binary() {
  if [[ -z "${EVERGRANT_BIN:-}" ]]; then EVERGRANT_BIN=$(built --bin evergrant); fi
  EVERGRANT_BIN=$(realpath "$EVERGRANT_BIN")
  export EVERGRANT_BIN
}

bench() { cargo bench --locked --quiet --package evergrant --bench "$1"; }

part_start() {
  binary
  python3 scripts/bench.py "${RUNS:-15}"
}

part_proxy() {
  binary
  bash scripts/setup.sh bench
  PROXY_BENCH_BIN=$(built --bench proxy) python3 scripts/bench_proxy.py
}

# Beside PostgreSQL as it runs in production: what is written is flushed.
part_credentials() {
  binary
  bash scripts/setup.sh bench
  EVERGRANT_TEST_POSTGRES_OPTIONS="-c fsync=on -c synchronous_commit=on -c full_page_writes=on" \
    bash scripts/with-postgres.sh cargo bench --locked --quiet --package evergrant --bench credentials
}

part_refresh() { bench refresh; }
part_due() { bash scripts/with-postgres.sh cargo bench --locked --quiet --package evergrant --bench due; }
part_verdict() { bench verdict; }

part_pages() {
  binary
  bash scripts/setup.sh chromium npm
  node tests/browser/weight.mjs
}

for part in "$@"; do
  echo "== $part"
  "part_$part"
  echo
done
