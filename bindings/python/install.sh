#!/usr/bin/env bash
# Tools for the tests of the Python module, from PyPI into a virtual environment below target/. Fails when there is no
# Python of at least 3.9, or PyPI cannot be reached. Spark comes along where Java is; its tests are skipped without it.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=target/python
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
install=("$venv/bin/python" -m pip --quiet --disable-pip-version-check --retries 1 --timeout 30 install)
"${install[@]}" -r bindings/python/requirements-test.txt
if command -v java >/dev/null; then
  "${install[@]}" -r bindings/python/requirements-spark.txt || echo "Spark could not be installed"
else
  echo "Spark is not installed: there is no Java"
fi
