#!/usr/bin/env bash
# Runs make targets one after the other; says which, how long each took, and stops at the first that fails.
# Usage: scripts/test.sh TARGET...
set -euo pipefail
cd "$(dirname "$0")/.."

# Seconds as "1m05s".
readable() { printf '%dm%02ds' $(($1 / 60)) $(($1 % 60)); }

total=$#
number=0
report=""
for target in "$@"; do
  number=$((number + 1))
  printf '\n==> step %d of %d: %s\n' "$number" "$total" "$target"
  began=$SECONDS
  status=0
  make "$target" || status=$?
  took=$(readable $((SECONDS - began)))
  if ((status != 0)); then
    printf '\nFAILED: step %d of %d, %s, after %s. Run it alone with: make %s\n' \
      "$number" "$total" "$target" "$took" "$target" >&2
    printf 'steps: %d passed, 1 failed\n' $((number - 1))
    exit 1
  fi
  printf '<== %s: %s\n' "$target" "$took"
  report+=$(printf '  %-14s %8s' "$target" "$took")$'\n'
done

printf '\n%s  %-14s %8s\n' "$report" total "$(readable "$SECONDS")"
printf 'passed: %d steps\n' "$total"
# The same again in the form that counts as a closing line in any language.
printf 'steps: %d passed, 0 failed\n' "$total"
