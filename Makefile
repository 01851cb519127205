# The project's habits. `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
# Options for pytest: make test ARGS='-k blocking'
ARGS ?=

ifneq ($(words $(CURDIR)),1)
$(error This folder has a space in its path, which make cannot handle: $(CURDIR). Move the checkout)
endif

python := .venv/bin/python
# What the pages are made of, with whole paths, because `docs` is the name of a target too. Folders
# are in it, so that a file that goes away counts.
sources := $(shell find $(addprefix $(CURDIR)/, Makefile mkdocs.yml pyproject.toml constraints.txt \
	$(wildcard *.md) docs examples proof userrb benchmarks tests/test_examples.py tests/conftest.py) \
	-name __pycache__ -prune -o ! -name '*.so' ! -name _libbpf.c ! -name docs.h -print 2>/dev/null)
# The kernel is part of a run's name: another kernel is another run.
examples := .cache/examples-$(shell uname -r)
pytest := $(python) -m pytest -q -p no:cacheprovider --junitxml=.cache/tests.xml

# Debian keeps bpftool where a user's PATH does not look. Caches stay in one place, and byte code out
# of the folders of the sources, whose dates count.
export PATH := $(PATH):/usr/sbin:/sbin
export PYTHON
# The theme's advertisement would stand in front of whatever went wrong.
export NO_MKDOCS_2_WARNING := 1
export PYTHONDONTWRITEBYTECODE := 1
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
unexport PYTHONPATH PYTHONHOME

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup serve docs test check format record facts coverage pins clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing: system packages, .venv, the extension
	@mkdir -p .cache
	@flock .cache/lock sh -c 'tools/system-packages && "$$PYTHON" tools/python_packages.py'

serve: site/index.html ## set up, run the examples, build the site, serve it on PORT (8000)
	@$(python) tools/serve.py site $(PORT)

docs: site/index.html ## the same without serving
	@echo 'The site is in site/.'

# Built aside and then moved: a site that is there is a whole one.
site/index.html: $(sources) $(shell find $(CURDIR)/records 2>/dev/null) | setup $(examples)
	@tools/quietly 'Building the site' $(python) -m mkdocs build --strict --site-dir .cache/site
	@rm -rf site
	@mv .cache/site site

# The examples run as the reader would run them: as this user, with sudo where they say so.
$(examples): $(sources) | setup
	@tools/as-root --by-itself tools/quietly 'Running the examples on the kernel' \
		$(pytest) tests/test_examples.py
	@$(python) tools/examples_ran.py .cache/tests.xml
	@touch $@

test: check ## set up, check, and run all tests, or those that ARGS names: ARGS='-k errno'
	@touch .cache/began
	@tools/as-root $(pytest) $(ARGS)
ifeq ($(strip $(ARGS)),)
	@$(python) tools/examples_ran.py .cache/tests.xml
	@mv .cache/began $(examples)
endif

check: | setup ## ruff and mypy
	@$(python) -m ruff check --quiet
	@$(python) -m ruff format --check --quiet || { echo 'make format would change files.' >&2; exit 1; }
	@$(python) -m mypy --no-error-summary

format: | setup ## format the Python code and fix what ruff can fix
	@$(python) -m ruff check --fix-only --quiet
	@$(python) -m ruff format --quiet

record: | setup ## run the examples and write what they print, and their records, into the repository
	@tools/as-root --by-itself $(python) -m proof record

facts: | setup ## take the facts on the pages from libbpf, its headers and the kernel afresh
	@tools/as-root $(python) -m facts --measure

coverage: | setup ## say what became of every code block of every page
	@$(python) -m proof coverage

pins: ## resolve the Python packages afresh and write constraints.txt (with Python 3.11)
	@$(PYTHON) tools/python_packages.py pins

clean: ## remove what was built
	@rm -rf site build *.egg-info .cache userrb/*.so userrb/_libbpf.c

distclean: clean ## remove .venv as well
	@rm -rf .venv
