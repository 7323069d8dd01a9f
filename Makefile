# One verb a line. `make up` and `make test` need git, Rust (rustup's stable), Python 3 with venv, and a C compiler;
# scripts/doctor says what is missing.

# Cargo's own dependency tracking decides what is stale, so the artefacts are phony.
.PHONY: up test test-native test-envoy test-sdk test-up fuzz bench check wasm cli envoy size render doctor clean

# Where the gateway's pods find the module.
MESH_WASM := /var/lib/dragoman/dragoman.wasm

# 1.5 MB: what a mesh pulls for each workload.
WASM_BYTES_MAX := 1500000

up: wasm cli envoy
	scripts/up

test: test-native test-envoy test-sdk test-up

# Tests that replay recorded traffic are ignored without a folder of it.
INCLUDE_IGNORED := $(if $(DRAGOMAN_FIXTURES),-- --include-ignored)

# Pure tests and the real filter against the fake host: nothing to build first.
test-native: doctor
	cargo test -p dragoman-core -p dragoman $(INCLUDE_IGNORED)
	cargo test -p dragoman-tests --lib $(addprefix --test ,$(basename $(notdir $(wildcard tests/native_*.rs) tests/dependencies.rs))) $(INCLUDE_IGNORED)

# A real Envoy: every file; then what Envoy itself does between two tries, on the oldest one that can; then, with the attempts in
# the listener, those files that show what that changes, on the newest and on the oldest Envoy that can.
OLDEST_NATIVE := 1.39
FALLBACK := cache cooldown direct fallback fallback_load fallback_policy fallback_timing passage routing rupture tasks
OLDEST := 1.36
ON_OLDEST := bodies chat faults flag hostile keys timeouts tls translation $(FALLBACK)

test-envoy: wasm cli envoy
	scripts/wasm build --trap
	scripts/envoy $(OLDEST)
	scripts/envoy $(OLDEST_NATIVE)
	$(if $(wildcard tests/envoy_*.rs),cargo test -p dragoman-tests $(addprefix --test ,$(basename $(notdir $(wildcard tests/envoy_*.rs)))) $(INCLUDE_IGNORED))
	DRAGOMAN_TEST_ENVOY=envoy-$(OLDEST_NATIVE) cargo test -p dragoman-tests $(FALLBACK:%=--test envoy_%)
	DRAGOMAN_TEST_MODE=dispatch cargo test -p dragoman-tests $(FALLBACK:%=--test envoy_%)
	DRAGOMAN_TEST_MODE=dispatch DRAGOMAN_TEST_ENVOY=envoy-$(OLDEST) cargo test -p dragoman-tests $(ON_OLDEST:%=--test envoy_%)

# The official SDKs, pinned, against a real Envoy.
test-sdk: wasm cli envoy
	scripts/test-sdk

# Each fuzz target for FUZZ_SECONDS (30), where cargo-fuzz and a nightly compiler are there; `make test` needs neither.
fuzz: doctor
	scripts/fuzz

# What the gateway costs: Envoy with it and without it, side by side on two processors, about nine minutes. QUICK=1 takes about
# one and is for a look; DOCS=1 puts the table into docs/performance.md and its figures into bench/figures.json. It fails
# where a request does, not for slowness.
bench: wasm cli envoy
	scripts/wasm build --noop
	CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo build --release -p dragoman-bench --target-dir target/cli
	target/cli/release/dragoman-bench $(if $(QUICK),--rounds 1 --span 300) $(if $(DOCS),--document docs/performance.md)

# The promise of the README: `make up`, and the lines that it prints.
test-up: wasm cli envoy
	scripts/test-up

check: doctor wasm cli envoy
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	scripts/wasm clippy
	# They only run with a nightly compiler and libFuzzer; that they fit the crate is checked without either.
	CUSTOM_LIBFUZZER_PATH=none/libfuzzer.a cargo check --quiet --manifest-path filter/core/fuzz/Cargo.toml --target-dir target/fuzz
	RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --workspace --no-deps --document-private-items
	dist/dragoman render envoy --config config/dragoman.yaml --check envoy/standalone
	dist/dragoman render istio --config config/dragoman.yaml --wasm $(MESH_WASM) --check envoy/istio
	dist/dragoman schema --check config/dragoman.schema.json
	dist/dragoman reference --check docs/configuration.md
	dist/envoy --mode validate --log-level warn -c envoy/standalone/envoy.yaml
	scripts/size $(WASM_BYTES_MAX)

# dist/dragoman.wasm.
wasm:
	@scripts/doctor wasm
	scripts/wasm build

# dist/dragoman. The release profile's fat LTO is for the module; the tool builds in half the time without.
cli:
	@scripts/doctor cli
	CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 cargo build --release -p dragoman --target-dir target/cli
	mkdir -p dist && install target/cli/release/dragoman dist/dragoman

# dist/envoy: stock Envoy, pinned.
envoy: doctor
	scripts/envoy

size:
	scripts/size $(WASM_BYTES_MAX)

# What is generated and checked in: envoy/ from the default configuration, and the schema and reference of such files.
render: cli
	dist/dragoman render envoy --config config/dragoman.yaml --out envoy/standalone
	dist/dragoman render istio --config config/dragoman.yaml --wasm $(MESH_WASM) --out envoy/istio
	dist/dragoman schema > config/dragoman.schema.json
	dist/dragoman reference > docs/configuration.md

doctor:
	@scripts/doctor

clean:
	rm -rf target dist
