# Two commands do everything: `make run` and `make test`. Both set up whatever they need first.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# PORT, HOST, HTTPS and DEMO count when they are given; else .env, else the defaults in .env.example.
DEMO ?= $(if $(shell grep -s "^DEMO=" .env),,1)
GIVEN = $(foreach name,PORT HOST HTTPS DEMO,$(if $($(name)),$(name)=$($(name))))

.DEFAULT_GOAL := help
.PHONY: help run test nightly check bench format clean

help:
	@echo "make run     start everything on http://localhost:8000  (PORT=, HOST=0.0.0.0 HTTPS=1 for phones)"
	@echo "make test    run all tests  (LANES=\"light waits\" for some; ARGS= for one pytest)"
	@echo "make nightly everything on everything: hours; for a machine of its own, at night"
	@echo "make check   lint, types, deploy checks"
	@echo "make bench   benchmarks"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; choose one with: make run PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run

run: $(VENV)/.run
	@$(GIVEN) $(BIN)/python manage.py runall

test: $(VENV)/.dev
	@sh deploy/test-packages.sh
ifdef ARGS
	$(BIN)/python -m pytest $(ARGS)
else
	$(BIN)/python -m tests.run $(LANES)
endif

nightly: $(VENV)/.dev
	@sh deploy/test-packages.sh
	$(BIN)/python -m tests.run --nightly $(LANES) && night=0 || night=1; \
	  $(BIN)/python -m tests.mutations && exit $$night

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy media_node providers livestream accounts streams chat tokens
	DEBUG=0 HTTPS=1 SECURE_SSL_REDIRECT=1 SECURE_HSTS_SECONDS=31536000 SECURE_HSTS_SUBDOMAINS=1 \
	  $(BIN)/python manage.py check --deploy --fail-level WARNING
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

bench: $(VENV)/.dev
	$(BIN)/python -m bench.media $(ARGS)
	$(BIN)/python -m bench.media.stage $(ARGS)
	$(BIN)/python -m bench.glass
	$(BIN)/python -m bench.tokens
	$(BIN)/python -m bench.hls $(ARGS)
	$(BIN)/python -m bench.realtime $(ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) staticfiles test-artifacts .pytest_cache .mypy_cache .ruff_cache
