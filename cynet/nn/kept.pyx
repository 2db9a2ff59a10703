"""What every layer does at every pass, compiled: it keeps what its backward needs, and finds it again.

Design: of a step of a small net, Python is the largest part. So what each layer asks at each pass is asked here: what
holds nearly always, in few instructions. Where it does not hold, the words are Python's (`Parameter.require`, `require_whole`).
"""

import threading
from threading import get_ident

import cython
import numpy as np

from cynet.core.checks import flag
from cynet.core.turns import refuse_anothers

cdef object FLOAT = np.dtype(np.float32)
NONE = np.empty(0, np.float32)  # what kernels take in place of an array that is not there


class Mode(threading.local):
    """What a thread is in the middle of."""

    grad_enabled = True
    layer_by_layer = False
    around = None  # the pass of the container, or user's layer, that runs
    spared = False  # whether nobody wants the gradient to the input of the layer whose backward comes next
    tell = None  # called with each layer, or step, of a container whose backward came to its end
    statistics = None  # takes the statistics of batch norm in training, in the place of each layer
    by_turns = False  # whether other threads, one at a time, have passes of the same net under way


cdef object thread_mode = Mode()
mode = thread_mode


cdef class Pass:
    """A forward pass of a layer, which one `backward` may follow.

    Attributes
    ----------
    layer : Layer
    """

    cdef public object layer, thread
    cdef public list kept, inner
    cdef public bint followed, spared

    def __init__(self, layer):
        self.layer, self.kept, self.inner = layer, [], []

    def backward(self, *dys):
        """`layer.backward(*dys)` after this pass, whatever passes the layer has made since.

        Parameters
        ----------
        *dys : ndarray of float32
            Of the output's shape, or of those of several.

        Returns
        -------
        ndarray of float32, or a tuple of them
            The gradient to the input; those of the parameters are added to what is there.

        Raises
        ------
        RuntimeError
            When a backward has followed it already, or weights were assigned or loaded since.
        """
        if self.followed:
            name = type(self.layer).__name__
            raise RuntimeError(f"{name}: wanted a pass to follow, got one that was followed")
        self.followed = True
        if self.layer._last is self:
            self.layer._last = None
        cdef Pass alone = Pass(None)
        before = thread_mode.around
        alone.inner.append(self)
        thread_mode.around = alone
        try:
            return self.layer.backward(*dys)
        finally:
            thread_mode.around = before

    def backward_spared(self, *dys):
        """`backward` for the sake of the parameters alone."""
        before, thread_mode.spared = thread_mode.spared, True
        try:
            self.backward(*dys)
        finally:
            thread_mode.spared = before

    def __repr__(self):
        return f"<Pass of {type(self.layer).__name__}{', followed' if self.followed else ''}>"


cpdef keep(Pass made, Pass around):
    """Let a pass that was made be found: by the one around it, or else by its layer."""
    if around is not None:
        around.inner.append(made)
        return
    layer, this = made.layer, get_ident()
    threads = layer._made
    if threads is None:
        threads = vars(layer).setdefault("_made", set())  # another thread may just do it
    threads.add(this)
    made.thread = this
    layer._last = made


cpdef drop(layer):
    """Forget the last pass of a layer, if it is this thread's: another's may be in use."""
    last = layer._last
    if last is not None and last.thread == get_ident():
        layer._last = None


cpdef take(layer):
    """The pass that the backward of a layer follows now, for this once; None where there is none.

    Raises
    ------
    RuntimeError
        When the layer's last pass is another thread's, and this thread's own was replaced by it.
    """
    cdef Pass around = thread_mode.around, made
    cdef Py_ssize_t i
    if around is not None:
        for i in range(len(around.inner) - 1, -1, -1):
            made = around.inner[i]
            if made.layer is layer:
                return around.inner.pop(i)
        return None
    made = layer._last
    if made is not None:
        if made.thread != get_ident():
            refuse_anothers(type(layer).__name__, made.thread, layer._made)
        layer._last, made.followed = None, True
        layer._made.discard(made.thread)
    return made


def save(self, *values):
    """Keep `values` for `backward`, unless inside `no_grad`."""
    cdef Pass around, made
    if not thread_mode.grad_enabled:
        drop(self)
        return
    around = thread_mode.around
    if around is not None and around.layer is self:
        around.kept.append(values)
        return
    made = Pass(self)
    made.kept.append(values)
    keep(made, around)


def saved(self):
    """What `save` kept, once: a second backward needs a second forward."""
    cdef Pass around = thread_mode.around, made = None
    if around is not None and around.inner:
        made = around.inner[len(around.inner) - 1]
        if made.layer is self:  # most often
            around.inner.pop()
        else:
            made = None
    if made is None:
        made = around if around is not None and around.layer is self else take(self)
    if made is None or not made.kept:
        raise none_left(self)
    return made.kept.pop()


def none_left(layer):
    """The RuntimeError for a backward without a pass to follow."""
    around = thread_mode.around
    where = f" in that of {type(around.layer).__name__}" if around is not None and around.layer else ""
    return RuntimeError(
        f"{type(layer).__name__}.backward: wanted a forward pass before it (outside no_grad){where}, got none"
    )


@cython.auto_pickle(False)
cdef class Valued:
    """What a `Parameter` consists of."""

    cdef public object _data, _grad
    cdef public object _shape  # which others may set in place, of both arrays
    cdef public object version
    cdef public object _requires_grad
    cdef public object name

    @property
    def data(self):
        """The values, float32; what is assigned is copied into the same memory."""
        return self._data

    @data.setter
    def data(self, value):
        """Copied into the same memory."""
        self._assign(self._data, value, "data")
        self.version += 1

    @property
    def grad(self):
        """The sum of the gradients since `zero_grad`, float32 of the same shape."""
        return self._grad

    @grad.setter
    def grad(self, value):
        """Copied into the same memory."""
        self._assign(self._grad, value, "grad")

    @property
    def requires_grad(self):
        """Whether it is trained."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value):
        """Whether it is to be trained."""
        self._freeze(not flag("requires_grad", value))

    cdef bint whole(self):
        """Whether shape and dtype of the arrays are what they were made with."""
        return (
            self._data.dtype is FLOAT and self._grad.dtype is FLOAT
            and self._data.shape == self._shape and self._grad.shape == self._shape
        )


def value(str name, parameter, tuple shape):
    """The array of a layer's parameter, which may have been set.

    Raises
    ------
    TypeError, ValueError
        When it is none, or has another shape, or dtype, than the layer needs.
    """
    if not isinstance(parameter, Valued):
        raise TypeError(f"{name}: wanted a parameter of shape {shape}, got {parameter!r:.80}")
    data = (<Valued>parameter)._data
    if data.shape != shape or data.dtype is not FLOAT:
        parameter.require(shape, name)
    return data


cdef class Held:
    """The weight and the bias that a pass was made with, either of which may be None, as they were then."""

    cdef readonly Valued weight, bias
    cdef object of_weight, of_bias  # their versions

    def __init__(self, Valued weight, Valued bias):
        self.weight, self.bias = weight, bias
        self.of_weight = None if weight is None else weight.version
        self.of_bias = None if bias is None else bias.version

    def refuse_others(self, layer):
        """Raise an error where those of the layer are not these any more.

        Raises
        ------
        ValueError
            Where another one stands under a name, or shape or dtype was set in place.
        RuntimeError
            Where other values were assigned, or loaded: activations and weights would not belong together.
        """
        refuse_another("weight", layer.weight, self.weight, self.of_weight)
        refuse_another("bias", layer.bias, self.bias, self.of_bias)


cpdef refuse_another(str name, now, Valued then, version):
    """As `Held.refuse_others`, of one parameter, which may be None."""
    if now is not then:
        wanted = "None, as" if then is None else f"a parameter of shape {then._data.shape}, that"
        raise ValueError(f"{name}: wanted {wanted} of the forward pass, got {now!r:.80}")
    if then is not None:
        if not then.whole():
            then.require_whole(name)
        if then.version != version:
            raise RuntimeError(
                f"{name}: wanted the values of the forward pass, got others that were assigned or loaded "
                "since; make that pass again"
            )


def data_of(Valued parameter):
    """The array of a parameter, or `NONE` where there is none."""
    return NONE if parameter is None else parameter._data


def grad_of(Valued parameter):
    """The gradient that a pass adds to, or `NONE` where there is no parameter, or it is not trained."""
    return parameter._grad if parameter is not None and parameter._requires_grad else NONE
