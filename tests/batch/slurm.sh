#!/usr/bin/env bash
# contrib/slurm on a real Slurm: one node from Debian's packages, an array of which a task is killed and another one is
# requeued, and the merge behind it. The report has the bytes of a single run.
#
#   tests/batch/slurm.sh PROGRAM
#
# Needs root (slurmd refuses to work without) and the packages slurmctld, slurmd, slurm-client and munge. Everything lies in a
# folder of its own and ends with the script; ports are those nobody listens on.
set -euo pipefail
program=$(realpath "$1")
here=$(cd "$(dirname "$0")/../.." && pwd)

for command in slurmctld slurmd sbatch scontrol munged; do
  command -v "$command" >/dev/null || { echo "skipped: $command is not installed (apt-get install slurmctld slurmd slurm-client munge)"; exit 77; }
done
[ "$(id -u)" -eq 0 ] || { echo "skipped: only root can start slurmd"; exit 77; }

work=$(mktemp -d)
chmod 755 "$work"
pids=()
finish() {
  code=$?
  [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
  [ $code -eq 0 ] || tail -n 30 "$work"/*.log "$work"/out/*.log 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$work"
  exit $code
}
trap finish EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
host=$(hostname -s)
mkdir "$work/munge" "$work/spool" "$work/state" "$work/out"
dd if=/dev/urandom of="$work/munge/key" bs=1024 count=1 status=none
chmod 700 "$work/munge" && chmod 600 "$work/munge/key"
munged --foreground --force --socket "$work/munge.sock" --key-file "$work/munge/key" --pid-file "$work/munge/pid" \
  --seed-file "$work/munge/seed" --log-file "$work/munge.log" &
pids+=($!)

cat > "$work/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
AuthType=auth/munge
AuthInfo=socket=$work/munge.sock,cred_expire=2
SlurmUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
MinJobAge=300
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=10 State=UP OverSubscribe=YES
CONF
export SLURM_CONF=$work/slurm.conf
for _ in $(seq 50); do [ -S "$work/munge.sock" ] && break; sleep 0.1; done
slurmctld -D -c & pids+=($!)
slurmd -D -N "$host" & pids+=($!)
up() { sinfo --noheader --format %t 2>/dev/null | grep -Eq '^(idle|mix|alloc)'; }
for _ in $(seq 120); do up && break; sleep 0.5; done
up || { echo "slurmd did not come up" >&2; exit 1; }

# Logs with tokens that nobody signed: 4 plain ones that are cut, and one that is not.
python3 - "$work/logs" <<'PY'
import base64, gzip, json, os, sys
folder = sys.argv[1]
os.mkdir(folder)
part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
def token(n):
    claims = {"iss": "https://vo.example.org/", "sub": f"u{n % 9}", "jti": str(n), "exp": 1800000000 if n % 3 else 1700000000}
    return f'{part({"alg": "ES256"})}.{part(claims)}.{"TestSignature" * 6}TestSign'
for name in range(4):
    lines = (f"line {n} Bearer {token(n * name % 37)}\n" if n % 5 == 0 else f"line {n} of nothing\n" for n in range(2000))
    text = "".join(lines)
    open(f"{folder}/{name}.log", "w").write(text)
gzip.open(f"{folder}/old.log.gz", "wt").write(text)
PY

# The program as tasks start it: the first try of shard 2 and of shard 3 hangs until somebody ends it.
cat > "$work/tokenvet" <<SH
#!/usr/bin/env bash
for number in 2 3; do
  if [[ " \$* " == *" --shard \$number/4 "* ]] && mkdir "$work/hangs.\$number" 2>/dev/null; then
    echo \$\$ > "$work/hangs.\$number/pid"
    exec sleep 600
  fi
done
exec "$program" "\$@"
SH
chmod 755 "$work/tokenvet"

cd "$work"
SBATCH_PARTITION=test TOKENVET=$work/tokenvet "$here/contrib/slurm/tokenvet-scan.sh" -n 4 -o "$work/out/report" -- logs --shard-block 20KB > "$work/merge.job"
merge=$(cat "$work/merge.job")
array=$(squeue --noheader --format %F --name tokenvet-shard | head -n 1)
for number in 2 3; do
  for _ in $(seq 240); do [ -s "$work/hangs.$number/pid" ] && break; sleep 0.25; done
  case $number in
    2) kill -9 "$(cat "$work/hangs.2/pid")" ;;
    3) scontrol requeue "${array}_3" ;;
  esac
done
state() { scontrol --oneliner show job "$merge" | grep -o 'JobState=[A-Z_]*'; }
for _ in $(seq 480); do
  case $(state) in JobState=PENDING | JobState=RUNNING | JobState=CONFIGURING | JobState=COMPLETING) sleep 0.5 ;; *) break ;; esac
done
scontrol --oneliner show job "$merge" | grep -o 'ExitCode=[0-9:]*' | grep -qx 'ExitCode=1:0' || { echo "the merge did not end with 1: $(state)" >&2; exit 1; }
grep -q 'shard 2: try 1 ended with 137' "$work/out/report/shard.2.log"
scontrol show job "${array}_3" | grep -q 'Restarts=1'

now=$(python3 -c 'import json; print(json.load(open("out/report/report.json"))["now"])')
code=0
"$program" scan logs --now "$now" --color never --output json=one.json --output human=one.txt || code=$?
[ $code -eq 1 ]
cmp one.json out/report/report.json
cmp one.txt out/report/report.txt
[ "$(python3 -c 'import json; print(len(json.load(open("one.json"))["findings"]))')" -gt 10 ]
! grep -rq TestSignature out

# A shard that is lost is named.
rm out/report/parts/4
code=0
"$program" merge out/report/parts 2> lost || code=$?
[ $code -eq 2 ] && grep -q '1 shard of 4 missing: 4' lost
echo "passed: an array of 4 tasks, one killed and one requeued, gives the bytes of a single run"
