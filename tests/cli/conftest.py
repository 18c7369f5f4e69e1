"""The small project of shell stages, as the tests of flows/ have it; and one whose rows can be traced."""

from tests.flows.conftest import project, shell_project
from tests.small_traces import traced

__all__ = ["project", "shell_project", "traced"]
