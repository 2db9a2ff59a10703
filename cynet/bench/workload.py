"""What is timed of a model: a training step and a pass of inference."""

from cynet import models
from cynet.nn.losses import CrossEntropyLoss
from cynet.nn.passes import no_grad
from cynet.optim.optimizers import SGD

from .setting import CLASSES, OPTIMIZER, PICTURE, SIGNAL


def input_shape(name):
    """The shape of a model's samples: pictures, or signals where it is registered as a net for these."""
    least = models.model.facts(name).get("least") or PICTURE
    return tuple(map(max, SIGNAL if len(least) == len(SIGNAL) else PICTURE, least))


def create(name, batch_norm=True):
    """A model that, as a trainer's, spares the gradient of its input."""
    model = models.create(name, input_shape(name), CLASSES, **({} if batch_norm else {"batch_norm": False}))
    model.input_grad = False
    return model


def training_step(model, x, labels):
    """A function that takes one step of training."""
    step = training_step_on(model)
    return lambda: step(x, labels)


def training_step_on(model):
    """A function (x, labels) that takes one step of training."""
    model.train()
    criterion, optimizer = CrossEntropyLoss(), SGD(model.parameters(), **OPTIMIZER)

    def step(x, labels):
        criterion(model(x), labels)
        optimizer.zero_grad()
        model.backward(criterion.backward())
        optimizer.step()

    return step


def passes(layer, x, dy):
    """A function that runs a layer forward as in training, then backward, and returns the gradient to x."""
    layer.train()

    def step():
        layer(x)
        return layer.backward(dy)

    return step


def inference(model, x):
    """A function that computes the logits of a batch."""
    model.eval()

    def step():
        with no_grad():
            model(x)

    return step
