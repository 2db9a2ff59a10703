"""One recurrent layer over sequences: its passes, of which there is a class for each kind.

Design: the products with the inputs of all time steps are one product, before the steps; so are, after the
steps back, the gradient to the inputs and those of the weights. What backward needs of each step lies in one
array, (batch, length, 4 hidden), in which it then writes the gradients: nothing else of that size is ever
there.
"""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import get_num_threads, team
from cynet.kernels.norm.normalization import add_channel_sums

from . import embedding, gru_loops, lstm_loops, products, steps

NONE = np.empty(0, np.float32)
PIECE = 4096  # steps whose states are copied at a time
KEPT = 4  # numbers a unit and step that backward needs


class Inputs:
    """The inputs of all time steps, x float32 (batch, length, inputs), and their products."""

    def __init__(self, x):
        self.x = x
        self.batch, self.length, _ = x.shape

    def multiply(self, weight, out):
        """out = x weight^T, as rows."""
        products.multiply(rows_of(self.x), weight.T, out)

    def gradients(self, sums, weight, weight_grad, wants_dx, _):
        """Of the gradients to those products: add that of the weights, unless it is empty; dx, or None."""
        if weight_grad.size:
            products.add_sums(sums, rows_of(self.x), weight_grad)
        if not wants_dx:
            return None
        dx = workspace.empty(self.x.shape)
        products.multiply(sums, weight, rows_of(dx))
        return dx


class Embedded:
    """The inputs of all time steps, rows of a table by their numbers, and their products.

    Design: where the table is small, its own products are all there is to compute, and the gradients to them
    are summed by number before they are multiplied.

    Parameters
    ----------
    numbers : ndarray of int64 (batch * length,)
    shape : tuple of int
        (batch, length).
    table : ndarray of float32 (count, inputs)
    """

    def __init__(self, numbers, shape, table):
        self.numbers, self.table = numbers, table
        self.batch, self.length = shape
        self.small = 2 * len(table) <= len(numbers)

    def _taken(self):
        """The rows of the table, one after another."""
        rows = workspace.empty((len(self.numbers), self.table.shape[1]))
        embedding.rows(self.numbers, self.table, rows, get_num_threads())
        return rows

    def multiply(self, weight, out):
        """As of `Inputs`."""
        if not self.small:
            products.multiply(self._taken(), weight.T, out)
            return
        of_table = workspace.empty((len(self.table), len(weight)))
        products.multiply(self.table, weight.T, of_table)
        embedding.rows(self.numbers, of_table, out, get_num_threads())

    def gradients(self, sums, weight, weight_grad, wants_dx, table_grad):
        """As of `Inputs`; there is no dx, but the gradient of the table, unless it is empty."""
        if self.small:
            by_number = workspace.zeros((len(self.table), len(weight)))
            embedding.add_rows(self.numbers, sums, by_number, get_num_threads())
            if weight_grad.size:
                products.add_sums(by_number, self.table, weight_grad)
            if table_grad.size:
                products.multiply(by_number, weight, table_grad, add=True)
            return None
        if weight_grad.size:
            products.add_sums(sums, self._taken(), weight_grad)
        if table_grad.size:
            dx = workspace.empty((len(self.numbers), self.table.shape[1]))
            products.multiply(sums, weight, dx)
            embedding.add_rows(self.numbers, dx, table_grad, get_num_threads())
        return None


def rows_of(array):
    """(rows, width) of an array of more dimensions."""
    return array.reshape(-1, array.shape[-1])


