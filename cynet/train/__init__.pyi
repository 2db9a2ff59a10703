"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from cynet.core.files import DamagedError as DamagedError
from cynet.runs.folder import RunFolder as RunFolder
from cynet.runs.predictor import Predictor as Predictor
from cynet.runs.recorder import Keeper as Keeper
from cynet.runs.recorder import Recorder as Recorder
from cynet.runs.session import Session as Session
from cynet.runs.settings import Settings as Settings
from cynet.runs.tables import Table as Table
from cynet.runs.weights import load_weights as load_weights
from cynet.runs.weights import save_weights as save_weights

from .label_metrics import LabelEvaluation as LabelEvaluation
from .loop import Observer as Observer
from .loop import train as train
from .metrics import Evaluation as Evaluation
from .metrics import evaluate as evaluate
from .number_metrics import NumberEvaluation as NumberEvaluation
from .predictions import Predictions as Predictions
from .predictions import predict as predict
from .signals import Signals as Signals
from .signals import Stopped as Stopped
from .task import LabelTask as LabelTask
from .task import NumberTask as NumberTask
from .task import Task as Task
from .trainer import Diverged as Diverged
from .trainer import Place as Place
from .trainer import Trainer as Trainer
