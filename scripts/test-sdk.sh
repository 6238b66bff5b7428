#!/usr/bin/env bash
# The JavaScript: types of the browser tests and the SDKs, the declarations that are published, unit tests, and the React
# components rendered on a server by React 19 and by React 18.
# Usage: scripts/test-sdk.sh [build|declarations]   builds sdk/react; rewrites sdk/js/evergrant.d.ts; without a word: tests
set -euo pipefail
cd "$(dirname "$0")/.."

tsc=$PWD/tests/browser/node_modules/.bin/tsc

build() { "$tsc" --project sdk/react/tsconfig.json; }

case ${1-} in
  build) build; exit ;;
  declarations) "$tsc" --project sdk/js/tsconfig.json; exit ;;
esac

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
echo "declarations: sdk/js"
"$tsc" --project sdk/js/tsconfig.json --outDir "$fresh"
if ! diff -u sdk/js/evergrant.d.ts "$fresh/evergrant.d.ts"; then
  echo "sdk/js/evergrant.d.ts is not what evergrant.js says; renew it with: bash scripts/test-sdk.sh declarations" >&2
  exit 1
fi
build
for project in tests/browser sdk/js sdk/react tests/types; do
  echo "types: $project"
  "$tsc" --noEmit --emitDeclarationOnly false --project "$project/tsconfig.json"
done
(cd sdk/js && echo "tests: sdk/js" && node --test --test-reporter=dot test/*.test.js)
(cd sdk/react && echo "tests: sdk/react on React 19" && node --test --test-reporter=dot test/*.test.js)
(cd sdk/react && echo "tests: sdk/react on React 18" && REACT=18 node --import ./test/react18.js --test --test-reporter=dot test/*.test.js)
