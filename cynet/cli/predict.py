"""Say what is on pictures: the most probable classes of each, by a trained model."""

import json
import sys

import numpy as np

from . import trained
from .parser import UsageError, integer, reason

SIDE = 32  # of the pictures that the models take


def add_flags(parser):
    parser.add_argument("model", metavar="MODEL", help=trained.WHERE)
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="picture files; the middle square of each is resized to what the model takes",
    )
    trained.add_weights(parser)
    parser.add_argument("--top", type=integer(1), default=5, metavar="N", help="classes to show of each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    trained.add_threads(parser)


def run(flags):
    from cynet.data.pictures import pillow

    trained.set_threads(flags)
    try:
        pillow()
    except ImportError as error:
        raise UsageError(f"IMAGE: {error}") from error
    path, _ = trained.locate(flags.model, "MODEL", flags.which)
    model, facts = trained.load(path, "MODEL")
    if not flags.json:
        print(trained.headline(path, facts))
    results = []
    for image in flags.images:
        results.append(_predict(model, facts, image, flags.top))
        if "error" in results[-1]:
            print(f"error: {results[-1]['error']}", file=sys.stderr)
        elif not flags.json:
            print(_text(results[-1]), flush=True)
    if flags.json:
        whole = {"weights": str(path), "model": facts.model, "data": facts.data, "results": results}
        print(json.dumps(whole, indent=1, allow_nan=False))
    return 1 if any("error" in result for result in results) else 0


def _predict(model, facts, path, top):
    """What is known of one picture, as --json prints it; of a file that is none, why."""
    from cynet.data.pictures import Fit, read

    try:
        pixels = read(path, Fit(SIDE))
    except (ValueError, OSError, MemoryError) as error:
        return {"file": path, "error": reason(error) or f"{path}: out of memory"}
    found = probabilities(model, facts, pixels)
    if np.isnan(found).any():
        return {"file": path, "error": f"{path}: the model gives NaN"}
    order = np.argsort(-found, kind="stable")[:top]
    return {
        "file": path,
        "classes": [{"class": facts.classes[k], "probability": float(found[k])} for k in order],
    }


def probabilities(model, facts, pixels):
    """float64 (classes,) of one picture, uint8 (3, height, width)."""
    from cynet import data
    from cynet.train import predict
    from cynet.train.session import test_loader

    alone = data.ArrayDataset(pixels[None], np.zeros(1, np.int64), facts.classes)
    with test_loader(alone, facts, 1) as batches:
        return predict(model, batches).probabilities[0]


def _text(result):
    width = max(len(each["class"]) for each in result["classes"])
    lines = [f"{result['file']}:"]
    lines += [f"  {each['class']:<{width}}  {each['probability']:.4f}" for each in result["classes"]]
    return "\n".join(lines)
