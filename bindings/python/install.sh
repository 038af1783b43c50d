#!/usr/bin/env bash
# Tools for the tests of the Python module, from PyPI into a virtual environment below target/. Fails when there is no
# Python of at least 3.9, or PyPI cannot be reached.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/python
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -m pip --quiet --disable-pip-version-check --retries 1 --timeout 30 install -r bindings/python/requirements-test.txt
