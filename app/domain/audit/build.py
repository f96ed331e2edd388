from functools import partial

from app.core import Core
from app.lib.audit.chain import Chainer
from app.lib.jobs.background import repeating


def build(core: Core) -> None:
    """The chain of the audit log, which grows wherever jobs run."""
    core.working_lifespans.append(partial(repeating, Chainer(core.job_database).step, "audit.chain_failed"))
