"""Runs tokenvet and other programs on the same files in turn and writes what they used; see benches/peers.sh."""

import hashlib
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import forms

NOW = "2026-01-01T00:00:00Z"
PLAIN = r"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
ROUNDS = 5
# What is scanned by programs that would need minutes for all, in bytes.
PART = 64 << 20
# How programs end that found something, beyond the usual small numbers.
FOUND = [200]


class Used:
    def __init__(self, cpu, wall, memory):
        self.cpu, self.wall, self.memory = cpu, wall, memory


def run(command, out):
    """One process with everything it waits for: CPU seconds (user and system), wall seconds, peak memory in MiB."""
    launched = [sys.executable, "-I", "-S", Path(__file__).parent / "used.py", out, *command]
    cpu, wall, memory, code = output(launched).split()
    if not 0 <= int(code) <= 20 and int(code) not in FOUND:
        raise RuntimeError(f"{command[0]} ended with {int(code)}")
    return Used(float(cpu), float(wall), float(memory))


def in_turn(commands, rounds=ROUNDS):
    """Median of each command; they take turns, after a round that warms the page cache."""
    runs = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds + 1):
            for name, command in commands.items():
                used = run(command, Path(folder) / "out")
                if turn:
                    runs[name].append(used)
    middle = lambda values: statistics.median(values)
    return {name: Used(middle([u.cpu for u in all]), middle([u.wall for u in all]), max(u.memory for u in all))
            for name, all in runs.items()}


def output(command):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=False).stdout


class Page:
    def __init__(self):
        self.lines = []

    def text(self, *lines):
        self.lines += [*lines, ""]

    def table(self, head, rows):
        self.lines += ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
        self.lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
        self.lines.append("")


def version(command):
    found = re.search(rb"\d+\.\d+(\.\d+)?", output(command))
    return found.group().decode() if found else "unknown version"


def peer(name):
    return shutil.which(name)


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value:.2f} s"


