"""What `cynet lab train` does where nobody says it: plain numbers, so that a command's help loads no
NumPy."""

RATES, ROUNDS = (0.003, 0.01, 0.1), (0.03, 0.003)
STEPS, SECONDS = 200, 60
DATA = "shapes10", "cifar10"
