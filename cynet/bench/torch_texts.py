"""PyTorch's side of the comparison of language models, written as its users write them.

Imported only where torch is wanted, and with it NumPy alone.
"""

import torch
from torch import nn

from .setting import CHARACTERS, TEXT_OPTIMIZER
from .torch_steps import set_num_threads

__all__ = ["TorchLanguageModel", "language_model", "logits", "set_num_threads", "training_step", "writing"]


class TorchLanguageModel(nn.Module):
    """Embedding, GRU, Linear.

    Parameters
    ----------
    hidden : int
        Units, and the length of an embedding's vectors.
    """

    def __init__(self, hidden):
        super().__init__()
        self.embedding = nn.Embedding(CHARACTERS, hidden)
        self.gru = nn.GRU(hidden, hidden, batch_first=True)
        self.decoder = nn.Linear(hidden, CHARACTERS)

    def forward(self, x, state=None):
        y, state = self.gru(self.embedding(x), state)
        return self.decoder(y), state


def language_model(arrays):
    """The net with cynet's weights: its state, by its names."""
    hidden = arrays["0.weight"].shape[1]
    net = TorchLanguageModel(hidden)
    names = dict(zip("012", ("embedding", "gru", "decoder"), strict=True))
    renamed = {f"{names[name[0]]}{name[1:]}": torch.from_numpy(array) for name, array in arrays.items()}
    net.load_state_dict(renamed)
    return net


def logits(net, x):
    """What it gives for tokens (N, L), as an array."""
    with torch.inference_mode():
        return net(torch.from_numpy(x))[0].numpy()


def training_step(net, x, y):
    """A function that takes one step: the state is carried, the gradient cut."""
    optimizer = torch.optim.Adam(net.train().parameters(), **TEXT_OPTIMIZER, foreach=True)
    x, y, state = torch.from_numpy(x), torch.from_numpy(y).flatten(), None

    def step():
        nonlocal state
        optimizer.zero_grad(set_to_none=True)
        found, after = net(x, state)
        nn.functional.cross_entropy(found.flatten(0, 1), y).backward()
        optimizer.step()
        state = after.detach()

    return step


def writing(net):
    """A function that writes a number of tokens, the likeliest each time, and returns them."""
    net.eval()

    def write(count):
        found, tokens, state = [], torch.zeros((1, 1), dtype=torch.int64), None
        with torch.inference_mode():
            for _ in range(count):
                scores, state = net(tokens, state)
                tokens = scores[:, -1].argmax(1, keepdim=True)
                found.append(int(tokens))
        return found

    return write
