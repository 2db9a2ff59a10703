"""Floor 6: the interface of the University of Washington's course framework uwnet, on cynet's kernels.

A script written for the course's C library runs when its `from uwnet import *` becomes
`from cynet.uwnet import *`, or unchanged beside a file `uwnet.py` that holds this one line. Matrices are
float32 NumPy arrays of rows x columns; an image within a matrix is a row in the order channel, row, column.

Design: this is a facade. `layers` turns the course's planar rows into cynet's arrays (N, H, W, C), calls the
kernels that the layers of `cynet.layers` call, and turns the results back; `makers` makes them, `net` chains
and trains them, `weights` keeps theirs; `data` reads pictures; `exercise` holds the assignments' functions.
`__all__` has the course's names alone; `cynet.uwnet.Data(x, y)` makes a data set of two matrices.
"""

from .data import Data as Data
from .data import load_image, load_image_classification_data, random_batch, save_image, save_png
from .exercise import (
    col2im,
    delta_batch_norm,
    delta_mean,
    delta_variance,
    im2col,
    mean,
    normalize,
    variance,
)
from .layers import (
    LINEAR,
    LOGISTIC,
    LRELU,
    RELU,
    SOFTMAX,
)
from .makers import (
    make_activation_layer,
    make_batchnorm_layer,
    make_connected_layer,
    make_convolutional_layer,
    make_maxpool_layer,
)
from .net import (
    accuracy_net,
    backward_net,
    cross_entropy_loss,
    forward_net,
    make_net,
    run_net_image,
    train_image_classifier,
    update_net,
)
from .weights import load_weights, save_weights

__all__ = [
    "LINEAR",
    "LOGISTIC",
    "LRELU",
    "RELU",
    "SOFTMAX",
    "accuracy_net",
    "backward_net",
    "col2im",
    "cross_entropy_loss",
    "delta_batch_norm",
    "delta_mean",
    "delta_variance",
    "forward_net",
    "im2col",
    "load_image",
    "load_image_classification_data",
    "load_weights",
    "make_activation_layer",
    "make_batchnorm_layer",
    "make_connected_layer",
    "make_convolutional_layer",
    "make_maxpool_layer",
    "make_net",
    "mean",
    "normalize",
    "random_batch",
    "run_net_image",
    "save_image",
    "save_png",
    "save_weights",
    "train_image_classifier",
    "update_net",
    "variance",
]
