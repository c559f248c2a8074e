# Each target does its own set-up. `make` alone lists them.
# Python 3.11 or newer, make and git are all that must be there.

PYTHON ?= python3
IN_VENV := .venv/bin/python
INSTALLED := .venv/.installed

# Tests and checks are not to depend on the settings of whoever runs them. The database may be chosen.
DATABASE_CHOICE := DATABASE_URL|EMBEDDED_POSTGRES_FOLDER|TEST_DATABASE_NAME
VARIABLES := $(shell sed -nE 's/^\#?([A-Z_]+)=.*/\1/p' .env.example | grep -vxE '$(DATABASE_CHOICE)')
CLEAN := env $(VARIABLES:%=-u %)

.PHONY: help run test faults bench screenshots check format clean reset

help:
	@echo "make run      start Parley on this machine: http://localhost:8000 (PORT=… chooses another port)"
	@echo "make test     the tests, without the slow part of the fault suite"
	@echo "make faults   the whole fault suite: web and worker are killed in every way"
	@echo "make bench    how fast, against the limit and the peers; QUICK=1 with a tenth of the rows (needs wrk and pgbench)"
	@echo "make screenshots  take the pictures of docs/screenshots again (needs Chromium)"
	@echo "make check    formatting, types, imports, migrations, settings"
	@echo "make format   put the code into the project's format"
	@echo "make clean    remove .venv and caches; the data stays"
	@echo "make reset    remove the data (.data), after asking"

run: $(INSTALLED)
	@exec $(IN_VENV) -m config.run

test: $(INSTALLED)
	@$(CLEAN) $(IN_VENV) -m pytest -n auto --maxprocesses 4 --dist loadgroup -m "not slow"

faults: $(INSTALLED)
	@$(CLEAN) $(IN_VENV) -m pytest -n 0 -m faults

# The peers live apart from what Parley needs. DATABASE_URL chooses a database, whose tables are emptied.
bench: $(INSTALLED) .venv-bench/.installed
	@command -v wrk >/dev/null || { echo "wrk is missing, the load generator. Debian, Ubuntu: apt install wrk"; exit 1; }
	@$(CLEAN) $(IN_VENV) -m bench $(if $(QUICK),--quick) $(PARTS)

.venv-bench/.installed: bench/requirements.txt
	$(PYTHON) -m venv --clear .venv-bench
	.venv-bench/bin/python -m pip install --disable-pip-version-check -r $<
	@touch $@

# Pictures of a made-up bakery, in Chromium.
screenshots: $(INSTALLED)
	@$(CLEAN) $(IN_VENV) -m pytest -n 0 tests/browser/screenshots.py

check: $(INSTALLED)
	@$(call step,ruff check) $(IN_VENV) -m ruff check .
	@$(call step,ruff format) $(IN_VENV) -m ruff format --check .
	@$(call step,mypy) $(CLEAN) $(DEVELOPMENT) $(IN_VENV) -m mypy .
	@$(call step,import-linter) $(IN_VENV) -c "from importlinter.cli import lint_imports_command as lint; lint()"
	@$(call step,migrations) $(CLEAN) $(DEVELOPMENT) $(IN_VENV) manage.py makemigrations --check --dry-run
	@$(call step,system checks) $(CLEAN) $(PRODUCTION) $(IN_VENV) manage.py check --deploy --fail-level WARNING
	@$(call step,house rules) $(CLEAN) $(IN_VENV) -m pytest -n 0 tests/test_house_rules.py

step = echo; echo "--- $(1)";

# Settings that would start; the values are worth nothing.
DEVELOPMENT := DEBUG=true SANDBOX=true WHATSAPP_APP_SECRET=check
PRODUCTION := DEBUG=false ALLOWED_HOSTS=parley.example.com MULTITENANT_ENABLED=true \
	WHATSAPP_APP_SECRET=check WHATSAPP_VERIFY_TOKEN=check \
	SECRET_KEY=made-up-for-make-check-0123456789-abcdefghijklmnopqrstuvwxyz \
	FIELD_ENCRYPTION_KEYS=bWFkZS11cC1mb3ItbWFrZS1jaGVjay0wMDAwMDAwMDA=

format: $(INSTALLED)
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

# Again whenever the requirements change.
$(INSTALLED): requirements.txt requirements-dev.txt
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old: Parley needs Python 3.11 or newer."; \
		echo "If there is a newer one, name it: make run PYTHON=python3.12"; exit 1; }
	@$(IN_VENV) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
		echo "No virtual environment could be made: Python's venv module is missing."; \
		echo "Install it (Debian, Ubuntu: apt install python3-venv) and try again."; exit 1; }
	@echo "Installing what Parley needs into .venv (a minute or two, once) …"
	$(IN_VENV) -m pip install --disable-pip-version-check -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache staticfiles
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

reset:
	@[ -d .data ] || { echo "There is no data."; exit 0; }; \
	[ ! -f .data/postgres/postmaster.pid ] || { echo "Parley is running. Stop it first."; exit 1; }; \
	printf "This removes the database in .data for good. Type yes: "; read answer; \
	[ "$$answer" = yes ] || { echo "Nothing was removed."; exit 1; }; rm -rf .data; echo "Removed."
