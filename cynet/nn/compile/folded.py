"""What kernels take of convolutions and linear layers in evaluation: batch norm is within the weights."""

from math import prod

import numpy as np

from cynet.kernels.conv import convolution
from cynet.kernels.conv.problem import Problem
from cynet.nn.layers.linear import Linear


class Folded:
    """A convolution or linear layer with the batch norm and the ReLU or ReLU6 that follow it.

    Parameters
    ----------
    layer : Conv2d, Conv1d or Linear
    norm : BatchNorm2d, BatchNorm1d or None
    relu : {0, 1, 6}
    shape : tuple of int
        Of the input.
    planes : (height, width, channels) or None
        Of the images that the features of a linear layer are.

    Attributes
    ----------
    algorithm : Algorithm
    in_shape, out_shape : tuple of int
        Of the layer.
    """

    def __init__(self, layer, norm, relu, shape, planes=None):
        self.layer, self.norm, self.relu, self.planes = layer, norm, relu, planes
        self.in_shape, self.out_shape = tuple(shape), layer.output_shape(shape)
        self._eps = None if norm is None else norm.settled()[1]
        if type(layer) is Linear:
            rows, outputs = prod(shape[:-1]), layer.output_shape(shape)[-1]
            self.algorithm = convolution.choose(Problem.of_rows(rows, shape[-1], outputs))
        else:
            self.algorithm = layer.convolution(shape)

    def weights(self):
        """The arrays that `laid` reads, copied."""
        w, bias = self.layer.values()
        self._biased = bias is not None
        found = [w, bias] if self._biased else [w]
        return found if self.norm is None else [*found, *self.norm.values()]

    def laid(self, copies):
        """Put the batch norm into the weights, and lay them out for the kernel.

        Parameters
        ----------
        copies : iterator of ndarray
            Of what `weights` returned: what is packed is what is compared, whatever others write meanwhile.

        Returns
        -------
        (packed, bias), as the algorithm takes them
        """
        w = next(copies)
        bias = next(copies) if self._biased else None
        if self.norm is not None:
            weight, shift, mean, variance = (next(copies) for _ in range(4))
            scale = 1 / np.sqrt(variance.astype(np.float64) + self._eps)
            if weight.size:
                scale *= weight
            shift = shift if shift.size else 0.0
            w = (w * scale.reshape(-1, *[1] * (w.ndim - 1))).astype(np.float32)
            before = 0.0 if bias is None else bias
            bias = ((before - mean.astype(np.float64)) * scale + shift).astype(np.float32)
        if self.planes is not None:
            height, width, channels = self.planes
            w = w.reshape(len(w), channels, height * width).transpose(0, 2, 1).reshape(len(w), -1)
        w = np.ascontiguousarray(w).reshape(self.algorithm.weight_shape)
        return self.algorithm.pack(w), self.algorithm.padded(bias)
