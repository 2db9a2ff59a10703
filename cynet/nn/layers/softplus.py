"""Soft-plus: a ReLU without a corner."""

from cynet.core import checks, threads, workspace
from cynet.core.types import Array
from cynet.kernels.pointwise import other_activation
from cynet.nn import registry
from cynet.nn.layer import Layer


@registry.layer(
    pointwise=True, examples={"Softplus()": (3, 9, 7, 11), "Softplus(beta=2.5, threshold=1.0)": (3, 9, 7, 11)}
)
class Softplus(Layer):
    """y = log(1 + exp(beta x)) / beta, or x where beta x > threshold.

    Input and output: float32 of any shape, (N, H, W, C) or (N, features).

    Parameters
    ----------
    beta : float, optional
        Above 0.
    threshold : float, optional

    Raises
    ------
    TypeError, ValueError
        When an argument is none of these.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold
        self._settings()

    def _settings(self) -> tuple[float, float]:
        """(beta, threshold), checked: they may have been set."""
        beta = checks.number("beta", self.beta, 0, open_low=True)
        return beta, checks.number("threshold", self.threshold)

    def forward(self, x: Array) -> Array:
        y, numbers = workspace.empty(x.shape), self._settings()
        other_activation.softplus(x.reshape(-1), y.reshape(-1), *numbers, threads.get_num_threads())
        self.save(x, numbers)
        return y

    def backward(self, dy: Array) -> Array:
        x, numbers = self.saved()
        dy = self.gradient(dy, x.shape)
        dx = workspace.empty(x.shape)
        other_activation.softplus_backward(
            x.reshape(-1), dy.reshape(-1), dx.reshape(-1), *numbers, threads.get_num_threads()
        )
        return dx

    def __repr__(self) -> str:
        return f"Softplus(beta={self.beta:g}, threshold={self.threshold:g})"
