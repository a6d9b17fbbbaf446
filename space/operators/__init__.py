"""The operator list: traced from any network, or assembled from known parts for architectures."""

from space.operators.kinds import UnknownOperatorError
from space.operators.meta import meta_copy
from space.operators.operator import Operator, OperatorList
from space.operators.screen import Screening, screen
from space.operators.trace import trace

__all__ = ["Operator", "OperatorList", "Screening", "UnknownOperatorError", "meta_copy", "screen", "trace"]
