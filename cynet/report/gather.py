"""All that the page shows of a run, put together as one document of plain values."""

import os
from dataclasses import dataclass

from cynet._version import __version__
from cynet.core.files import reason
from cynet.core.folder import own_file
from cynet.core.tasks import CLASSIFY, LANGUAGE
from cynet.nn.summary import of_shape
from cynet.runs import matching, nets
from cynet.runs.facts import Facts
from cynet.runs.filenames import BEST, METRICS, SAMPLES, WEIGHTS
from cynet.runs.first_net import FIRST
from cynet.runs.session import test_loader
from cynet.runs.weights import load, load_weights
from cynet.train.predictions import predict
from cynet.train.tasks import task_of

from . import columns, findings, texts
from .curves import curves

HIDDEN = ("cynet",)  # entries of a configuration that are no settings
OF_WEIGHTS = "test", "mistakes", "filters", "norms", "layers"  # what only weights tell


@dataclass(frozen=True)
class Trained:
    """The weights of a run and what goes with them."""

    file: str
    model: object
    facts: Facts


def gather(run, others=(), data_dir=None, weights=WEIGHTS, times=None, command=None, several=False):
    """Everything about a run.

    Parameters
    ----------
    run : Run
    others : sequence of Run, optional
        Runs to compare it with.
    data_dir : str or Path, optional
        Where the data set lies; default: as in the run's configuration.
    weights : str, optional
        The file in the run folder that is looked at; the other one of last and best where it is not there.
    times : callable, optional
        Gets the model and the picture shape; gives what "layers" is to hold.
    command : str, optional
        What repeats the run.
    several : bool, optional
        Whether that takes several commands, the settings having been changed on the way.

    Returns
    -------
    dict
        What is not known is None, and "missing" tells why by section; "notes" is what is wrong with the run.
    """
    missing, notes = {}, list(run.notes())
    trained = _weights(run, weights, missing, notes)
    document = {
        "cynet": __version__,
        "name": run.name,
        "runs": [_compared(each) for each in (run, *others)],
        "config": _config(run),
        "environment": _flat(run.environment),
        "command": command,
        "several": several,
        "said": list(run.said),
        "task": run.task,
        "missing": missing,
        "notes": notes,
        "file": trained and trained.file,
        "model": None,
    }
    document |= dict.fromkeys(OF_WEIGHTS)
    if run.task == LANGUAGE:
        document |= {"passage": None, "samples": _samples(run, missing, notes)}
        document["unknown"] = trained and texts.unknown(trained.facts)
    if not document["runs"][0]["epochs"] and not document["runs"][0]["steps"]:
        missing["curves"] = f"{METRICS} holds no evaluation yet, and steps.csv no step."
    if not run.steps:
        missing["steps"] = "Without steps.csv the training loss is known only as the mean of each epoch."
    if trained is not None:
        _look(document, trained, run, data_dir or run.plain.get("data_dir"), times)
    return document


def _weights(run, wanted, missing, notes):
    """The `Trained` of a run, or None; then every section that needs one says so."""
    for name in dict.fromkeys((wanted, WEIGHTS, BEST)):
        try:
            if os.path.lexists(run.path / name):
                path = own_file(run.path / name)
                return Trained(name, *load_weights(path, nets.builder(run.net)))
        except (ValueError, OSError) as error:
            notes.append(reason(error))
    why = f"There are no weights to look at: the run folder has no whole {WEIGHTS}."
    missing.update(dict.fromkeys(OF_WEIGHTS, why))
    if not any(WEIGHTS in note for note in notes):
        notes.append(f"{WEIGHTS} is not there")
    return None


def _samples(run, missing, notes):
    """What the net wrote as the training went on, or None: then it is told why."""
    found = texts.samples(run.samples)
    if not isinstance(run.problems.get("samples"), FileNotFoundError):
        notes += run.notes(("samples",))
    if found is None:
        who = "Nets of Embedding, GRU or LSTM, and Linear write after each evaluation"
        missing["samples"] = f"There are none: {SAMPLES} holds no row. {who}."
    return found


def _look(document, trained, run, root, times):
    """Fill in what the weights tell."""
    model, facts, missing = trained.model, trained.facts, document["missing"]
    shape = facts.picture_shape
    try:
        matched = matching.load(facts, facts.data, root, "test", **run.data_options)
        with test_loader(matched.known, facts) as batches:
            if facts.task == LANGUAGE:
                found, says = task_of(facts.task).evaluate(model, batches), texts
            elif facts.task == CLASSIFY:
                found, says = predict(model, batches, tta=facts.tta), findings
            else:
                found = task_of(facts.task, run.plain.get("loss")).evaluate(model, batches)
                says = columns
        document["test"] = says.tested(found, facts.classes)
        document["mistakes"] = says.mistakes(found, matched.known)
        if facts.task == LANGUAGE:
            document["passage"] = texts.passage(model, matched.known)
        document["notes"] += [
            f"{len(pictures):,} test pictures of {title}, which the model does not know, are left out"
            for title, pictures in matched.unknown.items()
        ]
        document["notes"] += [matched.doubt] if matched.doubt else []
    except (ValueError, OSError) as error:
        why = f"The test set could not be read: {reason(error)}. --data-dir says where it lies."
        missing.update(test=why, mistakes=why)
        document["notes"].append(f"the test set could not be read: {reason(error)}")
    total = of_shape(model, (1, *shape))
    document["model"] = {
        "name": facts.model, "batch_norm": facts.is_normed, "data": facts.data,
        "parameters": total.parameters, "macs": total.macs,
    }  # fmt: skip
    _look_inside(document, trained, run, shape)
    document["layers"] = times and times(model, shape)
    if times is None:
        missing["layers"] = "Not measured: --no-timing was given."


def _look_inside(document, trained, run, shape):
    """Fill in what the weights alone tell."""
    first, missing = None, document["missing"]
    try:
        kept = run.path / FIRST  # of a net of one's own
        first = load(kept)[0] if kept.exists() else findings.before(run.plain, trained.facts)
    except (ValueError, OSError) as error:
        missing["before"] = f"The filters before training are not known: {error}."
    document["filters"] = findings.filters(trained.model, shape, first)
    if document["filters"] is None:
        missing["filters"] = "The first layer with weights has no filters that make pictures."
    document["norms"] = findings.norms(trained.model)
    if not document["norms"]:
        missing["norms"] = "The model has no batch norm."


def _compared(run):
    settings = {key: str(value) for key, value in run.plain.items() if key not in HIDDEN}
    return {"name": run.name, "settings": settings, "measure": run.measure, "task": run.task, **curves(run)}


def _config(run):
    """[name, value, origin or None] of each setting."""
    origins = run.config.get("origin")
    origins = origins if isinstance(origins, dict) else {}
    return [[key, _text(value), _text(origins.get(key))] for key, value in run.plain.items()]


def _flat(values, start=""):
    """[path, value] of each leaf of nested dicts."""
    found = []
    for key, value in values.items():
        if isinstance(value, dict):
            found += _flat(value, f"{start}{key}.")
        else:
            found.append([start + key, _text(value)])
    return found


def _text(value):
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return None if value is None else str(value)
