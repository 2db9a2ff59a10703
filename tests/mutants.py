"""Small wrong changes of the package, which the tests should notice. Run by hand; pytest does not collect it.

    python tests/mutants.py                    each of mutants_table.toml, until a test fails: hours
    python tests/mutants.py --only winograd    those whose name or file holds the text
    python tests/mutants.py --fast             only the tests that are nearest, and the mirrored folder

Each mutant is put into a copy of the tree, never into the tree itself. There the kernels it touches are built
again, and the tests run: the few files that name the changed file most often, then, if they pass, those of
the mirrored folder, then the others. A mutant whose old text is not there once any more is stale. The log
lets a campaign that was interrupted go on; it counts as long as neither the sources nor the tests change.

Exit status: 0 where all are found, 1 where some survive, 2 where some are stale or do not build.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TABLE, LOG = ROOT / "tests/mutants_table.toml", ROOT / "build/mutants.jsonl"
PATIENCE = 2  # a run may take so many times as long as all tests without a mutant
PYTEST = (sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-p", "no:cacheprovider")
BUILD = (sys.executable, "setup.py", "--quiet", "build_ext", "--inplace")
BUILT = (".pyx", ".pxd", ".h")
NEAR = {  # whose tests meet a folder of the package first, after its own
    "kernels": ("nn", "core"), "core": ("kernels", "nn", "runs"), "nn": ("kernels", "models"),
    "data": ("runs", "cli"), "train": ("runs", "cli"), "runs": ("cli", "train"), "report": ("cli", "runs"),
    "study": ("cli",), "bench": ("cli",), "cli": ("runs", "train"), "recipes": ("cli",),
}  # fmt: skip
NAMING, SLOW = 6, ("test_tutorial.py", "test_documents.py")  # files that are tried first; those never
FOUND, PASSED, NO_BUILD = "found", "survived", "no build"


@dataclass(frozen=True)
class Mutant:
    """One entry of the table."""

    name: str
    file: str
    felt: str
    old: str
    new: str

    @property
    def key(self):
        return hashlib.sha256(repr((self.file, self.old, self.new)).encode()).hexdigest()[:16]

    @property
    def stale(self):
        path = ROOT / self.file
        return not path.is_file() or path.read_text().count(self.old) != 1

    def apply(self, folder):
        """Put it into a copy of the tree and build what it touches; whether that worked."""
        path = folder / self.file
        path.write_text(path.read_text().replace(self.old, self.new, 1))
        if path.suffix not in BUILT:
            return True
        return subprocess.run(BUILD, cwd=folder, capture_output=True).returncode == 0

    @property
    def stages(self):
        """The tests in the order in which they run: of its name, of the mirrored folder, the others."""
        top, inner, *_ = (*Path(self.file).parts, "")
        room = Path(inner).stem if top == "cynet" else "build"
        tests = [path for path in (ROOT / "tests").iterdir() if path.is_dir() and [*path.glob("test_*.py")]]
        tests += (ROOT / "tests").glob("test_*.py")
        own = [path for path in tests if path.name in (room, f"test_{room}.py")]
        near = NEAR.get(room, ())
        others = [path for path in tests if path not in own]
        others.sort(key=lambda path: (near.index(path.name) if path.name in near else len(near), path.name))
        stages = self._naming(own), own, others
        return [[path.relative_to(ROOT).as_posix() for path in paths] for paths in stages if paths]

    def _naming(self, own):
        """The few files of tests that have the name of the changed file most often, those near it first."""
        word, counts = re.compile(rf"(?:\b|_){re.escape(Path(self.file).stem)}(?:\b|_)"), {}
        for path in (ROOT / "tests").rglob("test_*.py"):
            if path.name not in SLOW:
                found = len(word.findall(path.read_text())) + 20 * len(word.findall(path.stem))
                counts[path] = found * (3 if path in own or path.parent in own else 1)
        named = sorted((path for path in counts if counts[path]), key=lambda path: (-counts[path], path.name))
        return named[:NAMING]


class Campaign:
    """The mutants' runs, and the log of them.

    Parameters
    ----------
    scratch, log : Path
    fast : bool
    """

    def __init__(self, scratch, log, fast):
        self.scratch, self.log, self.fast = scratch, log, fast
        self.guard, self.running, self.stopped, self.copies = threading.RLock(), set(), False, 0
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        names = [name for name in os.fsdecode(listed).split("\0") if name and (ROOT / name).is_file()]
        whole = hashlib.sha256()  # of all that a result depends on
        for name in names:
            if not name.startswith("tests/mutants"):
                whole.update(f"{name}\0".encode() + hashlib.sha256((ROOT / name).read_bytes()).digest())
        self.tree, self.base, self.known = whole.hexdigest()[:16], scratch / "base/r", {}
        self._copy(names)
        log.parent.mkdir(parents=True, exist_ok=True)
        for entry in map(json.loads, log.read_text().splitlines() if log.exists() else ()):
            if entry["tree"] == self.tree:
                self.known[entry["mutant"], tuple(entry["tests"])] = entry

    def _copy(self, names):
        """A built copy of the tree, in a repository of its own: tests ask git what it knows."""
        for name in names:
            (self.base / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.base / name)
        if (ROOT / "build").is_dir():  # with the finished kernels
            leave = shutil.ignore_patterns("lib.*", "temp.*", self.log.name)
            shutil.copytree(ROOT / "build", self.base / "build", ignore=leave)
        git = ("git", "-c", "user.name=mutants", "-c", "user.email=mutants@localhost")
        for words in (BUILD, ("git", "init", "-q"), (*git, "add", "-A"), (*git, "commit", "-q", "-m", "All")):
            subprocess.run(words, cwd=self.base, check=True)

    def try_one(self, mutant):
        """(result, what found it) of a mutant, which is told in a line."""
        self.copies += 1
        folder = self.scratch / str(self.copies) / "r"
        try:
            result = self._result(mutant, folder)
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)
        print(f"{result[0]:<9} {mutant.name:<34} {result[1]}", flush=True)
        return result

    def _result(self, mutant, folder):
        for tests in mutant.stages[: 2 if self.fast else None]:
            entry = self.known.get((mutant.key, tuple(tests)))
            if entry is None:
                if not folder.exists():
                    shutil.copytree(self.base, folder, symlinks=True)
                    if not mutant.apply(folder):
                        return NO_BUILD, ""
                entry = self._run(mutant.key, mutant.name, folder, tests, PATIENCE * self.seconds)
            if entry["result"] != PASSED:
                return entry["result"], entry["by"]
        return PASSED, ""

    @cached_property
    def seconds(self):
        """How long all tests take without a mutant; they must pass then."""
        entry = self.known.get(("", ("tests",))) or self._run("", "no mutant", self.base, ["tests"])
        if entry["result"] != PASSED:
            raise SystemExit(f"without any mutant this fails: {entry['by']}")
        return entry["seconds"]

    def _run(self, key, name, folder, tests, limit=None):
        start = time.monotonic()
        result, by, chance = *self._tested(folder, tests, limit), []
        while key and "::" in by and by not in chance and not self._fails_again(folder, by, limit):
            chance.append(by)  # a test that fails now and then notices nothing
            deselected = [word for test in chance for word in ("--deselect", test)]
            result, by = self._tested(folder, [*tests, *deselected], limit)
        entry = {"tree": self.tree, "mutant": key, "name": name, "tests": tests, "result": result, "by": by}
        entry |= {"by chance": chance} if chance else {}
        entry["seconds"] = round(time.monotonic() - start, 1)
        with self.guard:
            self.known[key, tuple(tests)] = entry
            with open(self.log, "a") as file:
                file.write(json.dumps(entry) + "\n")
        return entry

    def _fails_again(self, folder, test, limit):
        return any(self._tested(folder, [test], limit)[0] == FOUND for _ in range(3))

    def _tested(self, folder, tests, limit):
        """(result, what found it) of tests in a copy of the tree."""
        temporary = folder.parent / "t"  # short: sockets lie in it
        temporary.mkdir()
        process = subprocess.Popen(
            [*PYTEST, *tests], cwd=folder, env=os.environ | {"TMPDIR": str(temporary)}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, errors="replace",
        )  # fmt: skip
        self.running.add(process)
        try:
            output = process.communicate(timeout=limit)[0]
        except subprocess.TimeoutExpired:
            return FOUND, f"no end within {limit:.0f} s"
        finally:
            end(process)
            self.running.discard(process)
            shutil.rmtree(temporary, ignore_errors=True)
        if self.stopped:
            raise SystemExit
        if process.returncode == 0:
            return PASSED, ""
        failed = re.findall(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", output, re.MULTILINE)
        if not failed and process.returncode in (4, 5) and "::" not in tests[0]:  # of pytest itself
            raise SystemExit(f"pytest gave {process.returncode}: {output[-2000:]}")
        return FOUND, failed[0] if failed else f"status {process.returncode}"

    def stop(self):
        """End all that runs."""
        self.stopped = True
        for process in list(self.running):
            end(process)


def end(process):
    """End a run of tests with all that it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="TEXT", default="", help="mutants whose name or file holds this")
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="mutants at once (default: 1)")
    parser.add_argument("--fast", action="store_true", help="only the nearest tests and the mirrored folder")
    parser.add_argument("--log", metavar="FILE", type=Path, default=LOG, help=f"default: {LOG}")
    flags = parser.parse_args()
    table = [Mutant(**entry) for entry in tomllib.loads(TABLE.read_text())["mutant"]]
    wanted = [mutant for mutant in table if flags.only in mutant.name or flags.only in mutant.file]
    stale = [mutant for mutant in wanted if mutant.stale]
    for mutant in stale:
        print(f"stale     {mutant.name:<34} {mutant.file}")
    fresh = [mutant for mutant in wanted if mutant not in stale]
    with tempfile.TemporaryDirectory(prefix="mut-", ignore_cleanup_errors=True) as scratch:
        campaign = Campaign(Path(scratch), flags.log.absolute(), flags.fast)
        print(f"all tests pass without a mutant, in {campaign.seconds:.0f} s", flush=True)
        pool = ThreadPoolExecutor(flags.jobs)
        try:
            results = dict(zip(fresh, pool.map(campaign.try_one, fresh), strict=True))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            campaign.stop()
    kinds = [result for result, _ in results.values()]
    found, survived, broken = (kinds.count(kind) for kind in (FOUND, PASSED, NO_BUILD))
    share = found / max(1, found + survived)
    print(f"found {found} of {found + survived} ({share:.1%}); {len(stale)} stale, {broken} do not build")
    for mutant, (result, _) in results.items():
        if result == PASSED:
            print(f"survivor  {mutant.name}, {mutant.file}: {mutant.felt}")
    return 2 if stale or broken else 1 if survived else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing is left running
    sys.exit(main())
