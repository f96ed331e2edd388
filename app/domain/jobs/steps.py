"""How the requests of this domain follow each other in ``docs/api.http``."""

from app.lib.openapi.collection import Steps

_JOB = {"job_id": "{{listOpenJobs.response.body.items[0].id}}"}

STEPS = Steps(
    late=("cancelJob", "retryJob"),
    repeats={"listOpenJobs": "listJobs"},
    values={
        "listOpenJobs": {"status": ["pending", "running"]},
        "getJob": {"job_id": "{{listJobs.response.body.items[0].id}}"},
        "cancelJob": _JOB,
        "retryJob": _JOB,
    },
)
