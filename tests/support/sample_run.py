"""A run as the lab gives it, with a host for every verdict, and fleets of any size made from it."""

from __future__ import annotations

from dataclasses import replace

from ipvs_audit.model.comparison import Change, Comparison
from ipvs_audit.model.control import Control
from ipvs_audit.model.results import HostResult, HostState, LatencyResult, Run
from ipvs_audit.model.verdict import Evidence, Result, Verdict
from ipvs_audit.model.waiver import Waiver, WaiverState, WaiverUse

CONTROLS = (
    Control(
        "EST-1",
        "kernel-support",
        "high",
        "vendor document: supported kernel versions",
        "Only kernels that have net.ipv4.vs.run_estimation can switch estimation off.",
        "Update to a kernel that has net.ipv4.vs.run_estimation, and boot it.",
    ),
    Control(
        "EST-2",
        "sysctl-persisted",
        "high",
        "vendor document: step 2",
        "A value that is not persisted is gone with the next boot. Where several files set it, "
        "the last one read wins, and each loader reads in an order of its own.",
        "Write net.ipv4.vs.run_estimation = 0 to /etc/sysctl.conf, and remove the other lines.",
    ),
    Control(
        "EST-3",
        "module-reload",
        "high",
        "vendor document: step 3, reloads",
        "Loading ip_vs sets the value back to 1, so something must set it again on every load.",
        "Install the recipe's hook in /etc/modprobe.d/ipvs.conf, and keep the value in the file "
        "that the hook reads.",
    ),
    Control(
        "EST-4",
        "live-value",
        "high",
        "vendor document: step 4, method 1",
        "The running value is what stalls packets or does not, whatever any file says.",
        "sysctl -w net.ipv4.vs.run_estimation=0",
    ),
    Control(
        "EST-5",
        "namespaces",
        "medium",
        "vendor document: step 3, containers",
        "A new network namespace starts with estimation on, whatever the host's value is.",
        "nsenter -t PID -n sysctl -w net.ipv4.vs.run_estimation=0",
    ),
    Control(
        "EST-6",
        "frozen-counters",
        "medium",
        "vendor document: step 4, method 2",
        "Totals that stand still while the raw counters grow prove that no estimator runs.",
        "See EST-4 and EST-5; a value of 0 with moving totals is a kernel defect to report.",
    ),
)
CONTROLS = tuple(
    replace(
        one,
        proves=one.id != "EST-1",
        references=("NIST SP 800-53 CM-6", "ISO/IEC 27001:2022 A.8.9", "ACME-LNX-017"),
        file=f"checks/test_{one.id.lower().replace('-', '_')}.py",
    )
    for one in CONTROLS
)

_AT = "2026-11-23T02:00:04.211Z"
_ROOT = "root (uid 0)"


def _shown(section: str, output: str, status: int | None = 0) -> Evidence:
    return Evidence(section, output, status, _ROOT, _AT)


_STATS_PERCPU = """\
       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0      3A1     1B42        0            A41F0                0
  1      2F0     16C3        0            8D210                0
  ~      5EE     2BAA        0           10A3D2                0
"""

_LATER = _STATS_PERCPU.replace(
    "3A1     1B42        0            A41F0", "3F7     1D9E        0            B20C4"
)

EVIDENCE = {
    "EST-1": (
        _shown("host", "6.1.0-41-amd64\n"),
        _shown("module", "/proc/sys/net/ipv4/vs/run_estimation\n"),
    ),
    "EST-2": (
        _shown("sysctl", "net.ipv4.vs.run_estimation = 0\n", None),
        _shown("loaders", "lrwxrwxrwx 1 root root 99-sysctl.conf -> ../sysctl.conf\n"),
    ),
    "EST-3": (
        _shown(
            "modprobe",
            "install ip_vs /sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p\n",
            None,
        ),
    ),
    "EST-4": (_shown("netns", "0\n"),),
    "EST-5": (
        _shown("netns", "4026531840 host\n4026532201 blue\n4026532263 red\n"),
        _shown(
            "module",
            "net.ipv4.vs.run_estimation = 1\n",
        ),
    ),
    "EST-6": (
        _shown("stats.0", _STATS_PERCPU),
        _shown("stats.2", _LATER),
    ),
}

