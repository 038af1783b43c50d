#!/usr/bin/env bash
# Finds out which parts of the program are at work most, so that those are compiled for speed: builds a program that counts,
# lets it do what the benches do and judge the shipped examples, and writes the counts to OUT, which is what rustc takes as
# -Cprofile-use. PROGRAM is where the command puts the program below its target folder.
#
#   contrib/release/train.sh OUT PROGRAM COMMAND...
#
# The command has to be the one that builds the final program: with other options functions have other names, and what was
# counted of them is lost without a word.
set -euo pipefail
cd "$(dirname "$0")/../.."

out=${1:?"usage: train.sh OUT PROGRAM COMMAND..."}
work=$PWD/target/trained
program=$work/${2:?"usage: train.sh OUT PROGRAM COMMAND..."}
shift 2
counts=$work/counts
merge=$(rustc --print target-libdir)/../bin/llvm-profdata
if ! [ -x "$merge" ] && ! rustup component add llvm-tools; then
  echo "$merge is missing: install the LLVM tools of this Rust toolchain (with rustup: the component llvm-tools)" >&2
  exit 1
fi

# Zig's linker does not know what the counting needs; this program only has to start here.
linker=CARGO_TARGET_$(rustc -vV | sed -n 's/^host: //p' | tr a-z- A-Z_)_LINKER
env "$linker=cc" RUSTFLAGS=-Cprofile-generate="$counts" "$@" --target-dir "$work"
# Build scripts may have counted too.
rm -rf "$counts"
# Processes add to the counts of those before.
export LLVM_PROFILE_FILE=$counts/%4m.profraw
"$program" check --no-config --fail-on never testdata/demo testdata/site >"$work/report"
TOKENVET_RELEASE_BINARY=$program cargo bench --profile dev --locked --bench check -- --quick
"$merge" merge --output "$out" "$counts"
