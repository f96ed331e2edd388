# Every command of this repository. `just` alone lists them; `uv run just …` works where just is not installed.

set positional-arguments
set shell := ["sh", "-eu", "-c"]

# pyright would otherwise ask whether a newer release exists
export PYRIGHT_PYTHON_IGNORE_WARNINGS := "1"
# tests start some hundred processes; without stored bytecode each of them compiles every module again
export PYTHONDONTWRITEBYTECODE := ""

run := "uv run --quiet"
# four processes for two cores, because many tests wait for a server; the one that is done takes from the others
processes := "-n 4 --dist worksteal"
document := "docs/openapi.json"
realtime_document := "app/domain/realtime/static/asyncapi.json"

[private]
default:
    @{{ just_executable() }} --list --unsorted

# install everything for development, and the pre-commit hook
[group('start')]
setup:
    uv sync
    {{ run }} pre-commit install

# start the service; options are those of `app serve`, such as --reload or --workers 2
[group('start')]
serve *options:
    {{ run }} app serve "$@"

# fill the database with demo data and print three sign-ins
[group('start')]
seed *options:
    {{ run }} app seed "$@"

# everything that must hold, on SQLite and PostgreSQL; needs Python alone
[group('check')]
test: lint _types-and-tests

# at the same time, because many tests wait
[parallel]
[private]
_types-and-tests: types _pytest

_pytest:
    {{ run }} pytest {{ processes }}

# `test`, and what needs Node, a browser, proxies, Prometheus or Debian's PostgreSQL 15 (installs them)
[group('check')]
test-all: openapi-lint docs generators clients test-browser test-deploy test-monitoring test-postgres15 test-standard-sqlite test

# only pytest, with its own options: `just pytest tests/lib -k cursor`
[group('check')]
pytest *options:
    {{ run }} pytest "$@"

# all tests once more, counting which lines and branches they reach: takes half as long again
[group('check')]
coverage *options:
    {{ run }} pytest {{ processes }} --cov --cov-report=term "$@"

# formatter, linter, import layers, words that are hard to read, and subjects of your commits
[group('check')]
lint: _code
    {{ run }} python tools/words.py --subjects

_code:
    {{ run }} ruff format --check
    {{ run }} ruff check
    {{ run }} lint-imports
    {{ run }} python tools/words.py

# strict types, by mypy and by pyright
[group('check')]
[parallel]
types: _mypy _pyright

_mypy:
    {{ run }} mypy

_pyright:
    {{ run }} pyright

# lint the committed OpenAPI and AsyncAPI documents by Spectral and Redocly
[group('check')]
openapi-lint:
    {{ run }} tools/openapi/lint.sh {{ document }} {{ realtime_document }}

# take the OpenAPI document through eight generators of clients, and compile what they write
[group('check')]
generators:
    {{ run }} --group generators python -m tools.generators

# make the clients of `clients/` from the OpenAPI document, check their types, and run them against the service
[group('check')]
clients:
    {{ run }} --group generators python -m tools.clients

# the documentation pages and the demo chat, in headless Chromium
[group('check')]
test-browser *options:
    {{ run }} tools/browser/with-chromium.sh pytest tests/browser -n 0 "$@"

# the alert rules, and each panel of the dashboard in a real Prometheus (installs Debian's)
[group('check')]
test-monitoring *options:
    tools/system-packages.sh prometheus
    {{ run }} pytest tests/monitoring -n 0 "$@"

# the files of deploy/: by the checks of nginx, Caddy, systemd and the schemas, and the service behind both proxies
[group('check')]
test-deploy *options:
    {{ run }} tools/system-packages.sh nginx caddy systemd
    {{ run }} --group deploy pytest tests/deploy -n 2 --dist worksteal "$@"

# every response of every route, the lists, the search and the migrations once more, on Debian's PostgreSQL 15
[group('check')]
test-postgres15 *options:
    {{ run }} tools/postgres/with-postgres15.sh pytest -k postgresql {{ processes }} "$@" \
        tests/contract/test_every_response.py tests/test_migrations.py tests/lib/db tests/domain/posts tests/domain/jobs

# all that a new domain can break, and its own tests: `just check-domain bookmarks`; a minute of processor time
[group('check')]
check-domain name: _code
    API_DOMAIN="$1" {{ run }} pytest -n 0 "tests/domain/$1" tests/contract tests/architecture tests/test_migrations.py \
        -k "not three_servers and not those_that_need_it"
    {{ run }} app docs export --check

