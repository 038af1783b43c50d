#!/usr/bin/env bash
# Builds the wheel cheaply, installs it beside the tools of install.sh and runs its tests; arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/../.."

venv=$PWD/target/python
export PYO3_PYTHON=$venv/bin/python
cargo fmt --check -p tokenvet-python
cargo clippy --locked -p tokenvet-python --all-targets -- -D warnings
rm -rf target/wheels-test
"$venv/bin/maturin" build --quiet --locked --compatibility linux -m bindings/python/Cargo.toml --interpreter "$venv/bin/python" --out target/wheels-test
"$venv/bin/python" -m pip --quiet --disable-pip-version-check install --no-index --no-deps --force-reinstall target/wheels-test/*.whl
cd bindings/python
"$venv/bin/python" -m pytest -q -rs -p no:cacheprovider "$@"
