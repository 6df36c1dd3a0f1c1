# What people do with the project. Needs Rust; `install` brings the rest on Debian and Ubuntu.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.PHONY: run demo test soak lint schemas bench install services-up services-down

# The development build: it shares its artefacts with the tests, and a first build takes half the
# time of a release build. `make run PROFILE=release` is for measuring.
PROFILE ?= dev
BINARY := target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/weir

## Build and serve config-examples/quickstart; needs no other server.
run:
	@tests/services/install.sh build
	cargo build --locked --profile $(PROFILE) --bin weir
	@mkdir -p target/run/state
	@cat config-examples/quickstart/try-it.txt
	@exec $(BINARY) serve --documents config-examples/quickstart --listen 127.0.0.1:8080 --admin 127.0.0.1:9090 --state target/run/state

## Start a real Nacos, Redis and two Kafka clusters, release config-examples/tracking in Nacos, and
## serve from there. `make services-down` stops the servers.
demo: export WEIR_NACOS := http://127.0.0.1:8848
demo: export WEIR_NAMESPACE := demo
demo: export WEIR_KEY_APP := app-secret
demo: export WEIR_KEY_SERVER := server-secret
demo: export WEIR_DEVICE_KEY := device-secret
demo:
	@tests/services/play.sh up
	cargo build --locked --profile $(PROFILE) --bin weir
	@mkdir -p target/demo/state
	$(BINARY) apply config-examples/tracking --init --switches --by demo --reason "as the example stands"
	@cat config-examples/tracking/try-it.txt
	@exec $(BINARY) serve --data config-examples/tracking --listen 127.0.0.1:8080 --admin 127.0.0.1:9090 --state target/demo/state

## Everything, against real servers, with a tenth of the repetitions.
test: install
	@mkdir -p target
	cargo test --locked 2>&1 | tee target/test.log
	@echo && grep -E '^ +(Running|Doc-tests)|^test result' target/test.log

## The integration tests with full counts, printing the times they measure.
soak: install
	WEIR_SOAK=1 cargo test --locked --release --test it -- --nocapture --test-threads 1

lint:
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings

## Write schemas/, and the settings in the chart's schema, anew from the types.
schemas:
	WEIR_WRITE_SCHEMAS=1 cargo test --locked --lib document::schemas
	WEIR_WRITE_SCHEMAS=1 cargo test --locked --test it the_schema_of_the_values

## Cost per event of each step and of the whole, with a real Kafka; prints ratios, asserts nothing.
bench: install
	cargo bench --locked

## What building and testing need (apt packages, servers, helm).
install:
	@tests/services/install.sh

## A real Nacos, Redis and two Kafka clusters under target/services, to try things by hand.
services-up:
	@tests/services/play.sh up

services-down:
	@tests/services/play.sh down
