#!/usr/bin/env bash
# Load with faults on, for SOAK_MINUTES (10): two nodes on PostgreSQL, of which one is killed again and again, then one process on
# SQLite; see tests/browser/soak.mjs. Then SOAK_SEEDS (4000) further seeds of the simulation, beyond those of `make test`.
# EVERGRANT_BIN names another binary than the one that is built here; SOAK_SEEDS=0 leaves the simulation out.
set -euo pipefail
cd "$(dirname "$0")/.."

if [[ -z "${EVERGRANT_BIN:-}" ]]; then
  cargo build --locked --package evergrant --bin evergrant
  EVERGRANT_BIN="${CARGO_TARGET_DIR:-target}/debug/evergrant"
fi
EVERGRANT_BIN=$(realpath "$EVERGRANT_BIN")
export EVERGRANT_BIN
bash scripts/setup.sh postgres npm
status=0
(cd tests/browser && bash ../../scripts/with-postgres.sh node soak.mjs) || status=$?
if ((status != 0)); then exit "$status"; fi

if ((${SOAK_SEEDS:-4000} > 0)); then
  echo "the simulation: ${SOAK_SEEDS:-4000} seeds"
  EVERGRANT_SIM_SEEDS=${SOAK_SEEDS:-4000} cargo test --locked --package evergrant --test sim -- --ignored more_seeds
fi
