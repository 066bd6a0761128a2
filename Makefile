# Everything that people and CI do here. Each target does the set-up that it needs.
SERVERS := python3 deploy/dev/servers.py

.PHONY: demo test lint bench up down build

build:
	cargo build --locked --release

demo: build  ## the main job on real servers, and a report of what happened
	$(SERVERS) run -- python3 deploy/dev/demo.py target/release/milepost

test:  ## all tests, on servers of their own
	cargo test --locked --no-run
	$(SERVERS) run --fast -- cargo test --locked

lint:  ## formatting, clippy, documentation
	cargo fmt --all -- --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

bench: build  ## the core alone, then end to end
	cargo bench --locked --bench core
	$(SERVERS) run --only nats,postgres -- cargo bench --locked --bench throughput

up:  ## start NATS, Postgres and ClickHouse for development
	$(SERVERS) up

down:  ## stop them
	$(SERVERS) down
