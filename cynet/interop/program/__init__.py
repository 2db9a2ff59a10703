"""A net for samples of one shape as a flat list of steps: what every exporter reads."""
