"""The nets once more, in PyTorch and as torchvision writes them: what the names and the numbers are held to.

Imported only where torch is wanted.
"""

from collections import OrderedDict

import torch
from torch import nn


class Block(nn.Module):
    """torchvision's BasicBlock."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            projection = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


def stages(block, widths, depths):
    """{"layer1": ..., ...}: blocks, of which the first of each stage but the first halves the image."""
    found, inputs = OrderedDict(), widths[0]
    for number, (outputs, depth) in enumerate(zip(widths[1:], depths, strict=True), 1):
        blocks = []
        for i in range(depth):
            blocks.append(block(inputs, outputs, 2 if number > 1 and i == 0 else 1))
            inputs = outputs
        found[f"layer{number}"] = nn.Sequential(*blocks)
    return found


def resnet(depths):
    def build(shape, classes):
        return nn.Sequential(OrderedDict(
            conv1=nn.Conv2d(shape[-1], 64, 7, 2, 3, bias=False), bn1=nn.BatchNorm2d(64), relu=nn.ReLU(),
            maxpool=nn.MaxPool2d(3, 2, 1), **stages(Block, (64, 64, 128, 256, 512), depths),
            avgpool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(512, classes),
        ))  # fmt: skip

    return build


def small_resnet(blocks):
    """He et al., section 4.2, with projections."""

    def build(shape, classes):
        return nn.Sequential(OrderedDict(
            conv1=nn.Conv2d(shape[-1], 16, 3, 1, 1, bias=False), bn1=nn.BatchNorm2d(16), relu=nn.ReLU(),
            **stages(Block, (16, 16, 32, 64), (blocks,) * 3),
            avgpool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(64, classes),
        ))  # fmt: skip

    return build


class WideBlock(nn.Module):
    """The basic block of wide residual networks: norms and ReLUs come before the convolutions."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.downsample = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if inputs != outputs else None
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)

    def forward(self, x):
        y = torch.relu(self.bn1(x))
        shortcut = x if self.downsample is None else self.downsample(y)
        return shortcut + self.conv2(torch.relu(self.bn2(self.conv1(y))))


def wide_resnet_16_4(shape, classes):
    return nn.Sequential(OrderedDict(
        conv1=nn.Conv2d(shape[-1], 16, 3, 1, 1, bias=False),
        **stages(WideBlock, (16, 64, 128, 256), (2, 2, 2)), bn1=nn.BatchNorm2d(256), relu=nn.ReLU(),
        avgpool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(), fc=nn.Linear(256, classes),
    ))  # fmt: skip


