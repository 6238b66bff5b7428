# Everything a developer or CI runs. `make` alone lists it; each target also runs by itself.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
export CARGO_TERM_COLOR ?= auto
# A snapshot that differs fails; it is never rewritten by a test run.
export INSTA_UPDATE ?= no

BINARY := $(or $(CARGO_TARGET_DIR),target)/debug/evergrant
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build and start the demo: nothing to configure, prints what to open
	@echo "Building Evergrant; the first build takes a few minutes."
	@cargo build --locked --package evergrant --bin evergrant
	@exec "$(BINARY)" demo

.PHONY: test
test: ## Install what is missing, then run all that must pass
	@bash scripts/test.sh setup fmt lint deny doc test-rust mutants test-sdk test-browser test-api

.PHONY: setup
setup: ## Install what is missing: PostgreSQL, Chromium, npm packages, Python venv
	@bash scripts/setup.sh

.PHONY: fmt
fmt: ## Check the format of the Rust code
	cargo fmt --all --check

.PHONY: lint
lint: ## Clippy over all targets, warnings refused; syntax of the scripts
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	@for script in scripts/*.sh .ci/run; do bash -n "$$script"; done

.PHONY: deny
deny: ## Licences, banned crates and sources of the dependencies
	@if command -v cargo-deny >/dev/null; then cargo deny --locked check licenses bans sources; else python3 scripts/deny.py; fi

.PHONY: doc
doc: ## Build the Rust documentation, private items too, warnings refused
	RUSTDOCFLAGS="--deny warnings --allow rustdoc::private_intra_doc_links" cargo doc --locked --workspace --no-deps --document-private-items

.PHONY: test-rust
test-rust: ## Rust tests on SQLite and on a throw-away PostgreSQL
	@bash scripts/setup.sh postgres
ifdef NEXTEST
	bash scripts/with-postgres.sh cargo nextest run --locked --workspace
	cargo test --locked --workspace --doc --quiet
else
	bash scripts/with-postgres.sh cargo test --locked --workspace
endif

SEEDS ?= 10000
FIRST ?= 1000000

.PHONY: sim
sim: ## The simulation of the refresh engine: SEEDS=n from FIRST=n on, or SEED=n alone
ifdef SEED
	EVERGRANT_SIM_SEED=$(SEED) cargo test --locked --workspace --test sim one_seed -- --exact
else
	EVERGRANT_SIM_SEEDS=$(SEEDS) EVERGRANT_SIM_FIRST=$(FIRST) cargo test --locked --workspace --test sim more_seeds -- --exact --ignored
endif

.PHONY: mutants
mutants: ## Break the refresh engine in every way that mutations.toml names; the simulation must notice each
	@python3 scripts/mutate.py

.PHONY: test-browser
test-browser: build ## The official browser client and the SDKs in Chromium, on both databases
	@bash scripts/setup.sh postgres chromium npm
	@bash scripts/test-sdk.sh build
	cd tests/browser && EVERGRANT_BIN="$(abspath $(BINARY))" bash ../../scripts/with-postgres.sh npm test --silent

.PHONY: test-sdk
test-sdk: ## Types, declarations and unit tests of the SDKs; types of the browser tests
	@bash scripts/setup.sh npm
	@bash scripts/test-sdk.sh

.PHONY: test-api
test-api: build ## Schemathesis against openapi.json, with a fixed seed
	@bash scripts/setup.sh venv
	EVERGRANT_BIN="$(abspath $(BINARY))" bash scripts/schemathesis.sh

.PHONY: build
build: ## Build the binary (dev profile)
	cargo build --locked --package evergrant --bin evergrant

.PHONY: bench
bench: ## Measure speed and memory, beside their goals (one part: bash scripts/bench.sh proxy)
	@bash scripts/bench.sh

.PHONY: soak
soak: ## Ten minutes of load with faults on, on both databases (SOAK_MINUTES); then further seeds of the simulation (SOAK_SEEDS)
	@bash scripts/soak.sh

.PHONY: screenshots
screenshots: build ## Take the pictures of the README from a running demo
	@bash scripts/setup.sh chromium npm fonts
	cd tests/browser && EVERGRANT_BIN="$(abspath $(BINARY))" node screenshots.mjs
