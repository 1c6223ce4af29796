# The commands of the README. Each installs what it needs first and says so.

.PHONY: test lint demo bench bench-all docs setup clean

PYTHON_IN = .venv/bin/python

test: setup          ## lint, types and the whole test suite
	@.ci/check

lint: setup          ## the same without the tests
	@.ci/check --lint

demo: setup          ## scan an image, mount the index, look at one file, unmount
	@$(PYTHON_IN) .ci/demo.py

bench: setup         ## beside what you would use instead: one table, tests/bench/results/compare.json
	@$(PYTHON_IN) tests/bench/bench_compare.py --json tests/bench/results/compare.json $(BENCH)

bench-all: setup     ## every benchmark of every part, one after the other
	@$(PYTHON_IN) tests/bench/all.py

docs: setup          ## write the reference pages and manual pages from the code
	@$(PYTHON_IN) .ci/write_docs.py

setup:
	@.ci/setup

clean:               ## remove what was made here, never an index
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
