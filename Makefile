# Each target does its own setup. `make` alone lists them.
# You need Python 3.11 or newer, make and git.

PYTHON ?= python3
IN_VENV := .venv/bin/python
INSTALLED := .venv/.installed
INSTALLED_DEV := .venv/.installed-dev
INSTALLED_AUDIT := .venv-audit/.installed
UV := .venv-lock/.uv-0.13.9

# Tests and checks ignore your settings, except those that choose the database.
DATABASE_CHOICE := DATABASE_URL|EMBEDDED_POSTGRES_FOLDER|TEST_DATABASE_NAME
VARIABLES := $(shell sed -nE 's/^\| `([A-Z_]+)`.*/\1/p' docs/reference/settings.md | grep -vxE '$(DATABASE_CHOICE)')
CLEAN := env $(VARIABLES:%=-u %) ENV_FILE=

.PHONY: help run test docs faults fuzz bench screenshots check audit sbom format lock clean reset

help:
	@echo "make run      start Parley on this machine: http://localhost:8000 (PORT=… chooses another port)"
	@echo "make test     run the tests, except the commands in the docs and the slow part of the fault suite"
	@echo "make docs     run every command in the README and the docs as it's written (LINKS=1 also opens every link)"
	@echo "make faults   run the whole fault suite, which kills web and worker processes at every step"
	@echo "make fuzz     send 100,000 random requests of one business to another's rows; N=… sends as many as you like"
	@echo "make bench    measure performance; QUICK=1 uses a tenth of the rows (needs wrk; redis-server too for the peer)"
	@echo "make screenshots  take the pictures in docs/screenshots again (needs Chromium)"
	@echo "make check    check formatting, types, imports, migrations and settings"
	@echo "make audit    look for known vulnerabilities in the packages that are installed"
	@echo "make sbom     write sbom.json, a list of these packages in the CycloneDX format"
	@echo "make format   format the code"
	@echo "make lock     update the lock files from requirements*.txt; UPGRADE=1 also upgrades what they depend on"
	@echo "make clean    delete .venv and caches, but not your data"
	@echo "make reset    delete your data (.data), after asking"

run: $(INSTALLED) .env
	@exec $(IN_VENV) -m config.run

test: $(INSTALLED_DEV) .env
	@$(CLEAN) $(IN_VENV) -m pytest -n auto --maxprocesses 4 --dist loadgroup -m "not slow and not documents"
	@echo "Not run: the commands in the docs (make docs) and the slow part of the fault suite (make faults)."

docs: $(INSTALLED_DEV) .env
	@$(CLEAN) CHECK_LINKS=$(LINKS) $(IN_VENV) -m pytest -n 0 tests/documents tests/test_readme.py

faults: $(INSTALLED_DEV)
	@$(CLEAN) $(IN_VENV) -m pytest -n 2 --dist loadfile -m faults tests/faults tests/releases

fuzz: $(INSTALLED_DEV)
	@$(CLEAN) FUZZ_REQUESTS=$(N) FUZZ_SEED=$(SEED) $(IN_VENV) -m pytest -n auto --maxprocesses 4 -m fuzz tests/fuzz

# The libraries we compare with have a virtual environment of their own. With DATABASE_URL, that database is EMPTIED.
bench: $(INSTALLED_DEV) .venv-bench/.installed
	@command -v wrk >/dev/null || { echo "wrk, the load generator, is missing. On Debian or Ubuntu: apt install wrk"; exit 1; }
	@$(CLEAN) $(IN_VENV) -m bench $(if $(QUICK),--quick) $(PARTS)

.venv-bench/.installed: bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

screenshots: $(INSTALLED_DEV)
	@$(CLEAN) $(IN_VENV) -m pytest -n 0 tests/documents/screenshots.py

