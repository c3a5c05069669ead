from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
import sample_run

from ipvs_audit.model.verdict import Verdict
from ipvs_audit.report.findings import cause, findings
from ipvs_audit.report.scores import of_controls, of_groups, percent
from ipvs_audit.report.summary import Status


def fails(name: str, message: str, **changes: str) -> object:
    host = sample_run.host(name, sample_run.result("EST-2", Verdict.FAIL, message))
    return replace(host, facts=host.facts | {"host name": f"{name}.prod"}, **changes)  # type: ignore[arg-type]


def unknown_key(host: str, port: int, kind: str) -> str:
    """The error of ``transport/ssh/host_keys.py``; the inventory has another name for the host."""
    option, name = ("", host) if port == 22 else (f"-p {port} ", f"[{host}]:{port}")
    return (
        f"audit@{host}:{port}: host key not known: compare its fingerprint on the host (ssh-keygen "
        f"-lf /etc/ssh/ssh_host_*_key.pub), then accept it with 'ssh-keyscan {option}{host} >> /k',"
        f" or run once with --host-key-policy accept-new; offered {kind} "
        f"SHA256:{sha256(host.encode()).hexdigest()[:43]}, expected none (/k does not hold {name})"
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("web1 sets 1", "web2 sets 1"),
        ("on web1.prod: sets 1", "on web2.prod: sets 1"),
        (
            "namespace red (net:[4026532247], 1 services)",
            "namespace red (net:[4026539999], 3 services)",
        ),
        ("node_exporter (pid 412)", "node_exporter (pid 99)"),
        ("10.0.0.1:22 refused the connection", "10.0.0.2:2222 refused the connection"),
        ("[fe80::1:2]:22 refused", "[fe80::1:3]:22 refused"),
        ("the totals grew by 1,204 packets in 5.2 s", "the totals grew by 7 packets in 5.0 s"),
        ("container 3f2a9c0d1e4b", "container aa2a9c0d1e99"),
        ("the estimator's thread ipvs-e:3:0 runs", "the estimator's thread ipvs-e:12:1 runs"),
        (
            "the evidence is 733 days old; --max-age is 7 days",
            "the evidence is 8 days old; --max-age is 7 days",
        ),
        (unknown_key("node-a.dc", 22, "ssh-ed25519"), unknown_key("node-b.dc", 22, "ssh-ed25519")),
        (unknown_key("10.0.0.1", 22, "ssh-ed25519"), unknown_key("10.0.0.1", 2222, "ssh-rsa")),
        (
            "a@na.dc:22: CHANGED: ssh-keygen -R 'na.dc' and 'ssh-keyscan na.dc >> /k'",
            "a@nb.dc:9: CHANGED: ssh-keygen -R '[nb.dc]:9' and 'ssh-keyscan -p 9 nb.dc >> /k'",
        ),
        ("a@node-a.dc:22: connection refused", "a@node-b.dc:2222: connection refused"),
        (
            "presents SHA256:Xl2bGh5kqzM0u3wQfM4d6oQ9h8T1f1G9f4Wc7T6B2Vk",
            "presents SHA256:Yl2bGh5kqzM0u3wQfM4d6oQ9h8T1f1G9f4Wc7T6B2Vk",
        ),
    ],
)
def test_what_is_a_hosts_own_makes_no_cause(one: str, other: str) -> None:
    run = sample_run.run((fails("web1", one), fails("web2", other)))  # type: ignore[arg-type]
    (found,) = findings(run)
    assert found.hosts == ("web1", "web2")
    assert "…" in found.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/etc/sysctl.d/90-k8s.conf:4 sets 1", "/etc/sysctl.d/90-k8s.conf:5 sets 1"),
        ("/etc/sysctl.d/90-k8s.conf:4 sets 1", "/etc/sysctl.d/91-k8s.conf:4 sets 1"),
        ("run_estimation = 1", "run_estimation = 2"),
        ("a@node-a.dc:22: connection refused", "b@node-a.dc:22: connection refused"),
        ("a@node-a.dc:22: connection refused", "a@node-a.dc:22: no such name"),
        ("kernel 5.10.0-36-amd64 cannot", "kernel 6.1.0-41-amd64 cannot"),
    ],
)
def test_what_tells_causes_apart_stays(one: str, other: str) -> None:
    run = sample_run.run((fails("web1", one), fails("web2", other)))  # type: ignore[arg-type]
    assert sorted(found.message for found in findings(run)) == sorted((one, other))


