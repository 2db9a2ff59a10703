"""Compare two runs: settings, environments, and the first step and tensor at which they diverge.

The exit status is 0 where nothing differs that the weights depend on, else 1.
"""

from .parser import refusing

SHOWN = 8  # tensors that are named
FILES = "last.safetensors", "best.safetensors"


def add_flags(parser):
    parser.add_argument("run", metavar="RUN", help="a run folder")
    parser.add_argument("other", metavar="RUN", help="another one")


def run(flags):
    from cynet.train import RunFolder, compare
    from cynet.train.settings import FREE

    from .verify import stored

    with refusing("RUN"):
        folders = [RunFolder.open(path) for path in (flags.run, flags.other)]
    settings = [stored(folder, "RUN") for folder in folders]
    differ = False
    for name, one, other in compare.settings_differences(*settings):
        free = name in FREE
        differ |= not free
        print(f"setting {name}: {one} against {other}{' (no matter)' if free else ''}")
    for line in compare.environment_differences(*folders):
        print(f"environment: {line}")
    pairs = zip(folders, settings, strict=True)
    histories = [compare.history(folder, each, _classes(folder)) for folder, each in pairs]
    found = compare.first_divergence(*histories)
    for each in found:
        print(each)
    if not found:
        steps = [each.until() for each in histories]
        ends = "" if steps[0] == steps[1] else f"; they end at {steps[0]} and {steps[1]}"
        print(f"no loss and no digest of the weights differs up to step {min(steps)}{ends}")
        differ |= steps[0] != steps[1]
    for name in FILES:
        differ |= _files(folders[0].path / name, folders[1].path / name)
    return 1 if differ or found else 0


def _classes(folder):
    """How many classes the model of a run tells apart, by its weights; 10 where there are none yet."""
    from cynet.train import load_weights
    from cynet.train.rundir import WEIGHTS

    path = folder.path / WEIGHTS
    if not path.exists():
        return 10
    with refusing("RUN"):
        return len(load_weights(path)[1].classes)


def _files(one, other):
    """Say which tensors of two files differ; whether any does."""
    from cynet.train import compare

    if not (one.exists() and other.exists()):
        return False
    with refusing("RUN"):
        found = compare.tensors_apart(one, other)
    if not found:
        print(f"{one.name}: equal")
        return False
    apart = [(name, "not alike" if most is None else f"by up to {most:.3g}") for name, most in found]
    shown = ", ".join(f"{name} ({text})" for name, text in apart[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    print(f"{one.name}: {len(found)} tensors differ: {shown}{more}")
    return True
