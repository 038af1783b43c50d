#!/usr/bin/env bash
# What action.yml runs: one run of tokenvet with annotations, SARIF and a job summary.
#
# Inputs come in environment variables, are never part of a command's text, and are never printed: the runner would obey
# what they say. The repository may hold a stranger's work, so nothing of it is run either.
set -euo pipefail

fail() {
  printf 'tokenvet action: %s\n' "$1" >&2
  exit 2
}

# An input that is one line. $1: its variable, $2: its name.
one_line() {
  case ${!1-} in
    *[$'\n\r']*) fail "the input $2 must be one line" ;;
  esac
}

# An input that is true or false.
flag() {
  case ${!1-} in
    true) return 0 ;;
    false | '') return 1 ;;
    *) fail "the input $2 must be true or false" ;;
  esac
}

# The commit of the branch that the pull request is made for, as git can name it.
base() {
  local branch="refs/remotes/origin/${GITHUB_BASE_REF-}"
  if git rev-parse --verify --quiet --end-of-options "$branch^{commit}" >/dev/null; then
    printf '%s' "$branch"
  elif [[ ${GITHUB_REF-} == refs/pull/*/merge ]] && git rev-parse --verify --quiet 'HEAD^2' >/dev/null; then
    # The merge that GitHub would make: its first parent is that branch.
    printf 'HEAD^1'
  else
    return 1
  fi
}

one_line TOKENVET_CONFIG config
one_line TOKENVET_FAIL_ON fail-on
one_line TOKENVET_SARIF_FILE sarif-file
one_line TOKENVET_BINARY binary
temporary=$(mktemp -d "${RUNNER_TEMP:-${TMPDIR:-/tmp}}/tokenvet.XXXXXXXX")
sarif=${TOKENVET_SARIF_FILE:-$temporary/tokenvet.sarif}
summary=$temporary/summary.md

arguments=(check --unrecognised skip --format github --color never "--output=sarif=$sarif")
flag TOKENVET_SUMMARY summary && arguments+=("--output=markdown=$summary")
[[ -n ${TOKENVET_CONFIG-} ]] && arguments+=("--config=$TOKENVET_CONFIG")
[[ -n ${TOKENVET_FAIL_ON-} ]] && arguments+=("--fail-on=$TOKENVET_FAIL_ON")
while IFS= read -r profile || [[ -n $profile ]]; do
  [[ -n $profile ]] && arguments+=("--profile=$profile")
done <<<"${TOKENVET_PROFILES-}"
paths=()
while IFS= read -r path || [[ -n $path ]]; do
  [[ -n $path ]] && paths+=("$path")
done <<<"${TOKENVET_PATHS-}"
((${#paths[@]})) || fail 'the input paths is empty'

flag TOKENVET_ONLY_CHANGED only-changed && arguments+=(--only-changed)
if flag TOKENVET_POLICY_FROM_BASE policy-from-base && [[ -n ${GITHUB_BASE_REF-} ]]; then
  from=$(base) || fail 'the branch that the pull request is made for is not here; check out with fetch-depth: 0'
  arguments+=("--policy-from=$from")
fi

binary=${TOKENVET_BINARY-}
if [[ -z $binary ]]; then
  # From the action's own folder: cargo and rustup obey configuration files of the folder they are started in.
  (cd "$GITHUB_ACTION_PATH" && cargo build --release --locked --no-default-features --features cli,threads,verify \
    --bin tokenvet --target-dir "$temporary/build" >&2) || fail 'tokenvet could not be built'
  binary=$temporary/build/release/tokenvet
fi

status=0
"$binary" "${arguments[@]}" -- "${paths[@]}" </dev/null || status=$?

if [[ -n ${GITHUB_STEP_SUMMARY-} && -s $summary ]]; then
  cat -- "$summary" >>"$GITHUB_STEP_SUMMARY"
fi
if [[ -n ${GITHUB_OUTPUT-} ]]; then
  printf 'exit-code=%s\n' "$status" >>"$GITHUB_OUTPUT"
  if [[ -s $sarif ]]; then
    printf 'sarif=%s\n' "$sarif" >>"$GITHUB_OUTPUT"
  fi
fi
exit "$status"