_PASSES = {
    "EST-1": ("a kernel that has net.ipv4.vs.run_estimation", "the kernel has the key"),
    "EST-2": ("run_estimation = 0 from every loader", "/etc/sysctl.conf:12 sets 0, and wins"),
    "EST-3": ("0 after ip_vs is loaded again", "the hook runs sysctl -p, which reads 0"),
    "EST-4": ("run_estimation = 0", "run_estimation = 0"),
    "EST-5": ("run_estimation = 0 in every namespace that holds rules", "no other namespace"),
    "EST-6": ("totals frozen while raw counters grow", "raw grew by 1,204 packets, totals by 0"),
}


def result(
    control: str,
    verdict: Verdict = Verdict.PASS,
    message: str = "",
    observed: str = "",
    *,
    waiver: str | None = None,
    evidence: tuple[Evidence, ...] = (),
) -> Result:
    about = next(one for one in CONTROLS if one.id == control)
    expected, seen = _PASSES[control]
    return Result(
        control,
        about.name,
        verdict,
        about.severity,
        message or observed or seen,
        expected,
        observed or seen,
        evidence or EVIDENCE[control],
        waiver,
        fix=about.fix if verdict is Verdict.FAIL else "",
    )


def host(name: str, *changes: Result, kernel: str = "6.1.0-41-amd64") -> HostResult:
    """An assessed host on which all controls pass, but those given."""
    given = {change.control: change for change in changes}
    return HostResult(
        name=name,
        id=name,
        groups=("ipvs",),
        state=HostState.ASSESSED,
        reason="",
        kernel=kernel,
        facts={
            "operating system": "Debian GNU/Linux 12 (bookworm)",
            "address": "ssh root@127.0.0.1:2201",
            "host key": "SHA256:Xl2bGh5kqzM0u3wQfM4d6oQ9h8T1f1G9f4Wc7T6B2Vk",
            "machine id": "3f1c0d0e6b7a4f7a9d9d3c9b2b9f6a10",
            "boot id": "0d6a2f4e-7d0f-4b7e-9a7c-0f0f6f1f2a3b",
            "uptime": "4 min",
            "clock": "agrees with the controller",
            "exposure": "2 services, 4 destinations, 2 possible CPUs: 12 reads every 2 s",
            "statistics readers": "node_exporter (pid 412) reads: its ipvs collector goes flat",
        },
        controls=tuple(given.get(one.id) or result(one.id) for one in CONTROLS),
        started="2026-11-23T02:00:01.004Z",
        finished="2026-11-23T02:00:08.310Z",
    )


NOT_PERSISTED = "no file that a loader reads sets net.ipv4.vs.run_estimation"
NO_NAMESPACE = "no other network namespace holds IPVS rules"
DOWN = (
    "127.0.0.1:2207 refused the connection; is sshd running there? "
    "Check ansible_host and ansible_port"
)


