"""What machine this is, and whether it had other work during the run."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from benchmarks.measure import Figures
from benchmarks.server import OURS

IDLE_LOAD, LITTLE_STEAL, LITTLE_SPREAD = 0.5, 0.01, 0.15


class Machine:
    """Made before the run starts, because the run itself is load."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._times = _processor_times()
        found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
        self.cores = os.cpu_count() or 1
        self.facts = {
            "processor": found[1] if found else platform.machine(),
            "cores": str(self.cores),
            "system": f"{platform.system()} {platform.release()}",
            "python": platform.python_version(),
        }

    def busy(self, rows: Mapping[str, Mapping[str, Figures]]) -> list[str]:
        """Reasons not to trust the figures; none on a machine that did nothing else."""
        reasons = []
        if self._load > IDLE_LOAD * self.cores:
            reasons.append(f"load average {self._load:.1f} on {self.cores} cores before the start")
        steal, everything = (now - before for now, before in zip(_processor_times(), self._times, strict=True))
        if steal > LITTLE_STEAL * everything:
            reasons.append(f"{steal / everything:.0%} of the processors' time went to other virtual machines")
        uneven = [row for row, servers in rows.items() if servers[OURS].spread > LITTLE_SPREAD]
        if uneven:
            reasons.append(f"the rounds differ by more than {LITTLE_SPREAD:.0%} in {', '.join(uneven)}")
        return reasons


def _processor_times() -> tuple[int, int]:
    """Stolen, and all."""
    times = [int(each) for each in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return times[7], sum(times)
