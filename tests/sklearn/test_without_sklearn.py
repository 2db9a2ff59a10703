"""Without scikit-learn cynet is there, its door is there, and who asks for an estimator is told so."""

from helpers import run_python

WITHOUT = "import sys; sys.modules['sklearn'] = None\n"


def test_the_sentence_names_the_extra():
    code = WITHOUT + (
        "import cynet\n"
        "assert 'CNNClassifier' in dir(cynet.sklearn)\n"
        "try: from cynet.sklearn import CNNClassifier\n"
        "except ImportError as error: print(error)\n"
    )
    done = run_python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    wanted = (
        "cynet.sklearn needs scikit-learn, 1.6 or newer, which is an extra: pip install 'cynet[sklearn]'\n"
    )
    assert done.stdout == wanted


def test_the_door_loads_neither_scikit_learn_nor_numpy():
    done = run_python("-c", "import sys, cynet.sklearn; print({'sklearn', 'numpy'} & set(sys.modules))")
    assert (done.returncode, done.stdout) == (0, "set()\n"), done.stderr
