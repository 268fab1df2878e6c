# `make` lists what there is. Binaries are built by cargo; the services by scripts/services.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help linux mac deb demo page demo-rabbitmq services services-down test screenshots fidelity chaos api-check long-run lint deny bench bench-peers bench-loops bench-overhead bench-participants bench-server bench-compare

BINARIES := goshift goshift-submit goshift-worker goshift-server
SCRIPTS := scripts/demo scripts/services scripts/browser scripts/api-check scripts/long-run bench/run bench/peers bench/overhead bench/participants bench/server bench/compare \
  $(wildcard bench/lib/*.sh) packaging/deb/build $(wildcard packaging/deb/scripts/*) .ci/run
# A folder beside etc/, from which `./goshift -c ../etc/ -e local -id 5` works as it is.
DIST := dist

help: ## list the targets
	@echo 'goshift moves tables between MySQL/MariaDB, PostgreSQL and SQLite. Targets:'
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; \
	  do printf '  make %-14s %s\n' "$$name" "$$text"; done

linux: ## build release binaries on this Linux, into dist/
	@[[ $$(uname -s) == Linux ]] || { \
	  echo 'make linux: run it on Linux, or build the image with `docker compose build`.' >&2; exit 1; }
	@$(need-build)
	@$(release)

mac: ## build release binaries on this Mac, into dist/
	@[[ $$(uname -s) == Darwin || $${CARGO_BUILD_TARGET:-} == *-apple-darwin ]] || { \
	  echo 'make mac: run it on a Mac, or set CARGO_BUILD_TARGET to an Apple target whose toolchain you have installed.' >&2; exit 1; }
	@$(need-build)
	@$(release)

deb: ## build the Debian package, into target/debian/ (needs cargo-deb)
	@$(need-build)
	@packaging/deb/build

demo: ## three tasks over 240,000 rows in SQLite files: no server needed
	@scripts/demo

page: ## the same with a server, a worker and the page at http://127.0.0.1:8780, until Ctrl-C
	@scripts/demo page

demo-rabbitmq: ## the same between MariaDB/MySQL and PostgreSQL, over RabbitMQ
	@scripts/demo rabbitmq

services: ## find or start RabbitMQ, MariaDB and PostgreSQL on loopback
	@scripts/services up

services-down: ## stop what `make services` started
	@scripts/services down

test: ## start the services, then run every test
	@$(need-build)
	scripts/services up
	scripts/browser up
	cargo test --locked --features fault-points

screenshots: ## make the documentation's pictures of the page
	@$(need-build)
	scripts/services up
	scripts/browser up
	mkdir -p docs/images
	GOSHIFT_SCREENSHOTS="$$PWD/docs/images" cargo test --locked --features fault-points --test browser

ROUNDS ?= 10

fidelity: ## random tables, 100,000 rows over each pair of engines (ROUNDS)
	@$(need-build)
	scripts/services up
	for seed in $$(shuf -i 1-1000000 -n '$(ROUNDS)'); do \
	  FIDELITY_SEED=$$seed cargo test --locked --features fault-points --test fidelity any_ || exit 1; done

# Each seed is a plan of its own: `make chaos SEEDS=7` repeats one of them.
SEEDS ?= 1 2 3 4 5 6 7 8 9 10
SECONDS ?= 180
TASKS ?= 500

chaos: ## disturb a working fleet, then check that nothing is lost (SEEDS, SECONDS, TASKS)
	@$(need-build)
	scripts/services up
	CHAOS_SEEDS='$(SEEDS)' CHAOS_SECONDS='$(SECONDS)' CHAOS_TASKS='$(TASKS)' \
	  cargo test --locked --features fault-points --test chaos

api-check: ## over 10,000 requests made from the OpenAPI document (Schemathesis, from PyPI)
	@$(need-build)
	@scripts/api-check

long-run: ## five minutes of one run, with the broker's consumer_timeout at one minute
	@$(need-build)
	@scripts/long-run

lint: ## formatting, clippy, licences and sources of dependencies, shell scripts
	@$(need-build)
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy --all-targets --features fault-points --locked -- -D warnings
	@$(call if-installed,cargo-deny,cargo deny --locked check bans licenses sources,cargo install cargo-deny --locked)
	@$(call if-installed,shellcheck,shellcheck $(SCRIPTS),apt install shellcheck)

# Not part of `lint`: it needs the network, and an advisory that is published today must not fail
# a commit that was good yesterday.
deny: ## check dependencies, security advisories included (needs cargo-deny and the network)
	@command -v cargo-deny >/dev/null || { \
	  echo 'make deny: cargo-deny is missing: install it with `cargo install cargo-deny --locked` (it takes some minutes to build).' >&2; exit 1; }
	cargo deny --locked check

bench-peers: ## install the tools that `make bench` and `make bench-compare` compare with
	@bench/peers

# What it measures, and how often, is chosen by variables: see the top of bench/run.
bench: ## measure beside other tools and the databases' ceilings; writes bench/RESULTS.md
	@$(need-build)
	@bench/run

bench-loops: ## measure the inner loops: escaping, encoding, decoding (criterion)
	@$(need-build)
	cargo bench --locked --features bench --bench hot_loops

bench-overhead: ## measure what the ledger and the queue cost; writes bench/OVERHEAD.md
	@$(need-build)
	@bench/overhead

bench-participants: ## measure one run on 1, 2 and 4 workers; writes bench/PARTICIPANTS.md
	@$(need-build)
	@bench/participants

bench-server: ## measure goshift-server with 10,000 tasks and 100,000 runs; writes bench/SERVER.md
	@$(need-build)
	@bench/server

bench-compare: ## measure diff and verify beside pt-table-sync and reladiff; writes bench/COMPARE.md
	@$(need-build)
	@bench/compare

define need-build
command -v cargo >/dev/null || { \
  echo 'cargo is missing: install Rust 1.88 or newer from https://rustup.rs, then try again.' >&2; exit 1; }; \
command -v cc >/dev/null || { \
  echo "a C compiler is missing (SQLite is built in): install gcc, on Debian with 'apt install gcc libc6-dev'." >&2; exit 1; }
endef

# GNU make 3.81, as Macs have it, knows no .SHELLFLAGS: hence && throughout.
define release
echo 'cargo build --release --locked --bins' && cargo build --release --locked --bins && \
mkdir -p $(DIST) && for name in $(BINARIES); do \
  cp "$${CARGO_TARGET_DIR:-target}/$${CARGO_BUILD_TARGET:-}/release/$$name" $(DIST)/ || exit 1; done && \
echo && ls -l $(addprefix $(DIST)/,$(BINARIES)) && \
echo 'Run one beside etc/:  cd $(DIST) && ./goshift -c ../etc/ -e local -id 5'
endef

# if-installed TOOL,COMMAND,HOW: a tool that a fresh clone may lack is no reason to fail it; the
# output says that it was left out.
define if-installed
if command -v $(1) >/dev/null; then echo '$(2)'; $(2); \
else echo 'left out: $(1) is not installed ($(3))'; fi
endef
