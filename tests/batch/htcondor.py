"""contrib/htcondor as HTCondor reads it, and what its jobs would run, run here: `htcondor.py PROGRAM`.

Needs PyPI's htcondor; there is no pool, so the jobs of the DAG are expanded by HTCondor and started by this script.
"""

import base64
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

try:
    import htcondor2 as htcondor
except ImportError:
    print("skipped: the Python package htcondor is not installed (pip install htcondor)")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parents[2] / "contrib" / "htcondor"
NOW = "2026-11-22T12:00:00Z"


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def dag(path):
    """The jobs of a DAG by their names: submit file and variables; and the lines that are something else."""
    jobs, others = {}, []
    for line in path.read_text().splitlines():
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] in ("JOB", "FINAL"):
            jobs[words[1]] = (words[2], {})
        elif words[0] == "VARS":
            jobs[words[1]][1].update(word.split("=", 1) for word in words[2:])
        else:
            others.append(words)
    return jobs, others


def expanded(name, variables):
    """The jobs of a submit file: how often HTCondor tries each, and what it runs."""
    submit = htcondor.Submit((HERE / name).read_text())
    for variable, value in variables.items():
        submit[variable] = value
    queued = re.sub(r"\$\((\w+)\)", lambda found: variables[found.group(1)], submit.getQArgs() or "1")
    jobs = []
    for number in range(int(queued)):
        submit["Process"] = str(number)
        text = submit.expand("arguments")
        # The new syntax of arguments: all of it in double quotes.
        assert text.startswith('"') and text.endswith('"') and "$(" not in text, text
        jobs.append([submit.expand("executable"), *shlex.split(text[1:-1])])
    return jobs, {name: submit.expand(name) for name in ("max_retries", "success_exit_code") if name in submit}


def main():
    program = str(pathlib.Path(sys.argv[1]).resolve())
    # HTCondor reads the DAG and makes the job that would run it, by a program that it only looks for.
    with tempfile.TemporaryDirectory() as folder:
        for file in HERE.iterdir():
            shutil.copy(file, folder)
        (pathlib.Path(folder) / "condor_dagman").touch(0o755)
        os.environ["PATH"] += os.pathsep + folder
        made = htcondor.Submit.from_dag(str(pathlib.Path(folder) / "tokenvet-scan.dag"), {"force": True})
        assert "condor_dagman" in str(made), made
    jobs, others = dag(HERE / "tokenvet-scan.dag")
    assert set(jobs) == {"shards", "merge"} and ["RETRY", "shards", "2"] in others, (jobs, others)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "logs").mkdir()
        (folder / "report" / "parts").mkdir(parents=True)
        for name in range(5):
            claims = ({"iss": "https://vo.example.org/", "jti": str(n * name % 11), "exp": 1800000000} for n in range(90))
            tokens = (f'{part({"alg": "ES256"})}.{part(claim)}.{"TestSignature" * 6}TestSign' for claim in claims)
            (folder / "logs" / f"{name}.log").write_text("".join(f"Bearer {token}\n" for token in tokens))
        common = {"tokenvet": program, "parts": str(folder / "report" / "parts")}
        name, variables = jobs["shards"]
        assert variables["shards"] == "16"
        variables = {**variables, **common, "paths": str(folder / "logs"), "options": "--shard-block 4KB", "shards": "5", "now": NOW}
        shards, tries = expanded(name, variables)
        assert len(shards) == 5 and tries == {"max_retries": "3", "success_exit_code": "0"}, (shards, tries)
        for number, command in enumerate(shards, 1):
            assert f"{number}/5" in command, command
            subprocess.run(command, check=True)
            # A second try changes nothing.
            report = folder / "report" / "parts" / str(number)
            first = report.read_bytes()
            subprocess.run(command, check=True)
            assert report.read_bytes() == first
        name, variables = jobs["merge"]
        (merge,), _ = expanded(name, {**variables, **common})
        subprocess.run(merge, check=True, stdout=subprocess.DEVNULL)
        single = subprocess.run(
            [program, "scan", str(folder / "logs"), "--now", NOW, "--format", "json"], stdout=subprocess.PIPE, check=False
        )
        assert single.returncode == 1
        assert (folder / "report" / "report.json").read_bytes() == single.stdout
        (folder / "report" / "parts" / "3").unlink()
        lost = subprocess.run(merge, capture_output=True, text=True, check=False)
        assert lost.returncode == 2 and "1 shard of 5 missing: 3" in lost.stderr, lost
    print("passed: HTCondor reads the files, and what they run gives the bytes of a single run")


main()
