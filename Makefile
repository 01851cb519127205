# The project's habits. `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
# Options for pytest, or for `proof record`: make test ARGS='-k blocking'
ARGS ?=
# For bench and matrix: 1 keeps what was found
RECORD ?=
# For test and verify: another kernel than this machine's, in a virtual machine; make kernels lists them
KERNEL ?=
# For test: the tests of one package only: userrb, proof, otherkernel or pages
PACKAGE ?=

ifneq ($(words $(CURDIR)),1)
$(error This folder has a space in its path, which make cannot handle: $(CURDIR). Move the checkout)
endif

python := .venv/bin/python
where := $(if $(PACKAGE),tests/$(PACKAGE))
# What the pages are made of, with whole paths, because `docs` is the name of a target too. Folders
# are in it, so that a file that goes away counts.
sources := $(shell find $(addprefix $(CURDIR)/, Makefile mkdocs.yml pyproject.toml constraints.txt \
	$(wildcard *.md) docs examples facts house includes proof otherkernel userrb benchmarks tests/pages/test_examples.py \
	tests/pages/conftest.py tests/conftest.py tools/kernel_probe.py) \
	-name __pycache__ -prune -o ! -name '*.so' ! -name _libbpf.c ! -name docs.h -print 2>/dev/null)
# The kernel is part of a run's name: another kernel is another run.
examples := .cache/examples-$(or $(OTHERKERNEL),$(shell uname -r))
pytest := $(python) -m pytest -q -p no:cacheprovider --junitxml=.cache/tests.xml

# Debian keeps bpftool where a user's PATH does not look. Caches stay in one place, and byte code out
# of the folders of the sources, whose dates count.
export PATH := $(PATH):/usr/sbin:/sbin
export PYTHON
# The footer says when the site last changed, where git knows.
export SITE_FOOTER := Examples: 0BSD, free to copy. Everything else: MIT. Last change: $(or $(shell git \
	log -1 --format=%cs 2>/dev/null),unknown).
# The theme's advertisement would stand in front of whatever went wrong.
export NO_MKDOCS_2_WARNING := 1
export PYTHONDONTWRITEBYTECODE := 1
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
unexport PYTHONPATH PYTHONHOME PROOF_KERNEL

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: $(shell awk -F ':.*## ' '/^[a-z-]+:.*## / { print $$1 }' Makefile)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## install what is missing: system packages, .venv, the extension
	@mkdir -p .cache
	@flock .cache/lock sh -c 'tools/system-packages && "$$PYTHON" tools/python_packages.py'

serve: docs ## set up, run the examples, build the site, serve it on PORT (8000)
	@$(python) tools/serve.py site $(PORT)

# One at a time: who comes second finds everything made, and has the same whole site.
docs: | setup ## the same without serving
	@flock .cache/docs.lock $(MAKE) --silent --no-print-directory site/index.html
	@echo 'The site is in site/.'

# Built aside and then moved: a site that is there is a whole one.
site/index.html: $(sources) $(shell find $(CURDIR)/records 2>/dev/null) | $(examples)
	@tools/quietly 'Building the site' $(python) -m mkdocs build --strict --site-dir .cache/site
	@$(python) -m house .cache/site
	@rm -rf site
	@mv .cache/site site

# All of it as root, not only what an example calls sudo for: on a terminal sudo writes to that, past
# whoever wants to read what an example printed.
$(examples): $(sources)
	@tools/on-a-kernel tools/quietly 'Running the examples on the kernel' $(pytest) tests/pages/test_examples.py \
		--junitxml=.cache/examples.xml
	@$(python) tools/examples_ran.py .cache/examples.xml
	@touch $@

test: check ## set up, check, and run all tests, or those of PACKAGE, or that ARGS names: ARGS='-k errno'
ifneq ($(KERNEL),)
	@OTHERKERNEL='$(KERNEL)' tools/on-a-kernel $(pytest) -m kernel $(where) $(ARGS)
