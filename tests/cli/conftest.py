"""The small project of shell stages, as the tests of flows/ have it."""

from tests.flows.conftest import project, shell_project

__all__ = ["project", "shell_project"]
