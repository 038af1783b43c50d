#!/usr/bin/env bash
# Puts in place what the tests of batch systems need: Slurm and munge from Debian, the Python package htcondor below target/.
# Ends with 1 when either cannot be had; what is there already is left as it is.
set -uo pipefail
cd "$(dirname "$0")/../.."

packages=(slurmctld slurmd slurm-client munge)
if ! command -v slurmctld slurmd sbatch munged >/dev/null; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null 2>&1 ||
    { apt-get update >/dev/null 2>&1 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${packages[@]}" >/dev/null; } ||
    { echo "the packages ${packages[*]} cannot be installed" >&2; exit 1; }
fi
if ! target/batch/bin/python -c 'import htcondor2' 2>/dev/null; then
  python3 -m venv target/batch && target/batch/bin/pip install --quiet htcondor==25.14.1 ||
    { echo "the Python package htcondor cannot be installed" >&2; exit 1; }
fi