def clients(page, ours, data, source, folder):
    w1 = data / "w1"
    files = sorted(str(path) for path in w1.rglob("*.json"))
    few = [folder for folder in sorted(w1.iterdir())][: max(1, len(list(w1.iterdir())) // 10)]
    part = [name for name in files if any(name.startswith(str(f) + "/") for f in few)]
    rules = {n: forms.tokenvet(n, source, folder / f"rules-{n}") for n in (10, 200)}
    check = lambda n: [ours, "check", "--no-config", "--format", "jsonl", "--now", NOW, "--only", "parity-*", "--rules",
                       rules[n]]
    every = [ours, "check", "--no-config", "--format", "jsonl", "--now", NOW]
    commands = {
        "tokenvet, 10 rules": check(10) + [w1],
        "tokenvet, 200 rules": check(200) + [w1],
        "tokenvet, 200 rules, one thread": check(200) + ["--threads", "1", w1],
        "tokenvet, all built-in rules": every + [w1],
    }
    schemas = {n: forms.json_schema(n, folder / f"schema-{n}.json") for n in (10, 200)}
    if tool := peer("jsonschema-cli"):
        for n in (10, 200):
            commands[f"jsonschema-cli {version([tool, '--version'])}, {n} rules"] = \
                [tool, "validate", schemas[n], "--offline", "--errors-only", "-i", *files]
    if tool := peer("ajv"):
        # It does not say its version.
        package = json.loads((Path(tool).resolve().parents[1] / "package.json").read_text())
        for n in (10, 200):
            commands[f"ajv-cli {package['version']}, {n} rules"] = \
                [tool, "validate", "--spec=draft2020", "--all-errors", "-s", schemas[n], "-d", f"{w1}/**/*.json"]
    used = in_turn(commands)
    base = used["tokenvet, 200 rules"]
    page.text(f"## {len(files):,} client files of 2 KB")
    rows = [(name, seconds(u.cpu), f"{u.cpu / len(files) * 1e6:.0f} µs", seconds(u.wall), f"{u.memory:.0f} MiB",
             f"{u.cpu / base.cpu:.2f}") for name, u in used.items()]
    some = part[:200]
    slow = {}
    if tool := peer("cfn-guard"):
        tree = folder / "tree"
        for name in some:
            target = tree / Path(name).relative_to(w1)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, target)
        slow[f"cfn-guard {version([tool, '--version'])}, 200 rules"] = \
            [tool, "validate", "-S", "none", "-r", forms.guard(200, folder / "rules.guard"), "-d", tree]
    if tool := peer("check-jsonschema"):
        slow[f"check-jsonschema {version([tool, '--version'])}, 10 rules"] = \
            [tool, "--schemafile", schemas[10], *some]
    for name, u in (in_turn(slow, 1) if slow else {}).items():
        rows.append((f"{name} ({len(some):,} files)", seconds(u.cpu), f"{u.cpu / len(some) * 1e6:.0f} µs", seconds(u.wall),
                     f"{u.memory:.0f} MiB", f"{u.cpu / len(some) * len(files) / base.cpu:.0f}"))
    page.table(["program", "CPU", "CPU a file", "wall", "memory", "CPU to ours with 200 rules"], rows)
    growth = in_turn({"part": check(200) + few, "whole": check(200) + [w1]})
    a, b = growth["part"], growth["whole"]
    slope = (base.cpu - used["tokenvet, 10 rules"].cpu) / len(files) / 190 * 1e6
    page.text(
        f"200 rules cost {base.cpu / used['tokenvet, 10 rules'].cpu:.2f} times the CPU of 10: {slope:.3f} µs a rule and file. "
        f"{len(files):,} files cost {b.cpu / a.cpu:.1f} times the CPU of {len(part):,}, and {b.memory / a.memory:.2f} times "
        f"the memory ({b.memory:.0f} MiB).")
    single = in_turn({"all built-in rules": every + [files[0]], "true": ["true"]}, 15)
    one = single["all built-in rules"]
    page.text(f"Start to exit with one file and all built-in rules: {one.cpu * 1000:.1f} ms CPU, {one.memory:.0f} MiB "
              f"(`true` under the same measurement: {single['true'].cpu * 1000:.1f} ms).")

    w2 = data / "w2.json"
    size = w2.stat().st_size / 1e6
    used = in_turn({"200 rules": check(200) + [w2], "all built-in rules": every + [w2]})
    page.text(f"## One list of {size:.0f} MB")
    page.table(["rules", "CPU", "MB a CPU second", "memory"],
               [(name, seconds(u.cpu), f"{size / u.cpu:.0f}", f"{u.memory:.0f} MiB") for name, u in used.items()])

    def counts(path):
        with subprocess.Popen([str(word) for word in check(10) + [path]], stdout=subprocess.PIPE) as process:
            return sum(b'"type":"finding"' in line for line in process.stdout)

    first = [counts(folder) for folder in few[:10]]
    page.text(f"The ten rules find {first[0]:,} times something in the first folder, {sum(first):,} times in the first "
              f"{len(first)}, {counts(w1):,} times in all files and {counts(w2):,} times in the list.")


def sixty(ours):
    """Chooses the rules on leaks, and the first of those for access tokens."""
    about = lambda kind: [line.split()[0] for line in output([ours, "rules", "list"]).decode().splitlines()
                          if re.search(rf"\b{kind}\b", line)]
    return [word for rule in (about("leak") + about("access-token"))[:60] for word in ("--only", rule)]


def tokens(page, ours, data, folder):
    sizes = (5_000, 50_000)
    parts = [folder / f"{size}.tokens" for size in sizes]
    with open(data / "w3.tokens", "rb") as source:
        lines = [line for _, line in zip(range(sizes[1]), source)]
    for part, size in zip(parts, sizes):
        part.write_bytes(b"".join(lines[:size]))
    scan = [ours, "scan", "--no-config", "--format", "jsonl", "--now", NOW, "--threads", "1"]
    commands = {
        "tokenvet": scan + [parts[1]],
        "tokenvet, 60 rules": scan + sixty(ours) + [parts[1]],
        "tokenvet, signatures verified": scan + ["--keys", data / "jwks.json", parts[1]],
    }
    python = peer("python3")
    decode = "import sys,jwt\nfor l in open(sys.argv[1]):\n jwt.decode(l.strip(),options={'verify_signature':False})"
    if subprocess.run([python, "-c", "import jwt"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        commands["PyJWT, decoding only"] = [python, "-c", decode, parts[1]]
    used, few = in_turn(commands), in_turn({"tokenvet": scan + [parts[0]]})
    page.text(f"## {len(lines):,} distinct tokens")
    page.table(["program", "CPU", "tokens a CPU second", "memory"],
               [(name, seconds(u.cpu), f"{len(lines) / u.cpu:,.0f}", f"{u.memory:.0f} MiB") for name, u in used.items()])
    a, b = few["tokenvet"], used["tokenvet"]
    page.text(f"Ten times the distinct tokens: {b.cpu / a.cpu:.1f} times the CPU, {b.memory / a.memory:.2f} times the memory.")
    spread = folder / "tokens"
    spread.mkdir()
    for n in range(8):
        (spread / f"{n}.log").write_bytes(b"".join(lines[n::8]))
    threads = lambda n: scan[:-1] + [str(n)] + sixty(ours) + [spread]
    used = in_turn({n: threads(n) for n in (1, 2)})
    page.text(f"In eight files, with 60 rules: {seconds(used[1].wall)} with one thread, {seconds(used[2].wall)} with two, "
              f"{used[1].wall / used[2].wall:.2f} times as fast for {used[2].cpu / used[1].cpu:.2f} times the CPU.")


def known_tokens(data):
    with open(data / "w3.tokens", "rb") as source:
        return {line.strip() for line in source}


def complete(text, known):
    """The known tokens in a text, whoever wrote it and however their dots are written."""
    return [hit for hit in re.findall(PLAIN.encode(), re.sub(rb"%2[eE]", b".", text)) if hit in known]


def truth(path, known):
    """Complete tokens of a log, counted without any of our code."""
    occurrences, distinct, decoys = 0, set(), 0
    for line in open(path, "rb"):
        if b"eyJ" not in line:
            continue
        hits = complete(line, known)
        occurrences += len(hits)
        distinct.update(hits)
        decoys += bool(re.search(rb"eyJ[0-9a-f]{16,}", line))
    return occurrences, distinct, decoys


def scanners(path):
    """Programs that look for secrets of every kind, with their rule for JWT alone."""
    commands = {}
    if tool := peer("kingfisher"):
        commands[f"kingfisher {version([tool, '--version'])}, its rule for JWT"] = \
            [tool, "scan", "--rule", "betterleaks.jwt", "--no-validate", "--no-update-check", "--max-file-size", "0", "-f",
             "jsonl", path]
    return commands


def slow_scanners(path):
    """Those that need minutes for all of the log."""
    commands = {}
    if tool := peer("gitleaks"):
        name = f"gitleaks {version([tool, 'version'])}, its rule for JWT"
        find = [tool, "dir", "--enable-rule", "jwt", "--no-banner", "--redact=0", "-f", "json", "-r", "-", path]
        commands[f"{name}, nothing decoded"] = [*find, "--max-decode-depth", "0"]
        commands[name] = find
    return commands


def log(page, ours, data, folder):
    path, part = data / "w4.log", folder / "part.log"
    with open(path, "rb") as source, open(part, "wb") as target:
        target.write(source.read(PART))
    scan = [ours, "scan", "--no-config", "--format", "jsonl", "--now", NOW]
    commands = {
        "tokenvet (found, decoded, judged, reported)": scan + [path],
        "tokenvet, 60 rules": scan + sixty(ours) + [path],
    }
    rg = peer("rg")
    if rg:
        name = f"ripgrep {version([rg, '--version'])}"
        commands[f"{name}, plain pattern"] = [rg, "-o", "-N", PLAIN, path]
        commands[f"{name}, plain pattern, one thread, no mmap"] = [rg, "-o", "-N", "-j1", "--no-mmap", PLAIN, path]
    used = in_turn(commands)
    all_rules, some_rules = (used[name] for name in list(commands)[:2])
    others, slow = scanners(path), slow_scanners(part)
    used |= in_turn(others | slow, 1)
    known = known_tokens(data)
    occurrences, distinct, decoys = truth(path, known)
    _, of_part, _ = truth(part, known) if slow else (0, set(), 0)

    def leaks(command):
        report = [json.loads(line) for line in output(command).splitlines()]
        return [f for f in report if f.get("type") == "finding" and f["target"]["kind"] == "leak"]

    def recall(command, distinct):
        if command[0] == ours:
            # We show no token: what names it there is the beginning of its SHA-256.
            named = {f["target"]["name"] for f in leaks(command)}
            found = sum(hashlib.sha256(token).hexdigest()[:12] in named for token in distinct)
        else:
            found = len(distinct.intersection(complete(output(command), known)))
        return f"{100 * found / len(distinct):.4g} %"

    rows = []
    for name, command in (commands | others | slow).items():
        u, is_part = used[name], name in slow
        size, distinct_there = (part.stat().st_size, of_part) if is_part else (path.stat().st_size, distinct)
        ratio = lambda ours: f"{ours.cpu / path.stat().st_size * size / u.cpu:.2g}"
        rows.append((name + (f" (first {size >> 20} MiB)" if is_part else ""), seconds(u.cpu), f"{size / 1e9 / u.cpu:.3g}",
                     f"{u.memory:.0f} MiB", ratio(all_rules), ratio(some_rules), recall(command, distinct_there)))
    page.text(f"## A log of {path.stat().st_size / 2**30:.2f} GiB")
    page.table(["program", "CPU", "GB a CPU second", "memory", "our CPU to its", "ours with 60 rules", "tokens found"], rows)
    report = leaks(scan + [path])
    times = lambda f: int(m.group(1)) if (m := re.search(r"found (\d+) times?", f["message"])) else 0
    whole = [f for f in report if "truncated" not in f["rule"]]
    page.text(f"Complete tokens in the log, counted without our code: {occurrences:,} of {len(distinct):,} distinct ones, "
              f"beside {decoys:,} lines that only look like them. Reported: {sum(map(times, whole)):,} of {len(whole):,} "
              f"distinct ones, and {sum(times(f) for f in report) - sum(map(times, whole)):,} cut off.")
    packed = {}
    for ending, pack in (("gz", ["gzip", "-6", "-c"]), ("zst", ["zstd", "-3", "-c", "-q"])):
        target = Path(f"{path}.{ending}")
        if not target.exists():
            target = folder / f"w4.log.{ending}"
            if not shutil.which(pack[0]):
                continue
            with open(target, "wb") as out:
                subprocess.run([*pack, path], stdout=out, check=True)
        packed[f".{ending}, tokenvet"] = scan + [target]
        if rg:
            packed[f".{ending}, ripgrep -z"] = [rg, "-z", "-o", "-N", PLAIN, target]
        if shutil.which("zstd") and ending == "zst":
            packed[".zst, zstd -dc alone"] = ["zstd", "-dc", target]
    results = in_turn(packed, 3) if packed else {}
    rows = [(name, seconds(u.cpu), f"{u.memory:.0f} MiB",
             f"{results[name[:4].rstrip(',') + ', tokenvet'].cpu / u.cpu:.2f}") for name, u in results.items()]
    page.table(["compressed log", "CPU", "memory", "our CPU to its"], rows)
    with open(path, "rb") as source, open(part, "wb") as target:
        target.write(source.read(path.stat().st_size // 10))
    growth = in_turn({"part": scan + [part], "whole": scan + [path]})
    a, b = growth["part"], growth["whole"]
    page.text(f"Ten times the log: {b.cpu / a.cpu:.1f} times the CPU, {b.memory / a.memory:.2f} times the memory.")


def main():
    data, ours, source, target = (Path(argument).resolve() for argument in sys.argv[1:5])
    page = Page()
    page.text("# Performance", "",
              "Written by `benches/peers.sh`; read the ratios, since seconds belong to the machine. Every program was a process of",
              "its own on the same files in the page cache, in turn with the others; the median of five runs counts, of three with",
              "compressed logs, and the one run of programs that need seconds for it. CPU is user and system time of the process",
              "and what it waited for, memory the largest resident set (less than 9 MiB cannot be told, and shows as that).",
              "Reports went to a file. \"Tokens found\" counts the distinct complete tokens that a report names, of those that are there.", "",
              "To repeat it: generate the workloads, install the peers, and run `benches/peers.sh DATA`; the head of that script",
              "says what DATA holds. `cargo bench` measures the same things on small workloads of our own.")
    model = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    model = model.group(1) if model else platform.machine()
    revision = output(["git", "rev-parse", "--short", "HEAD"]).decode().strip()
    page.text(f"Measured with {version([ours, '--version'])} ({revision}) on {os.cpu_count()} cores of {model}, "
              f"{platform.system()} {platform.release().split('-')[0]}. This is the",
              "program that `contrib/release/build.sh` packages; it is compiled by what the small workloads of `cargo bench` keep it",
              "busy with, not by what is measured here.")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        clients(page, ours, data, source, folder)
        tokens(page, ours, data, folder)
        log(page, ours, data, folder)
    wanted = ("rg", "kingfisher", "gitleaks", "jsonschema-cli", "ajv", "cfn-guard", "check-jsonschema")
    missing = [name for name in wanted if not peer(name)]
    if missing:
        page.text("Not installed and so left out: " + ", ".join(missing) + ".")
    target.write_text("\n".join(page.lines).rstrip() + "\n")


main()
