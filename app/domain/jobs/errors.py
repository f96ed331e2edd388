from app.lib.errors import InvalidState, NotFound


class JobNotFound(NotFound):
    detail = "There is no such job."


class JobNotRetryable(InvalidState):
    detail = "Only a failed or cancelled job can be run again, and not while another one has its key."


class JobNotCancellable(InvalidState):
    detail = "Only a job that waits or runs can be cancelled."
