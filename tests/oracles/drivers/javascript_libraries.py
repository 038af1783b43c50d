"""JavaScript libraries, asked by node: javascript_libraries.py RUN PACKAGES"""

import os
import subprocess
import sys

from common import isolate, say

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    isolate()
    command = ["node", os.path.join(HERE, "javascript_libraries.mjs"), *sys.argv[1:]]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as asked:
        for line in asked.stdout:
            say(*line.decode("utf-8", "replace").rstrip("\n").split("\t", 3))
    sys.exit(asked.returncode)


main()
