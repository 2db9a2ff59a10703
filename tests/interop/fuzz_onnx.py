"""Feed damaged files of every operator to the reader of ONNX files: a net, or a sentence; nothing else.

Run by hand, with the checkout and its folders tests, tests/data and tests/interop on PYTHONPATH:
``python tests/interop/fuzz_onnx.py --minutes 10 [--seed N]``. A crash ends the process; the file that
caused it lies where is printed first.
"""

import argparse
import collections
import faulthandler
import random
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

from fuzz_parsers import damaged
from onnx_cases import CASES

from cynet.interop import load_onnx

MOST = 1 << 26  # bytes that may be taken, beside twice the file
PATIENCE = 10  # seconds of the processor for one file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args()
    faulthandler.enable()
    path = Path(tempfile.mkdtemp(prefix="fuzz-onnx-")) / "fuzzed.onnx"
    print(path, flush=True)
    rng, counts = random.Random(flags.seed), collections.Counter()
    whole = [case.content() for case in CASES.values()]
    end = time.process_time() + 60 * flags.minutes
    tracemalloc.start()
    while time.process_time() < end:
        path.write_bytes(damaged(rng.choice(whole), rng))
        tracemalloc.reset_peak()
        before, start = tracemalloc.get_traced_memory()[0], time.process_time()
        try:
            load_onnx(path, most_values=1 << 16)
            counts["read"] += 1
        except ValueError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error), repr(error)
            counts["refused"] += 1
        taken = tracemalloc.get_traced_memory()[1] - before
        assert taken <= MOST + 2 * path.stat().st_size, taken
        assert time.process_time() - start < PATIENCE, time.process_time() - start
    print(dict(counts))


if __name__ == "__main__":
    sys.exit(main())
