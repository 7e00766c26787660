"""What is left of memory under each kind of limit; what a process has freed it does not ask for again."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from napari_necroseg.core.process import left_in_control_groups, left_in_slurm_job

# Page faults of ten tensors of 64 MiB, each freed before the next.
COUNT = """
import resource
import numpy as np
{keep}
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        np.empty(2**26, np.uint8)[::4096] = 1
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(faults())
"""
KEEP = "from napari_necroseg.core.process import keep_freed_memory; keep_freed_memory()"


def faults(keep: str) -> int:
    code = COUNT.format(keep=keep)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it changes the GNU C library's way only")
def test_what_was_freed_is_used_again() -> None:
    assert faults(KEEP) < faults("") / 10


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere nothing is kept")
def test_what_is_kept_counts_as_available() -> None:
    code = f"""
{KEEP}
import numpy as np, psutil
from napari_necroseg.core.process import available_bytes
before = available_bytes() - psutil.virtual_memory().available
np.ones(2**28, np.uint8)
print(available_bytes() - psutil.virtual_memory().available - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) == pytest.approx(2**28, rel=0.1)


def write_tree(root: Path, files: dict[str, str]) -> Path:
    """Files of the system below another root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


V2 = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
V1 = "36 31 0:33 {root} /sys/fs/cgroup/memory rw,nosuid shared:14 - cgroup cgroup rw,memory\n"


def test_a_container_leaves_what_its_limit_does(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "proc/self/mountinfo": V2,
            "proc/self/cgroup": "0::/\n",
            "sys/fs/cgroup/memory.max": "4000000000\n",
            "sys/fs/cgroup/memory.current": "1500000000\n",
            "sys/fs/cgroup/memory.stat": "anon 900000000\nfile 600000000\ninactive_file 500000000\n",
        },
    )
    # Half a gigabyte of it is a cache of files, which the system drops when memory is short.
    assert list(left_in_control_groups(tmp_path)) == [3_000_000_000]


def test_a_group_without_a_limit_is_within_one_that_has_it(tmp_path: Path) -> None:
    job = "sys/fs/cgroup/system.slice/job_7"
    write_tree(
        tmp_path,
        {
            "proc/self/mountinfo": V2,
            "proc/self/cgroup": "0::/system.slice/job_7/step_0\n",
            f"{job}/step_0/memory.max": "max\n",
            f"{job}/step_0/memory.current": "100\n",
            f"{job}/memory.max": "2000\n",
            f"{job}/memory.current": "700\n",
        },
    )
    assert list(left_in_control_groups(tmp_path)) == [1300]


@pytest.mark.parametrize(
    ("mounted", "where"),
    [("/", "slurm/uid_1/job_7"), ("/slurm/uid_1/job_7", ""), ("/docker/elsewhere", "")],
    ids=["from-outside", "from-inside", "another-name-inside"],
)
def test_a_limit_of_the_first_version_of_control_groups_counts(
    tmp_path: Path, mounted: str, where: str
) -> None:
    group = f"sys/fs/cgroup/memory/{where}"
    write_tree(
        tmp_path,
        {
            "proc/self/mountinfo": V2.replace("/sys/fs/cgroup ", "/sys/fs/cgroup/unified ")
            + V1.format(root=mounted),
            "proc/self/cgroup": "5:cpu,cpuacct:/\n4:memory:/slurm/uid_1/job_7\n0::/\n",
            f"{group}/memory.limit_in_bytes": "5000\n",
            f"{group}/memory.usage_in_bytes": "3000\n",
            f"{group}/memory.stat": "inactive_file 1\ntotal_inactive_file 1000\n",
        },
    )
    assert list(left_in_control_groups(tmp_path)) == [3000]


@pytest.mark.parametrize("text", ["", "nonsense\n", "1 2 3 - \n"])
def test_no_control_groups_are_no_limit(tmp_path: Path, text: str) -> None:
    write_tree(tmp_path, {"proc/self/mountinfo": text, "proc/self/cgroup": text})
    assert list(left_in_control_groups(tmp_path)) == []


def test_a_slurm_job_leaves_what_it_was_given_less_what_is_in_use() -> None:
    used = psutil.Process().memory_info().rss
    per_node, per_core = {"SLURM_MEM_PER_NODE": "16384"}, {"SLURM_MEM_PER_CPU": "4096"}
    for environment in (per_node, per_core | {"SLURM_CPUS_ON_NODE": "4"}):
        (left,) = left_in_slurm_job(environment)
        assert left == pytest.approx(16384 * 2**20 - used, abs=2**28)
    # 0 stands for all of the node.
    for environment in ({}, {"SLURM_MEM_PER_NODE": "0"}, {"SLURM_MEM_PER_NODE": "many"}):
        assert list(left_in_slurm_job(environment)) == []


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="macOS does not heed it, Windows has none")
def test_what_ulimit_allows_is_all_there_is() -> None:
    code = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, resource.RLIM_INFINITY))
from napari_necroseg.core.process import available_bytes
print(available_bytes())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 2 * 2**30 < int(done.stdout) < 3 * 2**30
