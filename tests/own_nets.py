"""What tests of nets of one's own share: commands as in processes of their own, and the bytes of weights."""

import cynet
from cynet import cli
from cynet.runs import nets


def said(capsys, *arguments):
    """(exit status, all that is written) of a command, without the nets of those before it."""
    nets.HERE.clear()
    status = cli.main(list(map(str, arguments)))
    found = capsys.readouterr()
    return status, found.out + found.err


def weights(run):
    """The bytes of each array of a run's last weights."""
    return {n: a.tobytes() for n, a in cynet.interop.safetensors.load(run / "last.safetensors")[0].items()}


class Doubled(cynet.Layer):
    """A net of texts of one's own, whose layers are within another one.

    Parameters
    ----------
    classes : int
        Different tokens.
    """

    takes_integers = True

    def __init__(self, classes):
        self.body = cynet.Sequential(
            cynet.nn.Embedding(classes, 4), cynet.nn.GRU(4, 5), cynet.nn.GRU(5, 5), cynet.Linear(5, classes)
        )

    def forward(self, x):
        return self.body(x)

    def backward(self, dy):
        return self.body.backward(dy)

    def output_shape(self, shape):
        return self.body.output_shape(shape)
