"""Say what is on pictures: the most probable classes of each, by a trained model."""

import json
import sys

from . import trained
from .parser import UsageError, reason, refusing
from .registry import command
from .values import add_threads, integer


def add_flags(parser):
    parser.add_argument("model", metavar="MODEL", help=trained.WHERE)
    parser.add_argument(
        "images",
        nargs="+",
        metavar="IMAGE",
        help="picture files, or folders of them; each is given the model's size and channels, as in "
        "training; or .npy and .npz files of arrays in the model's own shape",
    )
    trained.add_weights(parser)
    trained.add_views(parser)
    parser.add_argument("--top", type=integer(1), default=5, metavar="N", help="classes to show of each")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_threads(parser)


@command("what a trained model sees on pictures", order=3)
def run(flags):
    from cynet.data.images.pictures import pillow
    from cynet.runs.given_arrays import is_file
    from cynet.train import Predictor

    trained.set_threads(flags)
    if not is_file(flags.images):
        try:
            pillow()
        except ImportError as error:
            raise UsageError(f"IMAGE: {error}") from error
    path, _ = trained.locate(flags.model, "MODEL", flags.which)
    net = trained.net_of(flags.net, path)
    with refusing("MODEL"):
        predictor = Predictor(path, tta=flags.tta, model=net)
    if not flags.json:
        print(trained.headline(path, predictor.facts))
        _tell_others(flags.images)
    results = []
    for answer in predictor.answers(flags.images):
        results.append(_result(answer, predictor.facts, flags.top))
        if answer.error is not None:
            print(f"error: {results[-1]['error']}", file=sys.stderr)
        elif not flags.json:
            print(_text(results[-1]), flush=True)
    if flags.json:
        facts = predictor.facts
        whole = {"weights": str(path), "model": facts.model, "data": facts.data, "results": results}
        print(json.dumps(whole, indent=1, allow_nan=False))
    return 1 if any("error" in result for result in results) else 0


def _tell_others(images):
    """Say which files of folders are left out."""
    from cynet.core.files import user_path
    from cynet.core.names import printable
    from cynet.data.images.given import described, picture_files

    for folder in filter(lambda image: user_path(image).is_dir(), images):
        try:
            found, others = picture_files(user_path(folder))
        except OSError:  # it comes again, where the folder is read
            continue
        if found and others:  # without any picture it is an error, which tells them
            left = f"files in {printable(folder)} that are not read as pictures are left out"
            print(f"note: {left}: {described(others)}", file=sys.stderr)


def _result(answer, facts, top):
    """What is known of one picture, as --json prints it; of a file that is none, why."""
    from cynet.core.tasks import CLASSIFY, REGRESS
    from cynet.runs.predictor import best
    from cynet.train.label_metrics import THRESHOLD

    classes = facts.classes
    if answer.error is not None:
        return {"file": answer.name, "error": reason(answer.error) or f"{answer.name}: out of memory"}
    if facts.task == REGRESS:
        pairs = zip(classes, answer.probabilities, strict=True)
        return {"file": answer.name, "numbers": [{"name": k, "value": float(v)} for k, v in pairs]}
    pairs = best(classes, answer.probabilities, top)
    if facts.task != CLASSIFY:
        labels = [{"label": k, "probability": p, "said": p >= THRESHOLD} for k, p in pairs]
        return {"file": answer.name, "labels": labels}
    return {"file": answer.name, "classes": [{"class": k, "probability": p} for k, p in pairs]}


def _text(result):
    from cynet.core.names import printable

    if "numbers" in result:
        rows = [(each["name"], f"{each['value']:.6g}") for each in result["numbers"]]
    elif "labels" in result:
        rows = [
            (each["label"], f"{each['probability']:.4f}" + "  yes" * each["said"])
            for each in result["labels"]
        ]
    else:
        rows = [(each["class"], f"{each['probability']:.4f}") for each in result["classes"]]
    rows = [(printable(name), text) for name, text in rows]
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{result['file']}:", *(f"  {name:<{width}}  {text}" for name, text in rows)])
