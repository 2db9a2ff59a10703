"""Lines by room, and whether the trunk is still small: works in any checkout, built or not.

python tools/size.py
"""

import fnmatch
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What trains by itself, with everything else deleted (tests/test_trunk.py does it). A pattern is a path from
# the root; its `*` goes through folders, too; one with a `!` before it takes away from those before it.
TRUNK = """
    cynet/__init__.py cynet/_version.py
    cynet/core/__init__.py cynet/core/_config.* cynet/core/_shared.* cynet/core/checks.py
    cynet/core/compiled.py cynet/core/hints.py cynet/core/processors.py cynet/core/random.py
    cynet/core/registry.py cynet/core/sealed.py cynet/core/threads.py cynet/core/turns.py
    cynet/core/types.py cynet/core/workspace.*
    cynet/kernels/* !cynet/kernels/conv/columns.py !cynet/kernels/conv/im2col.*
    !cynet/kernels/loss/error_sums.*
    !cynet/kernels/conv/winograd* !cynet/kernels/conv/thin* !cynet/kernels/conv/depthwise*
    !cynet/kernels/resize/* !cynet/kernels/conv/transposed.py !cynet/kernels/recurrent/*
    !cynet/kernels/norm/group_norm* !cynet/kernels/norm/layer_norm* !cynet/kernels/norm/sample*
    !cynet/kernels/norm/single_steps.py !cynet/kernels/norm/joined.*
    !cynet/kernels/norm/batchnorm_pool* !cynet/kernels/conv/bordered.py
    !cynet/kernels/conv/few* !cynet/kernels/conv/pointwise* !cynet/kernels/conv/banded*
    !cynet/kernels/conv/raised.py !cynet/kernels/conv/piecewise.py !cynet/kernels/conv/planes*
    !cynet/kernels/pointwise/curves.h !cynet/kernels/pointwise/other_activation*
    !cynet/kernels/pointwise/prelu* !cynet/kernels/pointwise/scaling* !cynet/kernels/pointwise/slopes*
    !cynet/kernels/pointwise/factors.py
    cynet/nn/* !cynet/nn/elementwise_losses.py !cynet/nn/sequence_loss.py !cynet/nn/spec.py
    !cynet/nn/squared_loss.py !cynet/nn/stepping.py
    !cynet/nn/symbols.py !cynet/nn/compile/* !cynet/nn/activity.py !cynet/nn/gradients.py !cynet/nn/summary.py
    !cynet/nn/containers/concat.py !cynet/nn/containers/graph.py !cynet/nn/containers/residual.py
    !cynet/nn/layers/* cynet/nn/layers/__init__.py cynet/nn/layers/batch_norm.py
    cynet/nn/layers/conv2d.py cynet/nn/layers/convolution.py cynet/nn/layers/flatten.py
    cynet/nn/layers/leaky_relu.py cynet/nn/layers/linear.py cynet/nn/layers/max_pool2d.py
    cynet/nn/layers/pool2d.py cynet/nn/layers/relu.py
    cynet/optim/* !cynet/optim/adam.py !cynet/optim/choosing.py !cynet/optim/lookahead.py
    !cynet/optim/schedules.py
    cynet/models/__init__.py cynet/models/blocks.py cynet/models/course.py cynet/models/registry.py
    cynet/train/__init__.py cynet/train/metrics.py cynet/train/trainer.py
"""
CEILING = 3000  # lines of the trunk's Python
PYTHON, COMPILED = (".py",), (".pyx", ".pxd", ".h")
OUTSIDE = "tests", "tools"  # rooms beside the package
NOTE = "Lines are those that hold code: no blank lines, no comments, no docstrings."
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


def in_trunk(path):
    """Whether a path, relative to the root, is one of the trunk's."""
    name, found = path.as_posix(), False
    for pattern in TRUNK.split():
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!")):
            found = not pattern.startswith("!")
    return found


def sources(*rooms):
    """The source files below some folders of the root, as paths relative to it, in order."""
    found = (path.relative_to(ROOT) for room in rooms for path in (ROOT / room).rglob("*"))
    return sorted(path for path in found if path.suffix in PYTHON + COMPILED)


def lines(path):
    """How many lines of a file, whose path is relative to the root, hold code."""
    text = (ROOT / path).read_text()
    if path.suffix == ".h":
        plain = C_COMMENT.sub(lambda found: "\n" * found[0].count("\n"), text)
        return sum(bool(line.strip()) for line in plain.splitlines())
    return len(_code(text))


def _code(text):
    """The numbers of the lines with a token of a statement that is more than a string.

    Cython's `cdef extern from *` is followed by a string that is C: it counts, without what is blank in it.
    """
    found, alone, verbatim = set(), True, False  # alone: at the beginning of a statement
    tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    for token, after in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in SILENT:
            alone = alone or token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            continue
        if not (alone and token.type == tokenize.STRING and after.type == tokenize.NEWLINE):
            found.update(range(token.start[0], token.end[0] + 1))
        elif verbatim:
            found.update(
                n for n, line in enumerate(token.string.splitlines(), token.start[0]) if line.strip()
            )
        alone, verbatim = False, token.line.lstrip().startswith("cdef extern from *")
    return found


def main():
    """Print the table, and the trunk's lines last."""
    rooms, trunk = {}, [0, 0]
    for path in sources("cynet", *OUTSIDE):
        parts = path.parts
        room = parts[0] if parts[0] in OUTSIDE else "/".join(parts[:2]) if len(parts) > 2 else "cynet/*.py"
        size = lines(path)
        compiled = path.suffix in COMPILED
        row = rooms.setdefault(room, [0, 0, 0, 0])
        row[0] += 1
        row[1 + compiled] += size
        if in_trunk(path):
            row[3] += size
            trunk[compiled] += size
    rows = [*rooms.items(), ("all", [sum(column) for column in zip(*rooms.values(), strict=True)])]
    print(f"{'room':<16}{'files':>8}{'Python':>10}{'Cython, C':>12}{'of the trunk':>15}")
    for room, (files, python, compiled, within) in rows:
        print(f"{room:<16}{files:>8,}{python:>10,}{compiled:>12,}{within:>15,}")
    print(f"\n{NOTE}\nThe trunk trains by itself; its Python has at most {CEILING:,} lines.")
    print(f"trunk: {trunk[0]} lines of Python, {trunk[1]} of Cython and C")


if __name__ == "__main__":
    main()
