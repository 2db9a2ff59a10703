"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from cynet.report.writing import write_report as write_report

from .calls import resume as resume
from .calls import start as start
from .errors import FailedError as FailedError
from .errors import RefusedError as RefusedError
from .outcome import Outcome as Outcome
from .run import Run as Run
from .run import open as open
