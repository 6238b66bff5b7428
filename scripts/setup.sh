#!/usr/bin/env bash
# Installs what the tests need and this machine lacks; says nothing when nothing is missing.
# Usage: scripts/setup.sh [postgres|chromium|npm|venv|bench|fonts]...     (default: all but the last two)
#
# Debian packages come through apt, the rest from the lock files here and in tests/. Rust, Node.js and Python themselves are
# expected to be there.
set -euo pipefail
cd "$(dirname "$0")/.."

missing=() # Debian packages to install

need() { # PROGRAM WHY: a tool this script does not install
  if ! command -v "$1" >/dev/null; then
    echo "setup: $1 is not installed. $2" >&2
    exit 69
  fi
}

want_basics() {
  need cargo "Install Rust (the version is in Cargo.toml, rust-version)."
  need python3 "Install Python 3.11 or later."
  if ! python3 -c 'import tomllib' 2>/dev/null; then
    echo "setup: $(python3 --version) is too old; 3.11 or later is needed." >&2
    exit 69
  fi
  command -v cc >/dev/null || missing+=(gcc libc6-dev)
}

want_postgres() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
  command -v psql >/dev/null || missing+=(postgresql-client)
}

want_chromium() {
  command -v chromium >/dev/null || missing+=(chromium)
}

# Pictures of Japanese pages; elsewhere readers' browsers bring their own.
want_fonts() {
  ! command -v fc-list >/dev/null || [[ -n "$(fc-list :lang=ja)" ]] || missing+=(fonts-ipafont-gothic)
}

want_npm() {
  need node "Install Node.js 20 or later."
  need npm "Install npm 10 or later."
  local major
  major=$(node --print 'process.versions.node.split(".")[0]')
  if ((major < 20)); then
    echo "setup: Node.js $major is too old; 20 or later is needed." >&2
    exit 69
  fi
}

want_venv() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
}

want_bench() {
  command -v nginx >/dev/null || missing+=(nginx)
  command -v wrk >/dev/null || missing+=(wrk)
}

install_packages() {
  ((${#missing[@]} > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here. Install these Debian packages or what matches them: ${missing[*]}" >&2
    exit 69
  fi
  local -a root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "setup: not root and no sudo here. Ask an administrator for: apt-get install ${missing[*]}" >&2
      exit 77
    fi
    root=(sudo)
  fi
  echo "setup: installing ${missing[*]} (Debian packages)"
  local log
  log=$(mktemp)
  local -a apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
  if ! { "${apt[@]}" update && "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    echo "setup: apt-get failed:" >&2
    tail -n 40 "$log" >&2
    rm -f "$log"
    exit 69
  fi
  rm -f "$log"
}

# Runs a command unless it has run for this content before. FOLDER is where the stamp goes; it vanishes with what it
# vouches for.
once_for() { # LOCK_FILE FOLDER COMMAND...
  local lock=$1 stamp=$2/.installed-from sum
  shift 2
  sum=$(sha256sum <"$lock")
  if [[ -f "$stamp" && "$(<"$stamp")" == "$sum" ]]; then return 0; fi
  "$@"
  printf '%s\n' "$sum" >"$stamp"
}

npm_project() { # FOLDER
  echo "setup: installing the npm packages of $1"
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error --ignore-scripts)
}

install_npm() {
  local project
  for project in . tests/browser; do
    [[ -f "$project/package-lock.json" ]] || continue
    once_for "$project/package-lock.json" "$project/node_modules" npm_project "$project"
  done
}

python_venv() {
  echo "setup: installing schemathesis into .test/venv"
  rm -rf .test/venv
  mkdir -p .test
  python3 -m venv .test/venv
  .test/venv/bin/pip install --quiet --disable-pip-version-check --no-input --requirement tests/api/requirements.txt
}

install_venv() {
  once_for tests/api/requirements.txt .test/venv python_venv
}

parts=("$@")
((${#parts[@]} > 0)) || parts=(postgres chromium npm venv)

want_basics
for part in "${parts[@]}"; do
  case $part in
    postgres | chromium | npm | venv | bench | fonts) "want_$part" ;;
    *)
      echo "setup: unknown part: $part (there are postgres, chromium, npm, venv, bench, fonts)" >&2
      exit 64
      ;;
  esac
done
install_packages
for part in "${parts[@]}"; do
  case $part in
    npm | venv) "install_$part" ;;
  esac
done
