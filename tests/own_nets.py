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
