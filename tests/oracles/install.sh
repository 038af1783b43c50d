#!/usr/bin/env bash
# Installs the verifiers of the oracle tests, and the OpenID provider of tests/fetch: Debian packages into the system (as root), PyPI and npm packages below target/oracles.
# Only the package clients fetch anything. A second run finds everything there and changes nothing.
# Each group stands alone: what cannot be had is named, the others are installed, and the tests skip what is missing.
# Exit 0: something can be tested; 1: nothing could be installed.
set -uo pipefail
cd "$(dirname "$0")/../.."
here=target/oracles
mkdir -p "$here"
ready=0
note() { printf 'oracles: %s\n' "$*"; }

# Debian's release fixes these versions; a verifier of another version is skipped by the tests, not guessed at.
debian=(
  faketime                                   # freezes the clock of what cannot be told the time
  libscitokens0                              # scitokens-cpp 0.7.3
  xrootd-server xrootd-plugins xrootd-scitokens-plugins  # XRootD 5.5.3
  nordugrid-arc-dev nordugrid-arc-plugins-needed g++ pkg-config  # ARC 6.17.0: its token class is reached from C++
  apache2 libapache2-mod-auth-openidc        # mod_auth_openidc 2.4.12.3
  openssl util-linux python3-venv
)
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

install_debian() {
  local missing=() package
  for package in "${debian[@]}"; do installed "$package" || missing+=("$package"); done
  if [ ${#missing[@]} -eq 0 ]; then note "Debian packages are there"; ready=1; return; fi
  if [ "$(id -u)" -ne 0 ]; then note "Debian packages need root: apt-get install ${missing[*]}"; return; fi
  # RUNLEVEL=1: the packages' services are not to be started, the tests start their own.
  export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
  if apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$here/apt.log" 2>&1; then
    note "Debian packages installed: ${missing[*]}"
    ready=1
  else
    note "Debian packages could not be installed, see $here/apt.log"
  fi
}

install_python() {
  local wanted=tests/oracles/requirements.txt
  if cmp -s "$wanted" "$here/venv/requirements.txt"; then note "PyPI packages are there"; ready=1; return; fi
  if { [ -x "$here/venv/bin/python" ] || python3 -m venv "$here/venv"; } >"$here/pip.log" 2>&1 &&
    "$here/venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$wanted" >>"$here/pip.log" 2>&1; then
    cp "$wanted" "$here/venv/requirements.txt"
    note "PyPI packages installed"
    ready=1
  else
    note "PyPI packages could not be installed, see $here/pip.log"
  fi
}

install_node() {
  local wanted=tests/oracles/package.json
  if ! command -v npm >/dev/null; then note "npm is missing, the JavaScript verifiers are left out"; return; fi
  if cmp -s "$wanted" "$here/node/installed.json"; then note "npm packages are there"; ready=1; return; fi
  mkdir -p "$here/node"
  cp "$wanted" "$here/node/package.json"
  if (cd "$here/node" && npm install --no-audit --no-fund --ignore-scripts) >"$here/npm.log" 2>&1; then
    cp "$wanted" "$here/node/installed.json"
    note "npm packages installed"
    ready=1
  else
    note "npm packages could not be installed, see $here/npm.log"
  fi
}

install_debian
install_python
install_node
[ "$ready" -eq 1 ]
