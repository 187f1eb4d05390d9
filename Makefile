# `make help` tells what there is. Settings come from the environment or from .env.

ARGS ?=
install = @sh tools/python.sh tools/install.py
python = .venv/bin/python

.PHONY: help run test test-rest test-all test-clients eval bench soak pictures lint install clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      install, start everything, print the address (PORT, HOST, DATA_DIR)'
	@echo 'make test     install, and test every part but what is slow (ARGS="-k ports", BROWSER=no)'
	@echo 'make test-rest what make test leaves out, but for soak and clients'
	@echo 'make test-all both'
	@echo 'make test-clients other programs against the stand-ins; downloads 750 MB'
	@echo 'make eval     how well the search finds what it should (ARGS=--shapes, --typed, --languages, --speech, "--beir FOLDER")'
	@echo 'make bench    how long things take (ARGS=quick)'
	@echo 'make soak     the fault tests at full length, with figures: hours (ARGS="-k crowd")'
	@echo 'make pictures the pictures of docs/, taken anew'
	@echo 'make lint     ruff and mypy'
	@echo 'make install  everything that run, test and lint install'
	@echo 'make clean    remove what was installed here; the data stays'
	@echo 'PYTHON=python3.12 chooses the Python (3.11, 3.12 or 3.13)'

run:
	$(install) main localcloud
	@exec $(python) -m localcloud

test: which = -m 'not slow'
apart = --ignore=tests/clients --ignore=tests/faults/test_all_at_once.py
test-rest: which = -m slow $(apart)
test-all: which = $(apart)
test-clients: which = tests/clients
test test-rest test-all test-clients:
	$(install) main localcloud mcp dev
	@$(python) -m tools.harness.chromium
	@$(python) -m localcloud.weights
	@exec $(python) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder $(which) $(ARGS)

eval:
	$(install) main localcloud mcp dev
	@$(python) -m localcloud.weights
	@exec $(python) -m tools.evaluate $(ARGS)

bench:
	$(install) main localcloud mcp dev
	@$(python) -m localcloud.weights
	@$(python) -m tools.bench_start $(ARGS)
	@$(python) -m tools.bench_search $(ARGS)
	@$(python) -m tools.bench_vectors $(ARGS)
	@$(python) -m tools.bench_home $(ARGS)
	@$(python) -m tools.bench_callbacks $(ARGS)
	@$(python) -m tools.bench_ingest $(ARGS)
	@$(python) -m tools.bench_whisper $(ARGS)

soak:
	$(install) main localcloud mcp dev
	@$(python) -m localcloud.weights
	@SOAK=full exec $(python) -m pytest tests/faults $(ARGS)

pictures:
	$(install) main localcloud mcp dev
	@$(python) -m localcloud.weights
	@exec $(python) -m tools.make_pictures

lint:
	$(install) main localcloud mcp dev
	@$(python) -m ruff check .
	@$(python) -m ruff format --check .
	@$(python) -m mypy .
	@set -e; for model in localcloud/models/*/; do \
	    (cd "$$model" && $(CURDIR)/$(python) -m mypy --config-file $(CURDIR)/pyproject.toml .); \
	done

install:
	$(install) main localcloud mcp dev

clean:
	rm -rf .venv .poetry .pytest_cache .ruff_cache .hypothesis
	rm -rf .mypy_cache localcloud/models/*/.mypy_cache
