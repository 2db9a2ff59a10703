"""One recurrent layer over sequences: its passes, of which there is a class for each kind.

Design: the products with the inputs of all time steps are one product, before the steps; so are, after the
steps back, the gradient to the inputs and those of the weights. What backward needs of each step lies in one
array, (batch, length, 4 hidden), in which it then writes the gradients: nothing else of that size is ever
there.
"""

import numpy as np

from cynet.core import workspace
from cynet.core.threads import team
from cynet.kernels.norm.normalization import add_channel_sums

from . import gru_loops, lstm_loops, products, steps

KEPT = 4  # numbers a unit and step that backward needs


class Recurrence:
    """A forward pass over x float32 (batch, length, inputs), and the way back.

    Parameters
    ----------
    x : ndarray of float32
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

    def __init__(self, x, weights, start):
        self.x, self.start = x, start
        self.weight_ih, self.weight_hh, *_ = weights
        self.hidden = hidden = self.weight_hh.shape[1]
        batch, length, _ = x.shape
        self.y = workspace.empty((batch, length, hidden))
        self.kept = workspace.empty((batch, length, KEPT * hidden))
        if self.y.size:
            products.multiply(self._rows(x), self.weight_ih.T, self._gates(0, self.gates))
            self._forward(*weights[2:])

    @staticmethod
    def _rows(array):
        return array.reshape(-1, array.shape[-1])

    def _gates(self, first, end):
        """Some of the numbers of each step that are kept, as rows."""
        return self._rows(self.kept)[:, first * self.hidden : end * self.hidden]

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

    def gradients(self, dy, grads, wants_dx):
        """Add to the parameters' gradients, in the order of `weights`, but to empty ones; dx or None."""
        dx = workspace.empty(self.x.shape) if wants_dx else None
        if not dy.size:
            if wants_dx:
                dx.fill(0)
            return dx
        threads = self._threads()
        self._backward(dy, products.packed(self.weight_hh, threads), threads)
        self._add(*grads)
        if wants_dx:
            products.multiply(self._gates(0, self.gates), self.weight_ih, self._rows(dx))
        return dx

    def _add(self, weight_ih, weight_hh, bias_ih, bias_hh):
        if weight_ih.size:
            products.add_sums(self._gates(0, self.gates), self._rows(self.x), weight_ih)
        if weight_hh.size:
            before = self._before()
            for gates, rows in self._of_state():
                products.add_sums(self._gates(*gates), before, weight_hh[self._of_units(rows)])
        if bias_ih.size or bias_hh.size:
            sums = np.zeros(KEPT * self.hidden, np.float32)
            add_channel_sums(self._rows(self.kept), sums)
            if bias_ih.size:
                bias_ih += sums[: self.gates * self.hidden]
            for gates, rows in self._of_state() if bias_hh.size else ():
                bias_hh[self._of_units(rows)] += sums[self._of_units(gates)]

    def _of_units(self, gates):
        return slice(gates[0] * self.hidden, gates[1] * self.hidden)

    def _before(self):
        """The state before each step, as rows."""
        before = workspace.empty(self.y.shape)
        before[:, 0], before[:, 1:] = self.start[0], self.y[:, :-1]
        return self._rows(before)


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
