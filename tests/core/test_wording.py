"""How messages write settings, in Python and on the command line."""

import pytest

from cynet.core.wording import FLAGS, Wording


@pytest.mark.parametrize(("call", "python", "flags"), [
    (lambda words: words("batch_size"), "batch_size", "--batch-size"),
    (lambda words: words.with_value("batch_size", 30), "batch_size=30", "--batch-size 30"),
    (lambda words: words.with_text("class_weights", "balanced"), "class_weights='balanced'",
     "--class-weights balanced"),
    (lambda words: words.with_text("data_dir", "a b"), "data_dir='a b'", "--data-dir 'a b'"),
    (lambda words: words.switched("augment"), "augment=True", "--augment"),
    (lambda words: words.lr_find, "`cynet train --lr-find`", "--lr-find"),
])  # fmt: skip
def test_a_setting_is_written_as_one_writes_it(call, python, flags):
    assert (call(Wording()), call(FLAGS)) == (python, flags)
