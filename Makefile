# Every target sets up what it needs: a fresh clone runs `make demo` or `make test` as it is.

VENV         := .venv
BIN          := $(VENV)/bin
STAMP        := $(VENV)/.installed
COVERAGE_MIN ?= 95
PYTEST_ARGS  ?=
# xdist workers: `make test WORKERS=0` runs in one process, for a debugger.
WORKERS      ?= auto
CHECKS       := format lint types imports security

.DEFAULT_GOAL := help
.PHONY: help demo test check bench fix clean $(CHECKS:%=check-%)

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'

demo: $(STAMP)  ## see findings, the gate and an explanation on the sample projects
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh sample-projects/demo.sh

test: $(STAMP)  ## run all tests with branch coverage
	@rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n $(WORKERS) $(PYTEST_ARGS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report --fail-under=$(COVERAGE_MIN) || \
		{ echo "test: branch coverage is below $(COVERAGE_MIN) %: test the lines above, or delete them"; exit 1; }

check: $(STAMP)  ## format, lint, types, imports, security: all of them, even when one fails
	@failed=; for step in $(CHECKS); do \
		$(MAKE) --no-print-directory -s check-$$step || failed="$$failed $$step"; \
	done; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed (repeat one: make check-NAME)"; exit 1; fi; \
	echo "check: all of$(CHECKS:%= %) passed"

check-format: $(STAMP)
	@$(BIN)/ruff format --check . || { echo "check-format: to fix it: make fix"; exit 1; }

check-lint: $(STAMP)
	@$(BIN)/ruff check . || { echo "check-lint: to fix what can be fixed by a tool: make fix"; exit 1; }

check-types: $(STAMP)
	@$(BIN)/mypy || { echo "check-types: correct the types above, then: make check-types"; exit 1; }

check-imports: $(STAMP)
	@$(BIN)/lint-imports --no-logo || { echo "check-imports: a module imports from above its layer ([tool.importlinter] in pyproject.toml): move the code, then: make check-imports"; exit 1; }

check-security: $(STAMP)
	@$(BIN)/bandit -q -r hardener -c pyproject.toml || { echo "check-security: remove the cause, or write '# nosec B000: why' on the line, then: make check-security"; exit 1; }

bench: $(STAMP)  ## compare speed and memory with the peers (ONLY=compose, dockerfile, images or launch: one part; BENCH_DIR=directory: on your own files)
	@ONLY=$(ONLY) $(BIN)/python bench/lint.py

fix: $(STAMP)  ## let the formatter and the linter repair what they can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:  ## remove everything that the other targets made
	rm -rf $(VENV) .venv-bench .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build .demo

# The stamp is older than pyproject.toml when a dependency changed: install again. A virtual environment that does not start
# (its Python was removed or upgraded) is made anew.
$(STAMP): pyproject.toml
	@set -e; \
	if ! $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
		rm -rf $(VENV); \
		for python in $${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python}; do \
			if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; \
		done; \
		if [ -z "$$found" ]; then \
			echo "set-up: no Python 3.11 or newer found (asked: $${PYTHON:-python3, python3.14 … python3.11, python})"; \
			echo "  install one, or name it: make PYTHON=/path/to/python3 …"; exit 1; \
		fi; \
		echo "set-up: making $(VENV) with $$found ($$("$$found" -V))"; \
		if ! "$$found" -m venv $(VENV) >/dev/null 2>&1; then \
			rm -rf $(VENV); \
			if "$$found" -m virtualenv -q $(VENV) 2>/dev/null; then :; \
			elif command -v virtualenv >/dev/null && virtualenv -q -p "$$found" $(VENV); then :; \
			else \
				rm -rf $(VENV); \
				echo "set-up: $$found cannot make a virtual environment (its ensurepip or venv module is missing)"; \
				echo "  on Debian and Ubuntu: apt-get install python3-venv; elsewhere: $$found -m pip install --user virtualenv"; exit 1; \
			fi; \
		fi; \
	fi; \
	echo "set-up: installing into $(VENV)"; \
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev,shell]'; \
	touch $@
