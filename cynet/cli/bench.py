"""Time kernels, layers and models, alone or side by side with PyTorch; measure memory, imports, and what the
machine can do at most.
"""

import contextlib
import sys
from dataclasses import fields

from cynet.bench import choices

from . import bench_flags
from .parser import Failure, UsageError, refusing
from .registry import command


def add_flags(parser):
    bench_flags.add(parser.commands(choices.WHAT))


@command("time kernels, layers and models, also against PyTorch; memory; the machine's peak", order=10)
def run(flags):
    """Check everything, measure, print; of files only compare, and 1 where something got slower."""
    if flags.what == "compare":
        return _compare(flags)
    check(flags)
    from cynet.bench import document, environment, measuring

    names = [field.name for field in fields(measuring.Wanted) if field.name in flags]
    wanted, reports = measuring.Wanted(**{name: getattr(flags, name) for name in names}), []
    with contextlib.closing(_Progress()) as progress:
        try:
            for report in measuring.reports(wanted, progress):
                progress.close()
                reports.append(report)
        except (ValueError, MemoryError) as error:
            raise Failure(f"{flags.what}: {str(error) or 'out of memory'}") from error
    facts = environment.describe(getattr(flags, "against", None))
    if getattr(flags, "plot", None) is not None:
        from cynet.bench import growth_picture, scaling_picture

        picture = growth_picture if flags.what == "growth" else scaling_picture
        with refusing("--plot"):
            picture.write(reports, flags.plot)
    _print(flags, reports, environment.headline(facts))
    if flags.json is not None:
        document.write(flags.json, flags.what, facts, vars(flags), reports)


def _compare(flags):
    from cynet.bench.compare import compare

    with refusing("compare"):
        found = compare(flags.old, flags.new, flags.tolerance)
    print(found.report.markdown() if flags.markdown else found.report.text())
    return int(bool(found.slower))


def check(flags):
    """Refuse what can be refused before anything is measured."""
    from cynet import models
    from cynet.bench import peers
    from cynet.core.output import check_output

    if "model" in flags:
        flags.model = list(dict.fromkeys(flags.model or choices.models(flags.what)))
        for name in flags.model:
            known = name in models.names()
            if known and models.model.facts(name).get("tokens"):
                raise UsageError(f"--model: wanted a net of pictures or signals, got {name}, one of texts")
            if "model_option" in flags:
                from cynet.bench import profiled

                with refusing("--model"):
                    profiled.of(
                        name, flags.batch_norm, flags.model_option, getattr(flags, "side", None)
                    ).create()
            elif not known:
                with refusing("--model"):
                    models.create(name)
    if flags.json is not None:
        with refusing("--json"):
            check_output(flags.json)
    if getattr(flags, "plot", None) is not None:
        from cynet.core.drawing import figure_class

        with refusing("--plot"):
            check_output(flags.plot)
            figure_class()
    if getattr(flags, "against", None):
        with refusing("--against"):
            peers.check_able(flags.against, flags.what)
            peers.load(flags.against)


def _print(flags, reports, headline):
    markdown = flags.what == "table" or flags.markdown
    for report in reports:
        if len(reports) > 1:
            print(f"{'### ' if markdown else ''}{report.command}\n")
        print(report.markdown() if markdown else report.text())
        print()
    print(headline)


class _Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self):
        self.bar = None

    def __call__(self, done, total, text):
        if not sys.stderr.isatty():
            return
        if self.bar is None or self.bar.total != total:
            from tqdm import tqdm

            self.close()
            self.bar = tqdm(total=total, leave=False)
        self.bar.set_description(text, refresh=False)
        self.bar.n = done
        self.bar.refresh()

    def close(self):
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()
        self.bar = None