# tests that once failed on Python's own SQLite, and one of each domain that makes much of its database
[group('check')]
test-standard-sqlite *options:
    {{ run }} pytest -p tests.support.standard_sqlite -k "not postgresql and not wal_bug" {{ processes }} "$@" \
        tests/lib/db/test_prepared_writes.py tests/lib/db/test_engine.py tests/lib/jobs/test_operations.py \
        tests/lib/ratelimit/test_counters.py tests/lib/realtime/test_resume.py tests/domain/auth/test_refresh.py \
        tests/domain/posts/test_search.py tests/domain/orders/test_placing.py

# take a domain away in a copy, write new ones, then lint, check types, start and test that: `just check-removal orders`
[group('check')]
check-removal +names:
    {{ run }} python tools/check_removal.py "$@"

# `check-removal` for every domain that can go; takes some minutes each
[group('check')]
check-removals:
    {{ run }} python tools/check_removal.py posts orders catalog realtime webhooks notifications identities

# two clients and a thief in any order, for longer than `test` does it: `just fuzz-sessions 500`
[group('check')]
fuzz-sessions examples="200" steps="60":
    SESSION_EXAMPLES="$1" SESSION_STEPS="${2:-60}" {{ run }} pytest -n 2 tests/domain/auth/test_session_machine.py

# more generated requests to every route than `test` makes: `just fuzz-api 100`
[group('check')]
fuzz-api examples="50":
    API_EXAMPLES="$1" {{ run }} pytest {{ processes }} tests/contract/test_schemathesis.py

# faults on purpose: killed workers, lost databases, full pools; takes minutes
[group('check')]
chaos *options:
    {{ run }} pytest tests/chaos -n 0 "$@"

# the service next to its peers on PostgreSQL; takes most of an hour and writes docs/performance.md
[group('check')]
bench *options:
    {{ run }} --group bench python -m benchmarks "$@"

# a short `bench` that fails when the service fell behind a peer by a quarter since the last whole one
[group('check')]
bench-check *options:
    {{ run }} --group bench python -m benchmarks --check --rounds 3 "$@"

# one of compare (checkouts in turns), posts, deletions, faults, revocation, secrecy, realtime: `just bench-one compare ../before .`
[group('check')]
bench-one name *options:
    shift; {{ run }} python -m "benchmarks.{{ name }}" "$@"

# format the code, mend what the linter can mend, and report what it cannot
[group('change')]
format:
    {{ run }} ruff check --fix-only --quiet
    {{ run }} ruff format
    {{ run }} ruff check

# write the table of ASVS ids in docs/security.md from the marks of the tests
[group('change')]
asvs:
    {{ run }} python tools/asvs.py

# write the OpenAPI document, the reference in docs/ and the list of decisions from the code
[group('change')]
openapi:
    {{ run }} app docs export

# make the documentation site in build/site; a link or an anchor that leads nowhere fails
[group('check')]
docs:
    {{ run }} --group docs python tools/site.py

# show the documentation site while you write it, on http://127.0.0.1:8001
[group('start')]
docs-serve:
    {{ run }} --group docs python tools/site.py serve --dev-addr 127.0.0.1:8001

# bring the database to the newest revision
[group('change')]
migrate:
    {{ run }} app db upgrade

# write a revision from what changed in the models: `just revision "orders"`
[group('change')]
revision message:
    {{ run }} app db revision --message "$1"

# pin what containers install, from pyproject.toml; hashes, no addresses
[group('change')]
lock:
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header \
        pyproject.toml --output-file requirements.lock

# build the container image with docker or podman
[group('ship')]
container tag="lodestar":
    "$(command -v docker || command -v podman)" build --file Containerfile --tag "$1" \
        --build-arg VERSION="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)" \
        --build-arg REVISION="$(git describe --always --dirty --abbrev=40 --exclude='*')" .

# remove caches and reports; keeps data/ and .venv/
[group('ship')]
clean:
    rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.* \
        coverage.xml htmlcov build dist tools/openapi/node_modules tools/generators/node_modules clients/typescript/node_modules clients/typescript/dist benchmarks/peers/node_modules
    rm -rf clients/*/*/generated
    find app tests benchmarks clients migrations tools -name __pycache__ -type d -prune -exec rm -rf {} +
