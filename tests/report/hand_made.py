"""A document as `cynet.report.gather` makes it, of numbers that are easy to know again."""

DOT = "data:image/png;base64,iVBORw0KGgo="
FIRST = {
    "name": "first", "measure": "test", "settings": {"lr": "0.1", "seed": "0", "model": "m"},
    "epochs": {"step": [10, 20, 30], "epoch": [1, 2, 3], "seconds": [60, 120, 180], "lr": [0.1, 0.1, 0.01],
               "train_loss": [2.0, 1.0, 0.5], "train_accuracy": [0.25, 0.5, 0.75],
               "test_loss": [2.5, 1.5, 1.25], "test_accuracy": [0.2, 0.7, 0.6]},
    "steps": {"step": [15, 30], "seconds": [90, 180], "lr": [0.1, 0.01], "loss": [1.5, 0.4],
              "low": [1.0, 0.2], "high": [3.0, 0.8]},
}  # fmt: skip
SECOND = {
    "name": "second", "measure": "test", "settings": {"lr": "0.2", "seed": "0", "model": "m", "ema": "0.9"},
    "epochs": {"step": [10, 20], "epoch": [1, 2], "seconds": [30, 60], "lr": [0.2, 0.02],
               "train_loss": [3.0, 2.0], "train_accuracy": [0.1, 0.2],
               "test_loss": [3.5, 2.25], "test_accuracy": [0.3, 0.4]},
    "steps": {},
}  # fmt: skip
TEST = {
    "classes": ["ant", "bee", "cow"], "accuracy": 0.7, "loss": 1.2345, "samples": [5, 2, 3],
    "confusion": [[3, 2, 0], [0, 2, 0], [0, 1, 2]], "recall": [0.6, 1.0, None], "precision": [1.0, 0.4, 0.9],
    "confused": [[0, 1, 2], [2, 1, 1]], "unsure": 1,
    "calibration": {"error": 0.0512, "edges": [0.0, 0.5, 1.0], "counts": [0, 10], "confidence": [None, 0.8],
                    "accuracy": [None, 0.7]},
}  # fmt: skip
DOCUMENT = {
    "cynet": "9.9", "name": "first", "runs": [FIRST, SECOND], "config": [["lr", "0.1", "flag"]],
    "environment": [["numpy", "2"], ["cores", None]], "command": "cynet train", "several": False,
    "said": ["diagnosis: it is tired"], "missing": {}, "notes": ["a note"], "file": "last.safetensors",
    "model": {"name": "uwnet2", "batch_norm": True, "data": "tiny", "parameters": 12345, "macs": 2_500_000},
    "test": TEST,
    "mistakes": [{"index": 7, "picture": DOT, "label": 0, "top": [[1, 0.9], [0, 0.08], [2, 0.02]]}],
    "filters": {"layer": "0", "count": 70, "shape": [3, 3, 3], "scale": 0.25, "after": [DOT, DOT],
                "before": [DOT, DOT], "change": [0.5, None]},
    "norms": [
        {"path": "1", "channels": 8, "mean": [-1, -0.5, 0, 0.5, 2], "deviation": [1, 2, 3, 4, 5],
         "gamma": [0.5, 0.75, 1, 1.25, 1.5], "beta": None},
        {"path": "4", "channels": 16, "mean": [0, 1, 2, 3, 4], "deviation": [0.1, 0.2, 0.3, 0.4, 0.5],
         "gamma": [1, 1, 1, 1, 1], "beta": None},
    ],
    "layers": {"batch": 128, "threads": 1, "processor": "A processor", "rows": [
        {"path": "0", "layer": "Conv2d(3, 8)", "output": [32, 32, 8], "forward": 0.001, "backward": 0.002},
        {"path": "1", "layer": "ReLU()", "output": [32, 32, 8], "forward": 0.0005, "backward": 0.0001},
    ]},
}  # fmt: skip
