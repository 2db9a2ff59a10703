"""The recipe `language_model` in PyTorch, to hold its perplexity beside cynet's. Run by hand, with PyTorch.

    python tests/train/language_model_in_pytorch.py shakespeare.txt --seed 1

The same tokens in the same batches, the state carried, PyTorch's own layers with the weights they begin with.
"""

import argparse
from math import exp

import torch
from torch import nn

from cynet import data
from cynet.data.text import Sequences

ROWS = 64  # of an evaluation


def passes(text, rows, length, net, step=None):
    """The mean loss of a token over a text; `step` is called with the loss of each batch."""
    embedding, gru, decoder = net
    state, total, count = None, 0.0, 0
    for x, y in Sequences(text.tokens, rows, length):
        found, state = gru(embedding(torch.from_numpy(x)), state)
        state = state.detach()
        loss = nn.functional.cross_entropy(decoder(found).flatten(0, 1), torch.from_numpy(y).flatten())
        if step:
            step(loss)
        total, count = total + loss.item() * y.size, count + y.size
    return total / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("text")
    for name, usual in {
        "hidden": 512,
        "embedding": 512,
        "batch": 256,
        "length": 100,
        "epochs": 10,
        "seed": 1,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    flags = parser.parse_args()
    torch.manual_seed(flags.seed)
    train, test = (
        data.load("text", flags.text, split, sequence_length=flags.length) for split in ("train", "test")
    )
    net = nn.ModuleList(
        [
            nn.Embedding(len(train.classes), flags.embedding),
            nn.GRU(flags.embedding, flags.hidden, batch_first=True),
            nn.Linear(flags.hidden, len(train.classes)),
        ]
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.002, weight_decay=5e-4)
    rate = torch.optim.lr_scheduler.StepLR(optimizer, 6, 0.25)

    def step(loss):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    for epoch in range(1, flags.epochs + 1):
        loss = passes(train, flags.batch, flags.length, net, step)
        rate.step()
        with torch.no_grad():
            tested = passes(test, min(ROWS, flags.batch), flags.length, net)
        print(f"epoch {epoch}  perplexity {exp(loss):.4f}  test perplexity {exp(tested):.4f}", flush=True)


if __name__ == "__main__":
    main()
