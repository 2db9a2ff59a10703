"""What `cynet lab train` does where nobody says it: plain numbers, so that a command's help loads no
NumPy."""

RATES, ROUNDS = (0.01, 0.1, 1.0), (0.1, 0.01)
STEPS, SECONDS = 200, 60
DATA = "shapes10", "cifar10"
