# Copyright (c) 2026, Palisade contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Every target sets up what it needs: system packages (as root, on a Debian), a virtual environment in
# .venv and caches in .cache. A second run finds all of that in place.

# `make PYTHON=python3.13 test` chooses the Python of the checks; see scripts/find-python.
# Arguments for the tool behind a target: make test ARGS='tests/unit -k addresses'.
ARGS ?=

COLLECTION := .cache/collections/ansible_collections/palisade/nftables
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
export PATH := $(PATH):/usr/sbin:/sbin
# A setting of the user must not decide whether a check passes.
export ANSIBLE_CONFIG := $(CURDIR)/tests/ansible.cfg

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## Install what the tests need, if it is missing.
	@scripts/setup-system test $$(test "$$(id -u)" != 0 || echo neighbours)
	@scripts/setup-venv .venv test "$$(scripts/find-python controller)"
	@mkdir -p $(dir $(COLLECTION)) && ln -sfn ../../../.. $(COLLECTION)
	@scripts/fetch-nft-versions

.PHONY: test
test: setup ## Run every test that needs no container (ARGS='tests/unit -k ports').
	@scripts/test $(ARGS)

.PHONY: test-ansible
test-ansible: setup ## Run the tests that involve Ansible on the newest ansible-core.
	@scripts/test-ansible $(ARGS)

SECONDS ?= 60

.PHONY: agree
agree: setup ## Compare evaluator and kernel on fresh random policies (SECONDS=600).
	@PYTHONPATH=.cache/collections:. .venv/bin/python -m tests.properties.agreement --seconds $(SECONDS) $(ARGS)

.PHONY: prove
prove: setup ## Compare evaluator, compiled tables and kernel on every ClassBench set (ARGS='--sets fw1_1k').
	@PYTHONPATH=.cache/collections:. .venv/bin/python -m tests.properties.prove $(ARGS)

.PHONY: faults
faults: setup ## Make runs fail in every way, killed at each system call among them, and see that the host is well.
	@PALISADE_EVERY_FAULT=1 .venv/bin/python -m pytest -s tests/faults $(ARGS)

RULES ?= 10000

.PHONY: load
load: setup ## Deploy and change 10,000 rules while new connections arrive (RULES=1000).
	@PALISADE_LOAD_RULES=$(RULES) .venv/bin/python -m pytest -s tests/packets/test_load.py $(ARGS)

.PHONY: setup-lint
setup-lint: setup
	@scripts/setup-system lint
	@scripts/setup-venv .venv lint "$$(scripts/find-python controller)"

.PHONY: lint
lint: setup-lint ## Run every linter, ansible-test sanity, and build the documentation.
	@scripts/lint

.PHONY: sanity
sanity: setup-lint ## Run ansible-test sanity alone (ARGS='--test validate-modules').
	@scripts/sanity $(ARGS)

.PHONY: docs
docs: setup-lint ## Build the documentation of the plugins and roles into build/docs.
	@scripts/docs

.PHONY: format
format: setup-lint ## Format the Python files, and repair what ruff can repair.
	@.venv/bin/ruff format
	@.venv/bin/ruff check --fix

.PHONY: molecule
molecule: setup ## Run every scenario on Debian 12 with systemd, in containers (ARGS=bullseye).
	@scripts/molecule-matrix $(ARGS)

.PHONY: molecule-all
molecule-all: setup ## Run every scenario on Debian 11, 12 and 13.
	@scripts/molecule-matrix bullseye bookworm trixie

.PHONY: emulate
emulate: setup ## Run packets, floods and agreement on Linux 5.10, 6.1 and 6.12 (ARGS='--quick trixie').
	@scripts/setup-system emulator
	@scripts/fetch-kernels
	@scripts/emulate $(ARGS)

.PHONY: machines
machines: setup ## Boot whole machines with Debian 11, 12 and 13: deploy, reboot, packets (ARGS='bookworm').
	@scripts/machines boots $(ARGS)

.PHONY: power-cuts
power-cuts: setup ## Cut the power of whole machines 102 times, in and after deploys (ARGS='--cuts 5 bookworm').
	@scripts/machines power-cuts $(ARGS)

.PHONY: demo
demo: setup ## Show the main job on a small fleet of network namespaces.
	@scripts/demo $(ARGS)

.PHONY: bench
bench: setup ## Print the benchmarks' figures.
	@scripts/setup-system bench
	@scripts/setup-venv .cache/venvs/aerleon aerleon "$$(scripts/find-python controller)"
	@benchmarks/run $(ARGS)

.PHONY: build
build: setup ## Build the collection into build/, and install it from there to prove the artifact.
	@scripts/build

.PHONY: constraints
constraints: setup-lint ## Pin the newest versions of everything the checks install.
	@scripts/constraints

.PHONY: clean
clean: ## Remove everything that these commands made in the checkout.
	@rm -rf .cache .venv build
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
