"""Floor 5: a training on disk: its settings, its folder, checkpoints to go on from, weights, replay."""
