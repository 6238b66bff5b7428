#!/usr/bin/env bash
# Measures the release binary: start-up to ready on an empty SQLite database, and idle memory; the proxy; then how fast
# credentials are # handed out, refresh cycles, and the due query, as ratios or beside their goals. Prints its method with the figures.
# EVERGRANT_BIN names another binary; RUNS the number of starts (default 15).
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z "${EVERGRANT_BIN:-}" ]]; then
  cargo build --locked --release --package evergrant --bin evergrant
  EVERGRANT_BIN="${CARGO_TARGET_DIR:-target}/release/evergrant"
fi
EVERGRANT_BIN=$(realpath "$EVERGRANT_BIN")
export EVERGRANT_BIN
python3 scripts/bench.py "${RUNS:-15}"

# The proxy, beside what it must be measured against. Needs nginx and wrk.
bash scripts/setup.sh bench
PROXY_BENCH_BIN=$(cargo build --locked --release --package evergrant --bench proxy --message-format=json |
  python3 -c 'import json, sys; print([one["executable"] for one in map(json.loads, sys.stdin) if one.get("executable")][-1])')
export PROXY_BENCH_BIN
python3 scripts/bench_proxy.py

# How often the detector is right, and what a large body costs it.
cargo bench --locked --package evergrant --bench verdict

# Beside PostgreSQL as it runs in production: what is written is flushed. Needs wrk.
EVERGRANT_TEST_POSTGRES_OPTIONS="-c fsync=on -c synchronous_commit=on -c full_page_writes=on" \
  bash scripts/with-postgres.sh cargo bench --locked --package evergrant --bench credentials
# The hosted list in a real browser: bytes and layout shift.
bash scripts/setup.sh chromium npm
node tests/browser/weight.mjs
cargo bench --locked --quiet --package evergrant --bench refresh
bash scripts/with-postgres.sh cargo bench --locked --quiet --package evergrant --bench due
