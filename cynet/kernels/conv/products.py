"""The three products of a layer with weights: what all ways to compute them share."""

from cynet.core import checks, workspace
from cynet.core.threads import team
from cynet.kernels.pointwise import arrays, elementwise


class Products:
    """Forward pass, gradient to the input and gradient of the weights, for one shape of input.

    A subclass defines `_forward`, `_input_gradient` and `_weight_gradient`. Here the shapes of all arrays are
    compared, so that loops can trust them, and what is returned is made.

    Parameters
    ----------
    in_shape, out_shape, weight_shape : tuple of int
    work : int
        Multiply-adds, by which threads are counted (`core.threads.team`): more than there are where each
        takes longer than in a register block.

    Attributes
    ----------
    fuses : frozenset of str
        What is done while the output is written, without another pass over memory: "added" by
        `input_gradient`.
    """

    fuses = frozenset()

    def __init__(self, in_shape, out_shape, weight_shape, work):
        self.in_shape, self.out_shape, self.weight_shape, self.work = in_shape, out_shape, weight_shape, work

    def _forward(self, x, w, bias, y, threads):
        """Write y; the bias may be None."""
        raise NotImplementedError

    def _input_gradient(self, dy, w, dx, threads, added):
        """Write dx; `added` is None unless it is fused."""
        raise NotImplementedError

    def _weight_gradient(self, x, dy, dw, threads):
        """Add to dw."""
        raise NotImplementedError

    def forward(self, x, w, bias=None):
        """y, a new array of out_shape, of x (in_shape), w (weight_shape) and bias (outputs,).

        Raises
        ------
        ValueError
            Here and below: when an array has another shape.
        """
        if x.shape != self.in_shape or w.shape != self.weight_shape:
            checks.shapes("x weight.data", (x.shape, w.shape), (self.in_shape, self.weight_shape))
        y = workspace.empty(self.out_shape)
        self._forward(x, w, bias, y, team(self.work))
        return y

    def input_gradient(self, dy, w, added=None):
        """dx, a new array of in_shape, of dy (out_shape) and w, plus `added` (in_shape)."""
        if dy.shape != self.out_shape or w.shape != self.weight_shape:
            checks.shapes("dy weight.data", (dy.shape, w.shape), (self.out_shape, self.weight_shape))
        dx, threads = workspace.empty(self.in_shape), team(self.work)
        if added is None:
            self._input_gradient(dy, w, dx, threads, None)
        elif "added" in self.fuses:
            self._input_gradient(dy, w, dx, threads, arrays.matched(added, dx))
        else:
            self._input_gradient(dy, w, dx, threads, None)
            elementwise.add(dx.reshape(-1), arrays.matched(added, dx).reshape(-1), dx.reshape(-1), threads)
        return dx

    def gradients(self, x, dy, w, dw, wants_dx=True, added=None):
        """As `weight_gradient`, unless dw is None, then what `input_gradient` returns, or None."""
        if dw is not None:
            self.weight_gradient(x, dy, dw)
        return self.input_gradient(dy, w, added) if wants_dx else None

    def weight_gradient(self, x, dy, dw):
        """Add the gradient, of x and dy, to dw (weight_shape)."""
        if x.shape != self.in_shape or dy.shape != self.out_shape or dw.shape != self.weight_shape:
            checks.shapes(
                "x dy weight.grad", (x.shape, dy.shape, dw.shape),
                (self.in_shape, self.out_shape, self.weight_shape),
            )  # fmt: skip
        self._weight_gradient(x, dy, dw, team(self.work))
