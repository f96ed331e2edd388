from app.core import Core
from app.lib.audit.chain import Chainer


def build(core: Core) -> None:
    """The chain of the audit log, which grows wherever jobs run."""
    core.working_lifespans.append(Chainer(core.job_database).running)
