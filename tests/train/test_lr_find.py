"""The range test of learning rates."""

import numpy as np
import pytest
import tiny

from cynet.runs.session import Session, Settings
from cynet.train import lr_find


def session(**settings):
    settings = {"data": "tiny", "batch_size": 8, "workers": 0} | settings
    return Session(Settings(**settings).resolved(64), tiny.tiny(), tiny.tiny(split="test"))


def test_rates_grow_evenly_until_the_loss_breaks_off():
    with session() as one:
        found = lr_find.lr_find(one.trainer, one.batches, steps=60)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e5) / 59)
    assert found.rates[0] == pytest.approx(1e-4)
    assert len(found.rates) == len(found.losses) == len(found.smooth)
    assert found.smooth[0] == pytest.approx(found.losses[0])
    assert found.rates[0] < found.suggestion < found.rates[-1]


def test_the_suggestion_is_where_the_loss_falls_fastest():
    rates = np.geomspace(1e-4, 10, 101)
    smooth = 2 - 1.5 / (1 + np.exp(-(np.log10(rates) + 2) * 6)) + 100 * (rates > 1)
    assert lr_find._steepest(rates, smooth) == pytest.approx(0.01, rel=0.3)


def test_a_loss_that_is_never_finite_is_told():
    with session() as one:
        one.model[0].weight.data[:] = np.nan
        with pytest.raises(ValueError, match="lr_find: wanted a finite loss"):
            lr_find.lr_find(one.trainer, one.batches)


def test_the_curve_as_a_table_and_a_picture(tmp_path):
    with session() as one:
        found = lr_find.lr_find(one.trainer, one.batches, steps=25)
    lines = lr_find.rows(found).splitlines()
    assert lines[0] == "step,lr,loss,smooth_loss" and len(lines) == 1 + len(found.rates)
    assert float(lines[1].split(",")[1]) == pytest.approx(1e-4)
    pytest.importorskip("matplotlib")
    lr_find.plot(found, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
