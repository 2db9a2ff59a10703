"""Stand-ins for what bench measures: a clock that steps move, a peer that does nothing."""

from types import SimpleNamespace

import pytest

from cynet.bench import loading, processes, speed, timing


@pytest.fixture
def clock(monkeypatch):
    """`clock(seconds)` is a function that takes so long, by the only clock there is."""
    now = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: now[0])

    def taking(seconds):
        def run(*_):
            now[0] += seconds() if callable(seconds) else seconds

        return run

    return taking


@pytest.fixture
def peer(monkeypatch):
    """A framework "other" with two ways, which says what it was asked for."""
    asked = []
    other = SimpleNamespace(
        FORMATS={"one": 1, "two": 2},
        trains_in=lambda net, way: True,
        converted=lambda model: ("net", type(model).__name__),
        check_equal=lambda *given: asked.append(("equal", *given)),
        rest=lambda: None,
        set_num_threads=lambda n: asked.append(("threads", n)),
        asked=asked,
    )
    for module in (processes, speed, loading):
        monkeypatch.setattr(module.peers, "load", lambda name: {"other": other}[name])
    return other


@pytest.fixture
def shown():
    """A function: the rows of a report as dicts of text by heading; one that comes again is numbered."""

    def rows_of(report):
        headings, rows, _ = report.cells()
        before = [headings[:i].count(heading) for i, heading in enumerate(headings)]
        names = [
            f"{name} {count + 1}" if count else name for name, count in zip(headings, before, strict=True)
        ]
        return [dict(zip(names, row, strict=True)) for row in rows]

    return rows_of
