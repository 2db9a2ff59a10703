"""The figures of `cynet bench`: each point where its number is, each line by its name, axes with units."""

import pytest

from cynet.bench import growth_picture, scaling_picture
from cynet.bench.report import Report

pytest.importorskip("matplotlib")


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function: the figure that a picture's `write` drew of some reports."""
    from matplotlib.figure import Figure

    seen = []

    def savefig(figure, file, **more):  # what it draws in pixels is matplotlib's, and takes a second
        seen.append((figure, more))
        file.write(b"the picture")

    monkeypatch.setattr(Figure, "savefig", savefig)

    def of(write, reports):
        write(reports, tmp_path / "a.png")
        ((figure, more),) = seen
        assert more == {"format": "png", "dpi": 120} and (tmp_path / "a.png").read_bytes() == b"the picture"
        return figure

    return of


def lines(panel):
    """{name: (x, y)} of what is drawn in a panel."""
    return {
        line.get_label(): (list(line.get_xdata()), [pytest.approx(y) for y in line.get_ydata()])
        for line in panel.get_lines()
    }


def named(panel):
    return [text.get_text() for text in panel.get_legend().get_texts()]


def grown(what, key, values, size):
    rows = [
        {key: value, f"train_{size}": 3e-6 * (i + 1), f"infer_{size}": 1e-6 * (i + 1)}
        for i, value in enumerate(values)
    ]
    return Report(f"growth: {what}", (), rows)


def test_the_four_figures_of_growth(drawn):
    counted = [
        {"threads": 1, "seconds": 0.8, "model": 0.9, "model_one_memory": 1.2},
        {"threads": 2, "seconds": 0.5, "model": 0.45, "model_one_memory": 0.8},
        {"threads": 4, "seconds": None, "model": 0.3, "model_one_memory": 0.6},
    ]
    figure = drawn(growth_picture.write, [
        grown("batch", "batch_size", (1, 64), "picture"), grown("side", "side", (16, 32), "pixel"),
        grown("depth", "model", ("resnet20", "resnet56"), "picture"), Report("growth: threads", (), counted),
    ])  # fmt: skip
    batch, side, depth, threads = figure.axes
    for panel, at, factor in ((batch, [1, 64], 1e6), (side, [16, 32], 1e9), (depth, [20, 56], 1e6)):
        assert lines(panel) == {
            "training": (at, [3e-6 * factor, 6e-6 * factor]),
            "inference": (at, [1e-6 * factor, 2e-6 * factor]),
        }  # fmt: skip
        assert named(panel) == ["training", "inference"] and panel.get_ylim()[0] == 0
        first, second = panel.get_lines()
        assert first.get_color() != second.get_color() and first.get_marker() == second.get_marker() == "o"
    assert [panel.get_xlabel() for panel in figure.axes] == ["batch", "side, pixels", "depth", "threads"]
    assert [panel.get_ylabel() for panel in figure.axes] == [
        "µs a picture", "ns a pixel", "µs a picture", "speed-up",
    ]  # fmt: skip
    assert [panel.get_xscale() for panel in figure.axes] == ["log", "log", "linear", "log"]
    assert threads.get_yscale() == "log"
    assert lines(threads) == {
        "model": ([1, 2, 4], [1, 2, 3]), "model, no more memory": ([1, 2, 4], [1, 1.5, 2]),
        "measured": ([1, 2], [1, 1.6]),
    }  # fmt: skip
    assert named(threads) == ["model", "model, no more memory", "measured"]
    assert [line.get_linestyle() for line in threads.get_lines()] == ["-", "--", "None"]


def test_the_figure_of_many_machines(drawn):
    rows = [
        {"model": name, "machines": n, "same_batch": same, "batch_a_machine": grown, "pictures": pictures}
        for name, n, same, grown, pictures in (
            ("a", 2, 0.9, 0.95, 10), ("a", 4, 0.5, 0.9, None),
            ("b", 2, 0.8, 0.85, 300), ("b", 4, 0.4, 0.8, 500),
        )
    ]  # fmt: skip
    facts = {"batch_size": 512, "a_machine": 8, "wanted": 0.9, "line": "1 ms and 10 Gbit/s"}
    reports = [Report("distributed", (), []), Report("distributed: the model", (), rows, (), facts)]
    figure = drawn(scaling_picture.write, reports)
    same, grown, pictures = figure.axes
    assert lines(same) == {"a": ([2, 4], [90, 50]), "b": ([2, 4], [80, 40])}
    assert lines(grown) == {"a": ([2, 4], [95, 90]), "b": ([2, 4], [85, 80])}
    assert lines(pictures) == {"a": ([2], [10]), "b": ([2, 4], [300, 500])}
    assert named(same) == ["a", "b"]
    looks = [(line.get_color(), line.get_marker()) for line in same.get_lines()]
    assert len({color for color, _ in looks}) == len({mark for _, mark in looks}) == 2
    assert [panel.get_title() for panel in figure.axes] == [
        "512 pictures in all", "512 pictures a machine, in 8 shards",
        "pictures a machine, in one shard, for 90 %",
    ]  # fmt: skip
    assert [panel.get_ylabel() for panel in figure.axes] == ["efficiency, %", "efficiency, %", ""]
    for panel in figure.axes:
        assert panel.get_xlabel() == "machines" and panel.get_xscale() == "log"
        assert [label.get_text() for label in panel.get_xticklabels()] == ["2", "4"]
        assert list(panel.get_xticks()) == [2, 4] and not list(panel.get_xticks(minor=True))
    for panel in (same, grown):  # all of them are seen, 100 % too
        low, high = panel.get_ylim()
        assert low == 0 and 100 < high < 110 and panel.get_yscale() == "linear"
    assert pictures.get_yscale() == "log" and pictures.yaxis.get_major_formatter()(512, 0) == "512"
    assert figure.get_suptitle() == "Predicted for machines 1 ms and 10 Gbit/s apart"