def _activated(inputs, outputs, size=3, stride=1, groups=1):
    """torchvision's Conv2dNormActivation."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU6())


class InvertedResidual(nn.Module):
    def __init__(self, inputs, outputs, stride, ratio):
        super().__init__()
        hidden = inputs * ratio
        layers = [_activated(inputs, hidden, 1)] if ratio != 1 else []
        layers.append(_activated(hidden, hidden, 3, stride, hidden))
        layers += [nn.Conv2d(hidden, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
        self.conv, self.added = nn.Sequential(*layers), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.added else self.conv(x)


def mobilenet_v2(shape, classes):
    features, inputs = [_activated(shape[-1], 32, 3, 2)], 32
    for t, c, n, s in [
        [1, 16, 1, 1], [6, 24, 2, 2], [6, 32, 3, 2], [6, 64, 4, 2], [6, 96, 3, 1], [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]:  # fmt: skip
        for i in range(n):
            features.append(InvertedResidual(inputs, c, s if i == 0 else 1, t))
            inputs = c
    features.append(_activated(320, 1280, 1))
    return nn.Sequential(OrderedDict(
        features=nn.Sequential(*features), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
        classifier=nn.Sequential(nn.Dropout(0.0), nn.Linear(1280, classes)),
    ))  # fmt: skip


class Fire(nn.Module):
    def __init__(self, inputs, squeezed, expanded):
        super().__init__()
        self.squeeze = nn.Conv2d(inputs, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x):
        x = torch.relu(self.squeeze(x))
        return torch.cat([torch.relu(self.expand1x1(x)), torch.relu(self.expand3x3(x))], 1)


def squeezenet1_1(shape, classes):
    def pool():
        return nn.MaxPool2d(3, 2, ceil_mode=True)

    features = nn.Sequential(
        nn.Conv2d(shape[-1], 64, 3, 2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
        Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192),
        Fire(384, 64, 256), Fire(512, 64, 256),
    )  # fmt: skip
    classifier = nn.Sequential(
        nn.Dropout(0.0), nn.Conv2d(512, classes, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    return nn.Sequential(OrderedDict(features=features, classifier=classifier))


class DenseLayer(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(inputs), nn.Conv2d(inputs, 48, 1, bias=False)
        self.norm2, self.conv2 = nn.BatchNorm2d(48), nn.Conv2d(48, 12, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(torch.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(torch.relu(self.norm2(y)))], 1)


def densenet_bc_40_12(shape, classes):
    features, channels = nn.Sequential(OrderedDict(conv0=nn.Conv2d(shape[-1], 24, 3, 1, 1, bias=False))), 24
    for block in (1, 2, 3):
        layers = OrderedDict((f"denselayer{i + 1}", DenseLayer(channels + 12 * i)) for i in range(6))
        features.add_module(f"denseblock{block}", nn.Sequential(layers))
        channels += 72
        if block < 3:
            features.add_module(f"transition{block}", nn.Sequential(OrderedDict(
                norm=nn.BatchNorm2d(channels), relu=nn.ReLU(),
                conv=nn.Conv2d(channels, channels // 2, 1, bias=False), pool=nn.AvgPool2d(2),
            )))  # fmt: skip
            channels //= 2
    features.add_module("norm4", nn.BatchNorm2d(channels))
    return nn.Sequential(OrderedDict(
        features=features, relu=nn.ReLU(), pool=nn.AdaptiveAvgPool2d(1), flat=nn.Flatten(),
        classifier=nn.Linear(channels, classes),
    ))  # fmt: skip


def lenet5(shape, classes):
    side = ((shape[0] - 4) // 2 - 4) // 2
    return nn.Sequential(
        nn.Conv2d(shape[-1], 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16 * side * side, 120), nn.Tanh(), nn.Linear(120, 84),
        nn.Tanh(), nn.Linear(84, classes),
    )  # fmt: skip


def conv1d_small(shape, classes):
    layers, inputs = [], shape[-1]
    for outputs, size in ((32, 7), (64, 5), (128, 3)):
        convolution = nn.Conv1d(inputs, outputs, size, padding=size // 2, bias=False)
        layers += [convolution, nn.BatchNorm1d(outputs), nn.ReLU(), nn.MaxPool1d(3, 2, 1)]
        inputs = outputs
    head = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten())
    return nn.Sequential(*layers, head, nn.Linear(128, classes))


def vgg_small(shape, classes):
    layers, inputs = [], shape[-1]
    for outputs in (32, 64, 128):
        for _ in range(2):
            layers += [
                nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            inputs = outputs
        layers.append(nn.MaxPool2d(2))
    rows = 128 * (shape[0] // 8) * (shape[1] // 8)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(rows, classes))


MODELS = {
    "resnet18": resnet((2, 2, 2, 2)), "resnet34": resnet((3, 4, 6, 3)), "resnet20": small_resnet(3),
    "resnet32": small_resnet(5), "resnet44": small_resnet(7), "resnet56": small_resnet(9),
    "wide_resnet_16_4": wide_resnet_16_4, "mobilenet_v2": mobilenet_v2, "squeezenet1_1": squeezenet1_1,
    "densenet_bc_40_12": densenet_bc_40_12, "lenet5": lenet5, "conv1d_small": conv1d_small,
    "vgg_small": vgg_small,
}  # fmt: skip
