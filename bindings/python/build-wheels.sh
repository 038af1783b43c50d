#!/usr/bin/env bash
# Builds the wheel that runs on any Linux with glibc 2.17 or later (manylinux2014: EL7 and all that came after it) into
# target/wheels, with a linker from PyPI, and checks that it is one. The tools go to target/wheel-tools.
# TARGET is the machine it is for, by default this one: x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
tools=$PWD/target/wheel-tools
[ -x "$tools/bin/python" ] || python3 -m venv "$tools"
"$tools/bin/python" -m pip --quiet --disable-pip-version-check install 'maturin[zig]>=1.9,<2' 'auditwheel>=6'
export PATH=$tools/bin:$PATH

rm -f target/wheels/tokenvet-*
maturin build --profile dist --locked --zig --compatibility manylinux2014 --target "$target" -m bindings/python/Cargo.toml --out target/wheels
for wheel in target/wheels/tokenvet-*.whl; do
  report=$(auditwheel show "$wheel")
  printf '%s\n' "$report"
  if ! grep -q '"manylinux_2_17_' <<<"$report"; then
    echo "$wheel needs more than manylinux2014 has" >&2
    exit 1
  fi
done
