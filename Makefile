# Everything there is to do here. `make` alone lists it.
#
# ARGS goes to the program that the target runs:
#   make demo ARGS="--for-s 120"
#   make test ARGS="--test audio_files"
#
# Cargo works from Cargo.lock as it stands (--locked). Once the crates are downloaded it needs no
# network; CARGO_NET_OFFLINE=true makes it say so instead of trying when one is missing.

CARGO ?= cargo
ARGS ?=
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 30
# What the tests hear and recognize with. Installed once, into the cache folder of the user.
TEST_MODELS := tiny.en base silero-vad two-cities beckett

setup := sh scripts/setup.sh
# Where cargo builds, whatever the user's configuration says. Expanded by the shell.
target_dir = "$$($(CARGO) metadata --format-version 1 --no-deps --locked --offline | \
	sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"

.DEFAULT_GOAL := help
.PHONY: help demo test check bench golden-update fuzz clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

# Ctrl-C ends it; ARGS="--for-s SECONDS" ends it by itself, --listen and --folder see `earwitness demo --help`.
demo: ## Build, install what is missing, transcribe a reading as if spoken now, then devices, server and dashboard
	@$(setup) demo
	$(CARGO) build --release --locked
	@$(target_dir)/release/earwitness demo
	@echo "Now with simulated devices, a collection server and its dashboard. Ctrl-C ends it." >&2
	@$(target_dir)/release/earwitness demo --fleet $(ARGS)

test: ## Install the models and recordings that the tests use, run every test
	@$(setup) test
	$(CARGO) test --locked --workspace --no-run
	@sh scripts/install-clients.sh $(target_dir)
	@$(target_dir)/debug/earwitness models pull $(TEST_MODELS)
	$(CARGO) test --locked --workspace $(ARGS)

check: ## Formatting, lints and documentation, without a warning
	@$(setup) build
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="$${RUSTDOCFLAGS-} -D warnings" $(CARGO) doc --workspace --no-deps --locked

bench: ## Measure the hot loops on this machine
	@$(setup) build
	$(CARGO) bench --locked $(ARGS)

golden-update: ## Rewrite the expected results in tests/golden from their sources
	@$(setup) test
	CARGO="$(CARGO)" sh scripts/update-golden.sh

fuzz: ## Feed broken input to the parsers, FUZZ_SECONDS (30) for each
	@$(setup) build
	@$(CARGO) +nightly fuzz --version >/dev/null || \
		{ echo "make fuzz needs: rustup toolchain install nightly; cargo install cargo-fuzz" >&2; exit 1; }
	@set -e; for file in fuzz/fuzz_targets/*.rs; do \
		[ -e "$$file" ] || { echo "there is no fuzz target in fuzz/fuzz_targets" >&2; exit 1; }; \
		target=$$(basename "$$file" .rs); \
		echo "fuzzing $$target for $(FUZZ_SECONDS) s"; \
		$(CARGO) +nightly fuzz run "$$target" -- -max_total_time=$(FUZZ_SECONDS) $(ARGS); \
	done

clean: ## Delete what was built; installed models stay (earwitness models rm NAME)
	$(CARGO) clean
	rm -rf fuzz/target