def lab_hosts() -> tuple[HostResult, ...]:
    """The lab's seven hosts, with the verdicts that issue 2 asks of them."""
    fail, na = Verdict.FAIL, Verdict.NOT_APPLICABLE
    alone = result("EST-5", na, NO_NAMESPACE)
    return (
        host("compliant", alone),
        host(
            "drifted",
            result(
                "EST-2",
                fail,
                NOT_PERSISTED,
                "no assignment",
                evidence=(_shown("grep -r run_estimation /etc/sysctl.conf /etc/sysctl.d", "", 1),),
            ),
            result(
                "EST-3",
                fail,
                "nothing sets the value after ip_vs is loaded",
                "no hook",
                evidence=(_shown("grep -r ip_vs /etc/modprobe.d /etc/udev/rules.d", "", 1),),
            ),
            result(
                "EST-4",
                fail,
                "estimation runs: run_estimation = 1",
                "run_estimation = 1",
                evidence=(_shown("netns", "1\n"),),
            ),
            alone,
            result("EST-6", fail, "the totals grew by 1,204 packets in 5.2 s: estimation runs"),
        ),
        host(
            "trap",
            result(
                "EST-3",
                fail,
                "the hook in /etc/modprobe.d/ipvs.conf:1 runs 'sysctl -p', which reads only "
                "/etc/sysctl.conf; the value is in /etc/sysctl.d/90-ipvs.conf:1, so ip_vs comes "
                "up with 1 after the next load",
                "the hook does not read the file that holds the value",
            ),
            alone,
        ),
        host(
            "namespaced",
            result(
                "EST-5",
                fail,
                "estimation runs in namespace red (inode 4026532263, /run/netns/red)",
                "blue: 0; red: 1; green: 1, holds no rules",
                waiver="OPS-1412: red is torn down on 2026-12-01 (approved by A. Auditor, "
                "expires 2026-12-08)",
            ),
            kernel="6.12.57+deb13-amd64",
        ),
        host(
            "legacy",
            result("EST-1", fail, "kernel 5.10.0-36-amd64 cannot switch estimation off"),
            result("EST-4", na, "this kernel has no net.ipv4.vs.run_estimation"),
            alone,
            result("EST-6", Verdict.INCONCLUSIVE, "this kernel cannot be off, see EST-1"),
            kernel="5.10.0-36-amd64",
        ),
        host(
            "idle",
            alone,
            result("EST-6", Verdict.INCONCLUSIVE, "no traffic in 5.2 s: send some, and run again"),
            kernel="6.12.57+deb13-amd64",
        ),
        HostResult(
            "down",
            "down",
            ("ipvs",),
            HostState.UNREACHABLE,
            DOWN,
            "",
            facts={"failure": "refused"},
            started="2026-11-23T02:00:01.004Z",
            finished="2026-11-23T02:00:01.007Z",
        ),
    )


EXCLUDED = HostResult(
    "spare", "spare", ("ipvs", "spares"), HostState.EXCLUDED, "in the rack, not yet in service", ""
)


def run(hosts: tuple[HostResult, ...] | None = None) -> Run:
    return Run(
        id="2026-11-23T02-00-00Z",
        started="2026-11-23T02:00:00.000Z",
        finished="2026-11-23T02:00:09.120Z",
        operator="jenkins",
        controller="ci-7.example.com",
        argv=("pytest", "--inventory", "inventories/lab.yml", "--vault-password-file", "***"),
        version="0.1.0",
        versions={
            "python": "3.11.2",
            "pytest": "9.2.0",
            "pytest-testinfra": "10.2.2",
            "paramiko": "5.1.0",
            "junit-xml": "1.9",
            "ansible-core": "2.19.14",
        },
        estimation="disabled",
        policy_sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        inventory_sha256="60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        inventory=("inventories/lab.yml",),
        controls=CONTROLS,
        required=tuple(one.id for one in CONTROLS),
        hosts=lab_hosts() if hosts is None else hosts,
    )


