"""What __init__.py loads when asked, once more for what checks types; see tests/test_type_checking.py."""

from .calls import resume as resume
from .calls import start as start
from .errors import FailedError as FailedError
from .errors import RefusedError as RefusedError
from .outcome import Outcome as Outcome
from .page import write_report as write_report
from .run import Run as Run
from .run import open as open
from .settings import Settings as Settings
