#!/usr/bin/env bash
# Measures the release binary: start-up to ready on an empty SQLite database, and idle memory. Prints its method with
# the figures. EVERGRANT_BIN names another binary; RUNS the number of starts (default 15).
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z "${EVERGRANT_BIN:-}" ]]; then
  cargo build --locked --release --package evergrant --bin evergrant
  EVERGRANT_BIN="${CARGO_TARGET_DIR:-target}/release/evergrant"
fi
export EVERGRANT_BIN
exec python3 scripts/bench.py "${RUNS:-15}"