check: $(INSTALLED_DEV)
	@$(call step,ruff check) $(IN_VENV) -m ruff check .
	@$(call step,ruff format) $(IN_VENV) -m ruff format --check .
	@$(call step,mypy) $(CLEAN) $(DEVELOPMENT) $(IN_VENV) -m mypy .
	@$(call step,import-linter) $(IN_VENV) -c "from importlinter.cli import lint_imports_command as lint; lint()"
	@$(call step,migrations) $(CLEAN) $(DEVELOPMENT) $(IN_VENV) manage.py makemigrations --check --dry-run
	@$(call step,system checks) $(CLEAN) $(PRODUCTION) $(IN_VENV) manage.py check --deploy --fail-level WARNING
	@$(call step,house rules) $(CLEAN) $(IN_VENV) -m pytest -n 0 tests/test_house_rules.py tests/test_migrations.py

step = echo; echo "--- $(1)";

# Settings that Parley starts with. The secrets are made up.
DEVELOPMENT := DEBUG=true SANDBOX=true WHATSAPP_APP_SECRET=check
PRODUCTION := DEBUG=false ALLOWED_HOSTS=parley.example.com MULTITENANT_ENABLED=true \
	WHATSAPP_APP_SECRET=0123456789abcdef0123456789abcdef WHATSAPP_VERIFY_TOKEN=check \
	SECRET_KEY=made-up-for-make-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	FIELD_ENCRYPTION_KEYS=bWFkZS11cC1mb3ItbWFrZS1jaGVjay0wMDAwMDAwMDA=

audit:
	@if $(MAKE) --silent $(INSTALLED_AUDIT); then .venv-audit/bin/python -m config.audit requirements.lock; \
	else echo "pip-audit: SKIPPED. It can't be installed from here."; fi

sbom: $(INSTALLED_AUDIT)
	.venv-audit/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
		--output-reproducible --output-file sbom.json

$(INSTALLED_AUDIT): requirements-audit.lock
	$(PYTHON) -m venv --clear .venv-audit
	.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

format: $(INSTALLED_DEV)
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

# `make run` needs less than `make test`, so that a first try starts sooner. Both run again when a lock file changes.
$(INSTALLED): requirements.lock
	@$(make_venv)
	@$(IN_VENV) -m config.install $<
	@touch $@

$(INSTALLED_DEV): requirements-dev.lock
	@$(make_venv)
	@$(IN_VENV) -m config.install $<
	@touch $(INSTALLED) $@

define make_venv
command -v $(PYTHON) >/dev/null || { echo "Python is missing. Install Python 3.11 or newer."; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	echo "$$($(PYTHON) --version) is too old. Parley needs Python 3.11 or newer."; \
	echo "If you have a newer one, name it: make run PYTHON=python3.12"; exit 1; }; \
$(IN_VENV) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
	echo "Can't create a virtual environment: Python's venv module is missing."; \
	echo "Install it (on Debian or Ubuntu: apt install python3-venv) and try again."; exit 1; }
endef

# Written once, never overwritten.
.env: | $(INSTALLED)
	@$(IN_VENV) -m config.env_file

# The last file is compiled against the first, so that both name the same versions.
lock: $(UV)
	$(compile) requirements-dev.txt --output-file requirements-dev.lock
	$(compile) requirements-audit.txt --output-file requirements-audit.lock
	$(compile) requirements.txt --constraints requirements-dev.lock --output-file requirements.lock

compile = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

$(UV):
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(@:.venv-lock/.uv-%=%)
	@touch $@

clean:
	rm -rf .venv .venv-audit .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset:
	@[ -d .data ] || { echo "There is no data to delete."; exit 0; }; \
	[ ! -f .data/postgres/postmaster.pid ] || { echo "Parley is running. Stop it first."; exit 1; }; \
	printf "This deletes the database and all files in .data for good. Type yes to continue: "; read answer; \
	[ "$$answer" = yes ] || { echo "Nothing was deleted."; exit 1; }; rm -rf .data; echo "Deleted."
