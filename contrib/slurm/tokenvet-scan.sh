#!/usr/bin/env bash
# Scans an archive of logs with a Slurm array, and merges what its tasks found into one report.
#
#   contrib/slurm/tokenvet-scan.sh -n 16 -o /shared/report -- /archive/logs --since 90d
#
#   -n N    tasks, each of which reads one share of the logs
#   -o DIR  where reports go, on a file system that all nodes see; it must not exist
#   --      what follows is given to `tokenvet scan`: paths, which all nodes see under the same names, and options
#
# TOKENVET names the program when it is not in the path of the nodes; SBATCH_* variables (partition, account, time limit)
# are those of sbatch. Prints the number of the job that merges; with -w (wait) returns when that has ended.
set -euo pipefail

usage() {
  sed -n '2,/^set/p' "$0" | grep '^#' | cut -c3- >&2
  exit 2
}

tasks='' folder='' wait=()
while getopts n:o:w option; do
  case $option in
    n) tasks=$OPTARG ;;
    o) folder=$OPTARG ;;
    w) wait=(--wait) ;;
    *) usage ;;
  esac
done
shift $((OPTIND - 1))
[[ $tasks =~ ^[1-9][0-9]*$ && -n $folder && $# -gt 0 ]] || usage

here=$(cd "$(dirname "$0")" && pwd)
mkdir -- "$folder"
folder=$(cd "$folder" && pwd)
mkdir -- "$folder/parts"
# One clock for all shards, however late they start and however often one is tried.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)

export TOKENVET=${TOKENVET:-tokenvet} TOKENVET_PARTS=$folder/parts TOKENVET_REPORT=$folder TOKENVET_SHARDS=$tasks TOKENVET_NOW=$now
array=$(sbatch --parsable --array="1-$tasks" --output="$folder/shard.%a.log" "$here/shard.sbatch" "$@")
# After any end: a merge that misses a shard names it, and one that is never started says nothing.
sbatch --parsable "${wait[@]}" --dependency="afterany:${array%%;*}" --output="$folder/merge.log" "$here/merge.sbatch"