def fleet(size: int) -> tuple[HostResult, ...]:
    """A fleet in which every sixth host or so is wrong in one of the lab's ways."""
    right, *wrong = lab_hosts()
    groups = (("cn-hangzhou",), ("cn-shanghai",), ("cn-beijing", "ipvs"))
    hosts = []
    for number in range(size):
        model = wrong[number // 6 % len(wrong)] if number % 6 == 0 else right
        name = f"lb-{number:05d}.prod.example.com"
        hosts.append(replace(model, name=name, id=name, groups=groups[number % 3]))
    return tuple(hosts)


OLD = Waiver(
    "inventories/waivers.yml:9",
    "old*:&ipvs",
    "EST-1",
    "replaced in summer",
    "OPS-1001",
    "A. Auditor",
    "2026-09-30",
)


def accompanied(run: Run, text: str = "") -> Run:
    """The run with all that comes beside results: policy, job, waivers, a comparison."""
    old = (
        replace(OLD, **dict.fromkeys(("place", "hosts", "justification", "ticket"), text))
        if (text)
        else OLD
    )
    names = [host.name for host in run.hosts] or ["web1"]
    change = Change(names[0], "EST-4", "pass", "fail")
    return replace(
        run,
        policy={
            "estimation": "disabled",
            "ack": False,
            "floors": {text or "alinux3": "5.10.134-14"},
            "sample_seconds": 5,
        },
        job="https://ci.example.com/job/ipvs-audit/12/",
        waivers=(
            WaiverUse(
                replace(
                    old,
                    place="inventories/waivers.yml:2",
                    control="EST-5",
                    ticket=text or "OPS-1412",
                    expires="2026-12-08",
                    justification=text or "red is torn down on 2026-12-01",
                ),
                WaiverState.IN_FORCE,
                1,
                {"fail": 1},
                ends_soon=True,
            ),
            WaiverUse(old, WaiverState.EXPIRED, 1, {"fail": 1}),
            WaiverUse(replace(old, hosts="gone*", expires="2027-01-31"), WaiverState.UNMATCHED, 0),
            WaiverUse(
                replace(old, control="EST-4", expires="2027-01-31"),
                WaiverState.NOT_NEEDED,
                2,
                {"pass": 2},
            ),
        ),
        waivers_sha256="ab" * 32,
        baseline=Comparison(
            id=text or "2026-11-22T02-00-00Z",
            finished="2026-11-22T02:00:11Z",
            sha256="cd" * 32,
            newly_failing=(change, replace(change, host=names[-1], was="")),
            fixed=(Change(names[0], "EST-2", "fail", "pass"),),
            still_failing=tuple(Change(name, "EST-1", "fail", "fail") for name in names),
            unproven=(Change(names[-1], "EST-4", "pass", "error"),),
            appeared=(names[-1],),
            gone=(text or "retired",),
            notes=(text or "The policy differs from the earlier run's.",),
        ),
    )


#: What a hostile host would print to break out of a report, or to lie in it.
HOSTILE = (
    "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    "'\"><b onmouseover=alert(1) style=position:fixed>]]>&amp;<!--</td></table></pre></dl>"
    "{{ 7 * 7 }}[bold red]markup[/bold red][/]"
    "\x1b]0;pwned\x07\x1b[31;1mred\x1b[2J\x9b31m\x00\x08\r"
    "\u202egnp.exe\u2066\u200b\ufeff\ufffe\ud800\udc80\U0001fffe\U000e0041\x85\u2028end"
)


def hostile_run() -> Run:
    """A run in which every string that a host or an inventory can choose is hostile."""
    shown = Evidence(HOSTILE, HOSTILE * 3, 1, HOSTILE, HOSTILE, cut=7)
    control = replace(
        CONTROLS[0],
        **dict.fromkeys(("name", "source", "rationale", "fix", "file"), HOSTILE),
        references=(HOSTILE, f"NIST SP 800-53 {HOSTILE}"),
    )
    verdicts = [*Verdict, Verdict.FAIL]
    controls = tuple(
        Result(
            f"EST-{number}",
            HOSTILE,
            verdict,
            HOSTILE,
            HOSTILE,
            HOSTILE,
            HOSTILE,
            (shown,),
            HOSTILE if number == len(verdicts) else None,
        )
        for number, verdict in enumerate(verdicts, 1)
    )
    hosts = tuple(
        replace(
            lab_hosts()[0],
            name=f"{HOSTILE}{state}",
            id=f"{HOSTILE}{state}",
            groups=(HOSTILE,),
            state=state,
            reason=HOSTILE,
            kernel=HOSTILE,
            facts={HOSTILE: HOSTILE},
            controls=controls if state != "excluded" else (),
        )
        for state in HostState
    )
    return replace(
        accompanied(run(hosts), HOSTILE),
        job="javascript:alert(1)",
        operator=HOSTILE,
        controller=HOSTILE,
        argv=(HOSTILE,),
        versions={HOSTILE: HOSTILE},
        inventory=(HOSTILE,),
        notes=(HOSTILE,),
        controls=tuple(replace(control, id=result.control) for result in controls),
    )


#: Round trips to a host that the estimator stalls, and to the same host without it.
STALLED = LatencyResult(
    via="ssh",
    started="2026-11-23T02:00:00.000Z",
    ended="",
    n=2400,
    lost=0,
    left_out=0,
    stalled=0.0,
    p50=0.003,
    p99=0.17,
    p999=0.238,
    max=0.244,
    threshold=0.023,
    spikes=5,
    highest=0.241,
    period=2.305,
    members=5,
    among=5,
    above=0.02,
    chance=0.0002,
    estimator=True,
)
QUIET = replace(STALLED, p999=0.016, spikes=0, highest=0.0, period=None, estimator=False)
