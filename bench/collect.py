"""How fast hosts are collected, beside what people use today, in one run.

    make bench-collect [HOSTS=400]

Loopback hosts of one real sshd, then the same hosts with 20 ms more for each round trip. The server
and the probes share the cores with whatever is measured, so all figures are too low for a real
fleet; it is their ratios that count.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from ipvs_audit.probe import script
from loopback_fleet import ME, ROOT, Fleet, delayed, fleet, quiet_environment
from timing import Goal, Measured, given, goals, note, run, table

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PEERS = ROOT / ".venv-bench" / "bin" / "python"
STOCK_HOSTS = 40
DELAY_MS = 20
FORKS = 64
OURS, BARE = "ipvs-audit, collecting", "bare paramiko, same script, 32 threads"
OPENSSH = "ipvs-audit --transport openssh, collecting"
STOCK, STOCK8 = "testinfra + paramiko, 12 commands", "the same, xdist -n 8"
ANSIBLE = "ansible -m raw -a true, 64 forks"
PARALLEL, XARGS = "parallel-ssh, same script, pool 32", "xargs -P32 ssh, same script"


def measure(there: Fleet, hosts: int) -> dict[str, tuple[int, Measured]]:
    """Hosts and figures of each program."""
    probe = there.folder / "probe.sh"
    probe.write_bytes(script.render(script.new_nonce()))
    inventory, config = there.inventory(hosts), there.ssh_config()
    settings = there.folder / "none.cfg"
    settings.touch()
    names = there.folder / "names"
    names.write_text("".join(f"host{number}\n" for number in range(hosts)))
    # Out of reach of this project's conftest.py.
    questions = there.folder / "test_stock.py"
    shutil.copyfile(HERE / "peer_testinfra.py", questions)
    environment = quiet_environment()
    login = (str(there.port), ME, there.key)
    python = (sys.executable, "-W", "ignore")
    ansible_options = "-o KexAlgorithms=curve25519-sha256 -o ControlMaster=no -F " + str(config)

    def ours(*more: Path) -> Measured:
        return run(
            [
                *python,
                HERE / "peer_ipvs_audit.py",
                inventory,
                there.known_hosts,
                "s.gz",
                str(FORKS),
                *more,
            ],
            cwd=there.folder,
            env=environment,
        )

    def stock(*more: str) -> Measured:
        to = ",".join(f"paramiko://host{number}" for number in range(STOCK_HOSTS))
        return run(
            [
                *(BIN / "pytest", "-q", "-c", "/dev/null", "-p", "no:cacheprovider"),
                *("--rootdir", there.folder, questions, "--hosts", to),
                *("--ssh-config", config, "--tb=no", *more),
            ],
            cwd=there.folder,
            env=environment,
        )

    programs = {
        OURS: ours,
        OPENSSH: lambda: ours(config),
        BARE: lambda: run(
            [*python, HERE / "peer_paramiko.py", *login, there.known_hosts, probe, str(hosts)],
            cwd=there.folder,
            env=environment,
        ),
        PARALLEL: lambda: run(
            [PEERS, HERE / "peer_parallel_ssh.py", *login, probe, str(hosts)],
            cwd=there.folder,
            env=environment,
        ),
        XARGS: lambda: run(
            [
                *("xargs", "-P32", "-I{}", "-a", names),
                *("sh", "-c", f"ssh -F {config} {{}} sh -s <{probe} >/dev/null"),
            ],
            cwd=there.folder,
            env=environment,
        ),
        ANSIBLE: lambda: run(
            [BIN / "ansible", "all", "-i", inventory, "-m", "raw", "-a", "true", "-f", "64", "-o"],
            cwd=there.folder,
            env={
                **environment,
                "ANSIBLE_CONFIG": str(settings),
                "ANSIBLE_SSH_ARGS": ansible_options,
                "ANSIBLE_TIMEOUT": "120",
                "ANSIBLE_HOME": str(there.folder / "ansible"),
            },
        ),
        STOCK: stock,
        STOCK8: lambda: stock("-n", "8"),
    }
    found = {}
    for name, program in programs.items():
        found[name] = (STOCK_HOSTS if name in (STOCK, STOCK8) else hosts, program())
        note(f"{name}: {found[name][1].seconds:.1f} s")
    return found


def show(part: str, title: str, found: dict[str, tuple[int, Measured]]) -> None:
    """The figures, and which goals they meet."""
    rate = {name: hosts / took.working for name, (hosts, took) in found.items()}
    cpu = {name: 1000 * took.working_cpu / hosts for name, (hosts, took) in found.items()}
    rows = [
        [
            name,
            str(found[name][0]),
            f"{found[name][1].seconds:.1f}",
            f"{found[name][1].working:.1f}",
            f"{rate[name]:.1f}",
            f"{cpu[name]:.1f}",
            f"{rate[OURS] / rate[name]:.1f}",
        ]
        for name in found
    ]
    head = [
        "program",
        "hosts",
        "s",
        "s without start-up",
        "hosts/s",
        "client CPU, ms/host",
        "ours is faster, times",
    ]
    table(title, head, rows)
    goals(
        f"collect-{part}",
        f"{title}: goals",
        [
            Goal(f"{part}: {what}", value, sign, want)
            for what, value, sign, want in (
                ("times less client CPU than stock testinfra", cpu[STOCK] / cpu[OURS], ">=", 12),
                ("times less client CPU than `ansible -m raw`", cpu[ANSIBLE] / cpu[OURS], ">=", 8),
                ("times as fast as parallel-ssh", rate[OURS] / rate[PARALLEL], ">=", 1),
                ("OpenSSH's client: time, times xargs ssh", rate[XARGS] / rate[OPENSSH], "<=", 1.1),
                ("OpenSSH's client: CPU, times xargs ssh", cpu[OPENSSH] / cpu[XARGS], "<=", 1.1),
            )
        ],
    )


def main(hosts: int) -> int:
    """Measure both fleets; 0 whatever the figures are, unless a program fails."""
    with fleet() as near:
        show("near", f"Collecting {hosts} loopback hosts", measure(near, hosts))
        with delayed(near, DELAY_MS) as far:
            show(
                "far", f"The same with {DELAY_MS} ms added to each round trip", measure(far, hosts)
            )
    return 0


if __name__ == "__main__":
    sys.exit(main(given("HOSTS", 400)))