class Recurrence:
    """A forward pass over sequences, and the way back.

    Parameters
    ----------
    inputs : Inputs or Embedded
    weights : tuple of ndarray of float32
        weight_ih (gates * hidden, inputs), weight_hh (gates * hidden, hidden), bias_ih and bias_hh (gates *
        hidden,), in PyTorch's order of gates.
    start : tuple of ndarray of float32 (batch, hidden)
        The state before the first step.

    Attributes
    ----------
    y : ndarray of float32 (batch, length, hidden)
    """

    gates = 0  # of a unit

    def __init__(self, inputs, weights, start):
        self.inputs, self.start = inputs, start
        self.weight_ih, self.weight_hh, *_ = weights
        self.hidden = hidden = self.weight_hh.shape[1]
        batch, length = inputs.batch, inputs.length
        self.y = workspace.empty((batch, length, hidden))
        self.kept = workspace.empty((batch, length, KEPT * hidden))
        if self.y.size:
            inputs.multiply(self.weight_ih, self._gates(0, self.gates))
            with np.errstate(all="ignore"):  # of a training that diverges: infinite and NaN are the answer
                self._forward(*weights[2:])

    def _gates(self, first, end):
        """Some of the numbers of each step that are kept, as rows."""
        return rows_of(self.kept)[:, first * self.hidden : end * self.hidden]

    def _threads(self):
        """Asked for at each pass: between forward and backward the number may change, or a fork may lie."""
        return team(self.y.size * self.hidden * self.gates)

    def _packed(self, first):
        """The weights of the state and what the sums begin with, as `forward` of the loops takes them."""
        size = self.gates * steps.units_padded(self.hidden)
        packed, firsts = workspace.empty((size * self.hidden,)), workspace.empty((size,))
        steps.pack(self.weight_hh, first, packed, firsts, self.gates)
        return packed, firsts

    def _scratch(self, loops, threads):
        return workspace.empty((loops.scratch_floats(len(self.y), self.hidden, threads),))

    def last(self):
        """The state after the last step, in new arrays."""
        if not self.y.size:
            return tuple(start.copy() for start in self.start)
        return tuple(of_steps[:, -1].copy() for of_steps in self._states())

    def gradients(self, dy, grads, wants_dx, table_grad=None):
        """Add to the parameters' gradients, in the order of `weights`, but to empty ones; dx or None.

        `table_grad`: what that of a table of inputs is added to, where there is one.
        """
        if not dy.size:
            return self.inputs.gradients(self._gates(0, self.gates), self.weight_ih, NONE, wants_dx, NONE)
        threads = self._threads()
        self._backward(dy, products.packed(self.weight_hh, threads), threads)
        with np.errstate(all="ignore"):
            self._add(*grads[1:])
        given = self._gates(0, self.gates), self.weight_ih, grads[0], wants_dx, table_grad
        return self.inputs.gradients(*given)

    def _add(self, weight_hh, bias_ih, bias_hh):
        if weight_hh.size:
            for first in range(0, len(self.y), max(1, PIECE // self.y.shape[1])):
                before, at = self._before(first)
                for gates, rows in self._of_state():
                    products.add_sums(self._gates(*gates)[at], before, weight_hh[self._of_units(rows)])
        if bias_ih.size or bias_hh.size:
            sums = np.zeros(KEPT * self.hidden, np.float32)
            add_channel_sums(rows_of(self.kept), sums)
            if bias_ih.size:
                bias_ih += sums[: self.gates * self.hidden]
            for gates, rows in self._of_state() if bias_hh.size else ():
                bias_hh[self._of_units(rows)] += sums[self._of_units(gates)]

    def _of_units(self, gates):
        return slice(gates[0] * self.hidden, gates[1] * self.hidden)

    def _before(self, first):
        """(the state before each step of some sequences, as rows, which rows these are of all)."""
        length = self.y.shape[1]
        y = self.y[first : first + max(1, PIECE // length)]
        before = workspace.empty(y.shape)
        before[:, 0], before[:, 1:] = self.start[0][first : first + len(y)], y[:, :-1]
        return rows_of(before), slice(first * length, (first + len(y)) * length)


class GRUPass(Recurrence):
    """Of gated recurrent units: r, z, n; beside them what n takes of the state."""

    gates = 3

    def _states(self):
        return (self.y,)

    def _of_state(self):
        """(which of the kept numbers, which gates of weight_hh they are of)."""
        return ((0, 2), (0, 2)), ((3, 4), (2, 3))

    def _forward(self, bias_ih, bias_hh):
        hidden, threads = self.hidden, self._threads()
        first = bias_hh.copy()
        first[: 2 * hidden] += bias_ih[: 2 * hidden]
        given = *self._packed(first), bias_ih[2 * hidden :]
        scratch = self._scratch(gru_loops, threads)
        gru_loops.forward(self.kept, self.start[0], *given, self.y, scratch, threads)

    def _backward(self, dy, packed, threads):
        scratch = self._scratch(gru_loops, threads)
        gru_loops.backward(self.kept, self.start[0], self.y, dy, packed, scratch, threads)


class LSTMPass(Recurrence):
    """Of long short-term memory: i, f, g, o; beside them the cells."""

    gates = 4

    def _states(self):
        return self.y, self.cells

    def _of_state(self):
        return (((0, 4), (0, 4)),)

    def _forward(self, bias_ih, bias_hh):
        threads = self._threads()
        self.cells = workspace.empty(self.y.shape)
        given = self.kept, *self.start, *self._packed(bias_ih + bias_hh), self.cells, self.y
        lstm_loops.forward(*given, self._scratch(lstm_loops, threads), threads)

    def _backward(self, dy, packed, threads):
        scratch = self._scratch(lstm_loops, threads)
        lstm_loops.backward(self.kept, self.start[1], self.cells, dy, packed, scratch, threads)
