# Short names for the commands of run.py; make is not needed for anything.
.PHONY: demo test lint fix lock

demo:
	python3 run.py demo

test:
	python3 run.py test

# The checks alone, as quick as they get (after one `make test`, which installs them).
lint:
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports --no-logo

fix:
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

lock:
	.venv/bin/python tools/lock.py
