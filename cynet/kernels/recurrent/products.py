"""Products of a batch of all time steps with weights, and what the weights' gradients sum over it."""

from cynet.core import workspace
from cynet.core.threads import team

from . import matrix


def packed(weight, threads):
    """A (terms, lanes) matrix, of any strides, as `rows_product` takes it."""
    found = workspace.empty((matrix.packed_floats(*weight.shape),))
    matrix.pack(weight, found, threads)
    return found


def multiply(a, weight, out, add=False):
    """out = a weight, or out += a weight: float32 (rows, terms) and (terms, lanes), each row in one piece."""
    if not out.size:
        return
    threads = team(a.size * weight.shape[1])
    scratch = workspace.empty((matrix.row_scratch(threads),))
    matrix.rows_product(a, packed(weight, threads), out, add, scratch, threads)


def add_sums(a, b, out):
    """out += a^T b, float32 (rows, outputs) and (rows, inputs): the gradient of weights (outputs, inputs)."""
    if a.size and b.size:
        threads = team(a.size * b.shape[1])
        matrix.add_sums(a, b, out, workspace.empty((matrix.sum_scratch(threads),)), threads)
