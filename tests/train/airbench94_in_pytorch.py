"""The recipe `cifar10-fast` in PyTorch, beside which cynet's accuracy and time are held. Run by hand.

    python tests/train/airbench94_in_pytorch.py --data-dir DIR --seed 1

Net, loss, rates and slow weights are as the paper's code has them (Jordan 2024, airbench94.py), in PyTorch's
own layers and optimiser; first weights, batches, their order and what is done to pictures are cynet's. Each
step's loss is printed, as steps.csv of cynet's run has it.
"""

import argparse
import time
from dataclasses import replace
from math import prod

import numpy as np
import torch
from torch import nn

from cynet import data
from cynet.runs import recipes
from cynet.runs.origins import read
from cynet.runs.settings import DEFAULTS
from cynet.train import Session, Settings
from cynet.train.views import views, weights

RECIPE = "cifar10-fast"
LR, DECAY, BIASES = 11.5, 0.0153, 64.0  # the paper's, of 1,024 examples
MOMENTUM, SMOOTHING, SCALE, WHITEN_EPOCHS = 0.85, 0.2, 1 / 9, 3


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding="same", bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding="same", bias=False)
        self.norm1, self.norm2 = (nn.BatchNorm2d(outputs, 1e-12, 0.4) for _ in range(2))
        self.norm1.weight.requires_grad = self.norm2.weight.requires_grad = False

    def forward(self, x):
        x = nn.functional.gelu(self.norm1(nn.functional.max_pool2d(self.conv1(x), 2)))
        return nn.functional.gelu(self.norm2(self.conv2(x)))


class Net(nn.Module):
    """The paper's, with the weights of cynet's."""

    def __init__(self, model):
        super().__init__()
        state = {name: torch.from_numpy(array.copy()) for name, array in model.state_dict().items()}
        state["fc.weight"] /= SCALE  # cynet's has the factor within
        width, channels, *size = state["whiten.weight"].shape
        self.whiten = nn.Conv2d(channels, width, size)
        self.whiten.weight.requires_grad = False
        self.layer1, self.layer2, self.layer3 = Block(width, 64), Block(64, 256), Block(256, 256)
        self.fc = nn.Linear(256, len(state["fc.weight"]), bias=False)
        missing, unexpected = self.load_state_dict(state, strict=False)
        if unexpected or not all(name.endswith(("norm1.weight", "norm2.weight")) for name in missing):
            raise ValueError(
                f"wanted the weights of an airbench94, got {missing} missing, {unexpected} beside"
            )
        self.to(memory_format=torch.channels_last)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(nn.functional.gelu(self.whiten(x)))))
        return SCALE * self.fc(x.amax((2, 3)))


class Training:
    """Takes the steps of a net."""

    def __init__(self, net, batch_size, steps):
        self.net, self.steps, self.done = net, steps, 0
        scale = 1024 * (1 + 1 / (1 - MOMENTUM))  # how much larger Nesterov's steps are than gradients
        rate, decay = LR / scale, DECAY * batch_size / scale
        named = [(name, p) for name, p in net.named_parameters() if p.requires_grad]
        biases = [p for name, p in named if "norm" in name]
        others = [p for name, p in named if "norm" not in name]
        self.optimizer = torch.optim.SGD(
            [
                {"params": biases, "lr": rate * BIASES, "weight_decay": decay / (rate * BIASES)},
                {"params": others, "lr": rate, "weight_decay": decay / rate},
            ],
            momentum=MOMENTUM,
            nesterov=True,
        )
        self.rates = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self.rate)
        self.slow = {name: value.clone() for name, value in net.state_dict().items()}

    def rate(self, step):
        top = int(self.steps * 0.23)
        if step < top:
            return 0.2 * (1 - step / top) + step / top
        part = (step - top) / (self.steps - top)
        return 1 - part + 0.07 * part

    def step(self, x, y, epoch):
        """The mean loss of a batch before its step."""
        self.net.whiten.bias.requires_grad = epoch < WHITEN_EPOCHS
        x, y = pictures(self.net, x), torch.from_numpy(y).to(self.net.fc.weight.device)
        loss = nn.functional.cross_entropy(self.net(x), y, label_smoothing=SMOOTHING, reduction="sum")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.rates.step()
        self.done += 1
        if self.done % 5 == 0:
            self.follow(0.95**5 * (self.done / self.steps) ** 3)
        if self.done == self.steps:
            self.follow(1.0)
        return loss.item() / len(y)

    @torch.no_grad()
    def follow(self, decay):
        """A step of the slow weights; a whitening bias that is trained no more stays as it is."""
        for name, fast in self.net.state_dict().items():
            if fast.dtype == torch.float32 and (name != "whiten.bias" or self.net.whiten.bias.requires_grad):
                fast.copy_(self.slow[name].lerp_(fast, 1 - decay))


def pictures(net, x):
    """A batch as the net takes it, where the net is."""
    return torch.from_numpy(x).permute(0, 3, 1, 2).to(net.fc.weight.device)


@torch.no_grad()
def accuracies(net, batches, kinds=("flip", "diagonal")):
    """Parts that are right: by the mean of the views' probabilities, as cynet has it, and of their logits."""
    net.eval()
    device = net.fc.weight.device
    right, counts = np.zeros(2), torch.tensor(weights(kinds), device=device).reshape(-1, 1, 1)
    samples = 0
    for x, y in batches:
        logits = torch.stack([net(pictures(net, view)) for view in views(x, kinds)])
        for i, values in enumerate((logits.softmax(-1), logits)):
            right[i] += ((counts * values).sum(0).argmax(1).cpu().numpy() == y).sum()
        samples += len(y)
    net.train()
    return right / samples


def train(session, say=print, compiled=False, device="cpu"):
    """Train the twin of a session's model on its batches; (the `Training`, seconds without the loader)."""
    net = Net(session.model).to(device)
    training, seconds = Training(net, session.settings.step_size, session.settings.steps), 0.0
    if compiled:
        training.net.compile()
    while training.done < training.steps:
        epoch = session.batches.epoch
        for x, y in session.batches:
            start = time.perf_counter()
            loss = training.step(x, y, epoch)
            seconds += time.perf_counter() - start
            say(f"step {training.done}  epoch {epoch + 1}  loss {loss!r}  {seconds:.1f} s")
            if training.done == training.steps:
                break
    return training, seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--steps", type=int, help="end after so many of the steps, without an evaluation")
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    parser.add_argument("--device", default="cpu", help="where it trains, in whole float32 (default: cpu)")
    flags = parser.parse_args()
    settings = Settings(**DEFAULTS | read(recipes.file(RECIPE, "recipe"), "recipe") | {"seed": flags.seed})
    if flags.epochs:
        settings = replace(settings, epochs=flags.epochs)
    parts = [data.load(settings.data, flags.data_dir, split) for split in ("train", "test")]
    with Session(settings.resolved(parts[0]), *parts) as session:
        torch.set_num_threads(session.settings.threads)
        torch.backends.cudnn.allow_tf32 = False

        def say(line):
            print(line, flush=True)
            if line.startswith(f"step {flags.steps} "):
                raise SystemExit

        training, seconds = train(session, say, flags.compile, flags.device)
        mean, logits = accuracies(training.net, session.test_batches)
    size = sum(prod(p.shape) for p in training.net.parameters())
    print(f"{size:,} numbers; {training.done} steps of {seconds / training.done:.3f} s, {seconds:.0f} s")
    print(f"test accuracy {mean:.4f}  (of the mean logits {logits:.4f})")


if __name__ == "__main__":
    main()
