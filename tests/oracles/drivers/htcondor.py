"""HTCondor's own judgement of tokens, with the libraries of its PyPI wheel: htcondor.py RUN LIBRARIES"""

import glob
import os
import subprocess
import sys

from common import Run, frozen, isolate, prime_scitokens, say, scratch

HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGURATION = "LOCAL_DIR = {place}\nRELEASE_DIR = /usr\nLOG = {place}\nCONDOR_HOST = localhost\nSEC_SCITOKENS_CACHE = {place}\n"


def main():
    run = Run(sys.argv[1])
    program = os.path.join(run.directory, "htcondor")
    library = glob.glob(os.path.join(sys.argv[2], "libcondor_utils*"))[0]
    subprocess.run(["g++", "-O1", "-std=c++17", "-o", program, os.path.join(HERE, "htcondor.cpp"), library,
                    "-Wl,--allow-shlib-undefined"], check=True)
    isolate()
    place = scratch("condor")
    prime_scitokens(run, place)
    configuration = os.path.join(place, "condor_config")
    with open(configuration, "w") as file:
        file.write(CONFIGURATION.format(place=place))
    command = [*frozen(run), program, run.directory, run.audience]
    environment = dict(os.environ, LD_LIBRARY_PATH=sys.argv[2], CONDOR_CONFIG=configuration)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment) as asked:
        for line in asked.stdout:
            name, column, verdict, reason = line.decode("utf-8", "replace").rstrip("\n").split("\t", 3)
            say(name, column, verdict, reason)


main()
