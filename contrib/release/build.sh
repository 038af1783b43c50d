#!/usr/bin/env bash
# Builds the program that runs unchanged on EL8, EL9, Debian 12 and any other Linux with glibc 2.17 or later, as
# target/dist/tokenvet-TARGET, and checks that it needs no more than that. The linker comes from PyPI (ziglang), which also
# compiles the C parts (SQLite, zstd, xz); the tools go to target/release-tools. The program is compiled twice: the first one
# counts what is at work most (train.sh), and the second is a tenth faster for it.
# TARGET is the machine it is for, by default this one: x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu. A program for
# another machine cannot be tried here, and is compiled once.
set -euo pipefail
cd "$(dirname "$0")/../.."

glibc=2.17
host=$(rustc -vV | sed -n 's/^host: //p')
target=${TARGET:-$host}
tools=$PWD/target/release-tools
[ -x "$tools/bin/python" ] || python3 -m venv "$tools"
"$tools/bin/python" -m pip --quiet --disable-pip-version-check install 'cargo-zigbuild>=0.20' ziglang
export PATH=$tools/bin:$PATH

build=(cargo zigbuild --profile dist --locked --target "$target.$glibc" --bin tokenvet)
flags=
if [ "$target" = "$host" ]; then
  counts=$PWD/target/tokenvet.profdata
  contrib/release/train.sh "$counts" "$target/dist/tokenvet" "${build[@]}"
  flags=-Cprofile-use=$counts
fi
RUSTFLAGS=$flags "${build[@]}"
mkdir -p target/dist
binary=$PWD/target/dist/tokenvet-$target
cp "target/$target/dist/tokenvet" "$binary"
TOKENVET_RELEASE_BINARY=$binary cargo test --locked --test binary
if [ "$target" = "$host" ]; then
  "$binary" --version
  "$binary" check --no-config --fail-on never testdata/demo >/dev/null
fi
(cd target/dist && sha256sum "tokenvet-$target" | tee "tokenvet-$target.sha256")
