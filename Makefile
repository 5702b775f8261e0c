SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# Finds or makes the environment, and runs a command in it.
IN := bash scripts/setup.sh
LINT := ruff check . && ruff format --check . && mypy
STUDY ?= quick
ON ?=
JOBS ?= 0
WORKERS ?= 2

.PHONY: help setup study rehearse pages book test lint lab lock clean distclean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: ## the environment and git's drivers (every other target does this by itself)
	@$(IN)

study: ## make a study: train, evaluate, tables, figures, notebooks (STUDY=components ON=sysu JOBS=2)
	@$(IN) mscm study $(STUDY) $(if $(ON),--on $(ON)) --jobs $(JOBS)

rehearse: ## run the paper's three studies on miniature emulated trees
	@$(IN) mscm rehearse

pages: ## execute the notebooks that belong to no study, into results/quick/reports
	@$(IN) dvc repro book/dvc.yaml

book: ## one site of the executed notebooks, with search: build/book/html/index.html
	@$(IN) mscm book

test: ## lint, types and the whole test suite
	@$(IN) bash -c '$(LINT) && pytest -n $(WORKERS)'

lint: ## ruff (library and notebooks) and mypy
	@$(IN) bash -c '$(LINT)'

lab: ## read and run the notebooks in JupyterLab
	@$(IN) jupyter lab notebooks

lock: ## compile requirements.lock from pyproject.toml
	@$(IN) bash scripts/lock.sh

clean: ## remove what can be made again: build/, runs/, packed data, DVC's cache
	rm -rf build runs data/packed .dvc/cache .dvc/tmp

distclean: clean ## clean, and remove the environment as well
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache
