"""BatchNorm2d and BatchNorm1d: batch normalisation of channels.

Ioffe and Szegedy (2015), "Batch normalization: accelerating deep network training".
"""

from typing import Any, Literal

import numpy as np

from cynet.core import checks
from cynet.core.checks import INT64, is_plain
from cynet.core.types import AnyArray, Array, Shape
from cynet.kernels.norm import normalization
from cynet.nn import init, registry
from cynet.nn.layer import Layer, answers, asked
from cynet.nn.parameter import NONE, Held, Parameter, data_of, grad_of, value
from cynet.nn.passes import mode

NO_SUMS = np.empty((0, 2, 0))
SOME = 2**31  # batches, which fit into any counter that is looked at no closer


class _BatchNorm(Layer):
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    dimensions: tuple[int, ...] = ()
    wanted = ""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool | Literal["bias"] = True,
    ) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        init.room(4, self._settings()[0])
        shift = isinstance(affine, str)
        if affine != "bias" if shift else not isinstance(affine, (bool, np.bool_)):
            raise TypeError(f'affine: wanted True, False or "bias", got {affine!r}')
        self.weight = Parameter(np.ones(num_features)) if affine and not shift else None
        self.bias = Parameter(np.zeros(num_features)) if affine else None
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)
        self.num_batches_tracked = np.zeros((), np.int64)

    @property
    def affine(self) -> bool | Literal["bias"]:
        """Whether there are a scale and a shift; "bias": a shift alone."""
        return self.weight is not None or ("bias" if self.bias is not None else False)

    def _settings(self) -> tuple[int, float, float]:
        """(channels, eps, momentum), checked: they may have been set."""
        channels = checks.integer("num_features", self.num_features, 1)
        eps = checks.number("eps", self.eps, 0, open_low=True)
        return channels, eps, checks.number("momentum", self.momentum, 0, 1)

    def output_shape(self, shape: Shape) -> Shape:
        return self._taken(shape, self.settled()[0])

    def _taken(self, shape: Shape, channels: int) -> Shape:
        """The shape, if it is one of inputs."""
        if len(shape) not in self.dimensions or shape[-1] != channels:
            raise ValueError(f"wanted {self.wanted.format(channels)}, got {shape}")
        return shape

    def settled(self) -> tuple[int, float, float]:
        """`_settings`, looked at anew when one was set."""
        question = self.num_features, self.eps, self.momentum
        known = self._worked_out  # once: another thread may set it
        if not answers(known, question):
            self._worked_out = known = asked(question), self._settings()
        return known[1]

    def forward(self, x: Array) -> Array:
        stats = self.statistics(x)
        self.save(x.shape, stats)
        return stats.output().reshape(x.shape)

    def statistics(self, x: Array) -> Any:
        """The `normalization.NormPass` over x: its statistics are taken, and the running ones moved."""
        channels, eps, momentum = self.settled()
        self._taken(x.shape, channels)  # refuses what __call__ may not have seen
        rows = x.reshape(-1, channels)
        arrays = self._arrays(channels)
        training = self._trains()
        if training:
            if len(rows) < 2:
                raise ValueError(
                    f"{self!r}: wanted more than 1 value per channel in training mode, got input {x.shape}"
                )
            if mode.statistics is not None:
                return mode.statistics.taken(self, rows, arrays[:2], eps)
            self.count()
        stats = normalization.NormPass.of(rows, *arrays, eps, momentum, training)
        stats.held = Held(self.weight, self.bias)
        return stats

    def count(self) -> None:
        """Count a batch in `num_batches_tracked`."""
        count = self.num_batches_tracked
        if type(count) is np.ndarray and count.dtype is INT64 and count.ndim == 0 and count.flags.carray:
            before = count.item()
            if before < SOME:  # most often
                count[()] = before + 1
                return
        if not (isinstance(count, np.ndarray) and count.shape == () and count.dtype.kind in "iu"):
            raise ValueError(f"num_batches_tracked: wanted an integer array of shape (), got {count!r:.80}")
        if not count.flags.writeable:
            raise ValueError("num_batches_tracked: wanted an array that can be written, got a read-only one")
        before, most = count.item(), 2 ** (8 * count.itemsize - (count.dtype.kind == "i")) - 1
        if before == most:
            raise ValueError(f"num_batches_tracked: wanted less than {most} in {count.dtype}, got {count}")
        count[()] = before + 1

    def values(self) -> tuple[AnyArray, ...]:
        """Weight, bias (or nothing), running statistics, which may have been set: an error if amiss."""
        return self._arrays(self.settled()[0])

    def _arrays(self, channels: int) -> tuple[AnyArray, ...]:
        weight, bias, wanted = NONE, NONE, (channels,)
        mean, variance = self.running_mean, self.running_var
        if self.weight is not None:
            weight = value("weight", self.weight, wanted)
        if not (self.weight is self.bias is None):
            bias = value("bias", self.bias, wanted)
        if is_plain(mean) and is_plain(variance) and mean.shape == variance.shape == wanted:  # most often
            return weight, bias, mean, variance
        for name, array in (("running_mean", mean), ("running_var", variance)):
            if not (isinstance(array, np.ndarray) and array.dtype == np.float32 and array.shape == wanted):
                got = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else repr(array)
                raise ValueError(f"{name}: wanted a float32 array of shape {wanted}, got {got:.80}")
            flags = array.flags
            if not (flags.c_contiguous and flags.aligned):
                raise ValueError(f"{name}: wanted a contiguous, aligned array, got another")
            if not flags.writeable and self._trains():
                raise ValueError(f"{name}: wanted an array that can be written, got a read-only one")
        return weight, bias, mean, variance

    def backward(self, dy: Array) -> Array | None:
        shape, stats = self.saved()
        rows, wants_dx = self.gradient(dy, shape).reshape(stats.x.shape), self._wants_dx()
        if self.wants_sums(stats, wants_dx):
            self.finish(stats, stats.sums(rows))
        return stats.input_gradient(rows).reshape(shape) if wants_dx else None

    def wants_sums(self, stats: Any, wants_dx: bool) -> bool:
        """Whether backward needs the sums over rows; where not, it is made ready."""
        held = stats.held
        held.refuse_others(self)
        if (stats.of_batch and wants_dx) or grad_of(held.weight).size or grad_of(held.bias).size:
            return True
        self.finish(stats, NO_SUMS)
        return False

    @staticmethod
    def finish(stats: Any, sums: AnyArray) -> None:
        """Between backward's two passes: the parameters' gradients, and the terms of the input's."""
        weight, bias = stats.held.weight, stats.held.bias
        stats.finish(sums, data_of(weight), grad_of(weight), grad_of(bias))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.num_features}, eps={self.eps:g}, momentum={self.momentum:g}, "
            f"affine={self.affine!r})"
        )


@registry.layer(
    examples={
        "BatchNorm2d(4)": (2, 9, 9, 4),
        "BatchNorm2d(3, eps=0.001, momentum=0.3, affine=False)": (2, 5, 4, 3),
        "BatchNorm2d(5, affine='bias')": (2, 5, 4, 5),
    }
)
class BatchNorm2d(_BatchNorm):
    """Batch normalisation of the channels of images.

    y = (x - mean) / sqrt(variance + eps) * weight + bias, with the batch's mean and biased variance in
    training mode and the running ones in evaluation mode.

    Parameters
    ----------
    num_features : int
        Channels.
    eps : float
    momentum : float
        The weight of the new value in running = (1 - momentum) running + momentum new.
    affine : bool or "bias"
        Whether there are a trainable scale (`weight`) and shift (`bias`); "bias": a shift alone.

    Attributes
    ----------
    weight, bias : Parameter (num_features,) or None
    running_mean, running_var : ndarray of float32 (num_features,)
        The running variance is that of the unbiased estimate, n / (n - 1) times the batch's.

    Notes
    -----
    x and y are float32 (N, H, W, num_features). A training batch of one value a channel raises ValueError.
    """

    dimensions = (4,)
    wanted = "(N, H, W, {})"


@registry.layer(examples={"BatchNorm1d(4)": (6, 4), "BatchNorm1d(4, affine=False)": (3, 5, 4)})
class BatchNorm1d(_BatchNorm):
    """Batch normalisation of the columns of rows: x is float32 (N, num_features), or (N, L, num_features).

    Parameters, attributes and rules are those of `BatchNorm2d`.
    """

    dimensions = (2, 3)
    wanted = "(N, {0}) or (N, L, {0})"
