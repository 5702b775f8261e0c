SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PRESET ?= quick
EXPERIMENT ?=
ON ?=
JOBS ?= 1

.PHONY: help setup study preset experiments rehearse book test lint lab lock clean distclean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## uv, .venv, kernel, git drivers (every other target does this by itself)
	@bash scripts/setup.sh

study: setup ## make the chosen study: train, evaluate, tables, figures, reports
	@mscm study --jobs $(JOBS)

preset: setup ## choose what `make study` makes: make preset PRESET=quick|full|sysu|regdb|llcm (PRESET=components ON=sysu: an experiment on it)
	@mscm preset $(PRESET) $(if $(ON),--on $(ON))

experiments: setup ## make the experiments, or one: make experiments EXPERIMENT=alpha JOBS=2 (hours on a CPU)
	@mscm experiments $(EXPERIMENT) --jobs $(JOBS)

rehearse: setup ## run the paper's three studies on miniature emulated trees
	@mscm rehearse

book: setup ## a static site of all notebooks, with search: build/book/html/index.html
	@mscm book

test: setup ## lint, types and the whole test suite
	@bash scripts/test.sh

lint: setup ## ruff (library and notebooks) and mypy
	@ruff check . && ruff format --check . && mypy

lab: setup ## read and run the notebooks in JupyterLab
	@jupyter lab notebooks

lock: setup ## compile requirements.lock and environment.yml from pyproject.toml
	@bash scripts/lock.sh

clean: ## remove what can be made again: build/, runs/, packed data, DVC's cache
	rm -rf build runs data/packed .dvc/cache .dvc/tmp

distclean: clean ## clean, and remove the environment as well
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
