"""The exception tree.

LianziError                what a person can put right: shown as one or two lines, exit code 1
├── ParameterError         params.yaml, or a --set: unknown, mistyped, out of range
├── DataError              a file of data/: missing, empty, malformed, undecodable, inconsistent
├── ValidationFailed       a Great Expectations suite found what it must not find
├── ArtifactError          an artifact is missing, damaged, or was made for something else
│   └── VerificationError  a part of what would be shipped is not the checkpoint's
├── InputsChanged          parameters, code or data changed while a stage was reading them
├── DoesNotFit             a planned run needs more memory or disk than there is
├── EngineError            an inference engine cannot be built or run on this machine
└── ServiceError           Prefect, MLflow or DVC cannot be reached, started or locked

Interrupted                someone asked to stop (Ctrl-C, SIGTERM): exit code 130

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations


class LianziError(Exception):
    """A mistake or circumstance a person can put right.

    The message says what is wrong and where; `hint` says what to do next.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message}\n{self.hint}" if self.hint else message


class ParameterError(LianziError):
    """params.yaml or a --set override is wrong."""


class DataError(LianziError):
    """A data file is missing, empty, malformed or inconsistent."""


class ValidationFailed(LianziError):
    """The data broke an expectation of its suite."""


class ArtifactError(LianziError):
    """An artifact is missing, damaged or does not fit."""


class VerificationError(ArtifactError):
    """A part of a bundle is not what the checkpoint has there; `part` names it."""

    def __init__(self, part: str, reason: str, hint: str = "") -> None:
        super().__init__(f"{part}: {reason}", hint)
        self.part, self.reason = part, reason


class InputsChanged(LianziError):
    """What a stage was made from is no longer there as it was."""


class DoesNotFit(LianziError):
    """A run was planned that this machine has no room for."""


class EngineError(LianziError):
    """An engine cannot be built or run here."""


class ServiceError(LianziError):
    """Prefect, MLflow or DVC is out of reach."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM, raised where the work may stop; like KeyboardInterrupt, no error that could be handled."""


def first_line(error: BaseException | str) -> str:
    """What a library's error says, in one line."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