else
	@touch .cache/began
	@tools/system-packages vm
	@tools/on-a-kernel $(pytest) $(if $(PACKAGE),,-m 'not vm') --site=.cache/checked $(where) \
		$(or $(ARGS),-n 2 --dist loadfile)
endif
ifeq ($(strip $(ARGS)$(KERNEL)$(PACKAGE)$(PYTEST_ADDOPTS)),)
	@$(python) tools/examples_ran.py .cache/tests.xml
	@mv .cache/began $(examples)
endif

test-vm: | setup ## the tests of the virtual machines themselves, which take longer
	@tools/system-packages vm
	@$(pytest) -m vm $(ARGS)

matrix: | setup ## run every example on every kernel and with each libbpf; RECORD=1 keeps the records
	@tools/system-packages vm
	@tools/as-root $(python) -m proof matrix $(if $(filter-out 0,$(RECORD)),--record) $(ARGS)

verify: | setup ## run a column of the records again, of KERNEL, and compare; KERNEL=random draws one
	@tools/system-packages vm
	@tools/as-root $(python) -m proof verify '$(or $(KERNEL),host)'

fresh: | setup ## list the records that are not of what is here now: a release has none
	@$(python) -m proof fresh

kernels: | setup ## list the kernels; ARGS='--fetch newest' fetches one anew
	@$(python) -m otherkernel kernels $(ARGS)

check: | setup ## ruff, mypy, the imports, and checks of the built site: links, images, spelling
	@$(python) -m ruff check --quiet
	@$(python) -m ruff format --check --quiet || { echo 'make format would change files.' >&2; exit 1; }
	@$(python) -m mypy --no-error-summary
	@tools/quietly 'Looking at who imports whom' .venv/bin/lint-imports
	@flock .cache/check.lock sh -c "tools/quietly 'Building the site' \
		$(python) -m mkdocs build --strict --site-dir .cache/checked && \
		$(python) -m house .cache/checked && $(python) -m checks .cache/checked"

format: | setup ## format the Python code and fix what ruff can fix
	@$(python) -m ruff check --fix-only --quiet
	@$(python) -m ruff format --quiet

# A sanitized copy of the extension, which must not be found in place of the usual one by other targets.
stress: | setup ## a million random calls on a ring, and as many under AddressSanitizer
	@tools/bpf-cc tests/bpf/drain.bpf.c .cache/stress.o
	@tools/as-root $(python) tests/userrb/stress.py .cache/stress.o
	@tools/quietly 'Compiling the extension with AddressSanitizer' env CFLAGS='-fsanitize=address,undefined -g' \
		LDFLAGS='-fsanitize=address,undefined' $(python) -m pip install --no-build-isolation --no-deps \
		--upgrade --target .cache/sanitized .
	@rm -rf build
	@tools/as-root env PYTHONPATH=.cache/sanitized ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc \
		LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		$(python) tests/userrb/stress.py .cache/stress.o

record: | setup ## run the examples and write their records; ARGS=--update-output also rewrites the pages
	@tools/as-root $(python) -m proof record $(ARGS)

bench: | setup ## measure userrb beside a C program; RECORD=1 keeps the figures and redraws the page
	@tools/as-root $(python) -m benchmarks $(if $(filter-out 0,$(RECORD)),--record)

facts: | setup ## take the facts on the pages from libbpf, its headers and the kernel afresh
	@tools/as-root $(python) -m facts --measure

coverage: | setup ## say what became of every code block of every page
	@$(python) -m proof coverage

wheel: | setup ## build dist/: an sdist, and a wheel with libbpf inside
	@$(python) tools/wheel.py

object: | setup ## compile the BPF object that ships with the package, for python -m userrb demo
	@tools/demo-object

pins: ## resolve the Python packages afresh and write constraints.txt
	@$(PYTHON) tools/python_packages.py pins

clean: ## remove what was built
	@rm -rf site build dist *.egg-info .cache userrb/*.so userrb/_libbpf.c

distclean: clean ## remove .venv as well
	@rm -rf .venv