def test_a_host_named_like_a_word_loses_no_path() -> None:
    run = sample_run.run((fails("ipvs", "/etc/modprobe.d/ipvs.conf:1 runs sysctl -p"),))  # type: ignore[arg-type]
    host = run.hosts[0]
    assert cause(host, host.controls[1]) == "/etc/modprobe.d/ipvs.conf:1 runs sysctl -p"


def test_the_worst_and_widest_come_first_and_nothing_is_lost() -> None:
    run = sample_run.run().completed()
    found = findings(run)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert [one.status for one in found] == sorted(
        (one.status for one in found), key=list(Status).index
    )
    failing = {
        (host.name, one.control)
        for host in run.hosts
        for one in host.controls
        if one.verdict is Verdict.FAIL
    }
    assert failing == {
        (name, one.control.id)
        for one in found
        if one.control and one.status in (Status.FAIL, Status.WAIVED)
        for name in one.hosts
    }
    (down,) = (one for one in found if one.control is None)
    assert (down.status, down.hosts) == (Status.ERROR, ("down",))


def test_a_waived_and_an_open_failure_are_two_findings() -> None:
    same = [
        sample_run.host(name, sample_run.result("EST-2", Verdict.FAIL, "no line", waiver=waiver))
        for name, waiver in (("web1", None), ("web2", "OPS-1"), ("web3", "OPS-1"))
    ]
    found = findings(sample_run.run(tuple(same)))
    assert [(one.status, one.hosts, one.waiver) for one in found] == [
        (Status.FAIL, ("web1",), ""),
        (Status.WAIVED, ("web2", "web3"), "OPS-1"),
    ]


def test_scores_before_and_after_waivers_follow_the_formula() -> None:
    run = sample_run.run().completed()
    scores = {score.label: score for score in of_controls(run)}
    # EST-5: one waived fail, one error, the rest not applicable.
    assert (scores["EST-5"].before.score, scores["EST-5"].after.score) == ("0 %", "0 %")
    # all: 21 pass of 21 + 6 fail + 6 error + 2 inconclusive, and one waived fail.
    assert (scores["all"].before.score, scores["all"].after.score) == ("58.3 %", "60 %")
    assert scores["EST-3"].after.told == "57.1 %: 2 fail, 1 error, 4 pass"


def test_what_was_not_judged_is_in_the_bars_and_not_in_the_score() -> None:
    late = replace(sample_run.host("late"), controls=())
    run = sample_run.run((sample_run.host("web1"), late, sample_run.EXCLUDED))
    assert {score.after.told for score in of_controls(run)} == {
        "100 %: 1 pass, 1 not evaluated",
        "100 %: 6 pass, 6 not evaluated",
    }
    (group,) = of_groups([("ipvs", run.hosts)], run.controls)
    assert group.after.told == "100 %: 6 pass, 6 not evaluated"


def test_a_bar_is_as_wide_as_its_results() -> None:
    for score in of_controls(sample_run.run().completed()):
        widths = [float(part.width.removesuffix("%")) for part in score.after.segments]
        assert sum(widths) == pytest.approx(100, abs=0.01)
        assert sum(part.count for part in score.after.segments) in (7, 42)


def test_only_all_is_100_percent() -> None:
    assert percent(9_999_999, 10_000_000) == "99.9 %"
    assert percent(5, 5) == "100 %"
    assert percent(0, 0) == "no score"


def test_a_group_without_results_has_no_score() -> None:
    (score,) = of_groups([("spares", [sample_run.EXCLUDED])], sample_run.CONTROLS)
    assert score.after.score == "no score"
    assert score.after.segments == ()
