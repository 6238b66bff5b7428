#!/usr/bin/env bash
# Type-checks the browser tests, and the SDKs once they are there. tsc reads the JSDoc types of plain modules.
set -euo pipefail
cd "$(dirname "$0")/.."

tsc=$PWD/tests/browser/node_modules/.bin/tsc
for project in tests/browser sdk/js sdk/react; do
  [[ -f "$project/tsconfig.json" ]] || continue
  echo "types: $project"
  "$tsc" --noEmit --project "$project/tsconfig.json"
done
