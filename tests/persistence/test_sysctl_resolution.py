"""Which line wins, for each loader: order, masking, spellings, versions."""

from __future__ import annotations

from dataclasses import replace

import pytest
from configured import CONF, DROP_IN, LOADERS, OFF, ON, config, file, tree

from ipvs_audit.persistence.resolution import Resolution, resolve
from ipvs_audit.snapshot.config_files import ConfigTree
from ipvs_audit.snapshot.config_paths import SYSCTL_CONF
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION, parse_key
from ipvs_audit.snapshot.sysctl_loader import Loader

PROCPS = Loader("procps", (4, 0, 2), (SYSCTL_CONF,))
PROCPS_3 = replace(PROCPS, version=(3, 3, 17))
SYSTEM = replace(PROCPS, files=None, ignores_unknown_keys=True)
SYSTEMD = Loader("systemd", (252,))


@pytest.mark.parametrize(("release", "unpatched", "found", "doubt"), [
    ("14.el9", False, 0, False), ("10.el9", False, None, False), ("5", False, None, False),
    ("", True, None, False), ("", False, None, True), ("5.fc36", False, 0, False),
    ("4.fc35", False, None, False), ("11.0.1.al9", False, 0, False),
])  # fmt: skip
def test_of_procps_3_3_17_the_package_s_release_tells_whether_it_knows_patterns(
    release: str, *, unpatched: bool, found: int | None, doubt: bool
) -> None:
    loader = Loader("procps", (3, 3, 17), (SYSCTL_CONF,), release=release, unpatched=unpatched)
    got = resolve(tree({SYSCTL_CONF: "net.ipv4.*.run_estimation = 0"}), loader, RUN_ESTIMATION)
    assert (got.value, bool(got.doubt)) == (found, doubt)


def test_a_release_that_makes_no_difference_is_no_doubt() -> None:
    loader = Loader("procps", (3, 3, 17), (SYSCTL_CONF,))
    got = resolve(tree({SYSCTL_CONF: "net.ipv4.vs.run_estimation = 0"}), loader, RUN_ESTIMATION)
    assert (got.value, got.doubt) == (0, "")


@pytest.mark.parametrize(("release", "found"), [("8.el8", 0), ("14.0.1.al8", 0), ("6.el8", 1)])
def test_of_procps_3_3_15_the_release_tells_which_directory_hides(release: str, found: int) -> None:
    files = {
        "/etc/sysctl.d/a.conf": "net.ipv4.vs.run_estimation = 0",
        "/run/sysctl.d/a.conf": "net.ipv4.vs.run_estimation = 1",
    }
    loader = Loader("procps", (3, 3, 15), release=release)
    assert resolve(tree(files), loader, RUN_ESTIMATION).value == found


ALL = (PROCPS, PROCPS_3, SYSTEM, SYSTEMD)


def found(files: dict[str, str], loader: Loader) -> Resolution:
    return resolve(tree(files), loader, RUN_ESTIMATION)


def value(text: str, loader: Loader) -> object:
    """What a loader makes of one file's text, whichever file it reads."""
    path = CONF if loader.files else DROP_IN
    return found({path: text}, loader).value


def test_every_loader_names_winner_and_losers_by_file_and_line() -> None:
    answer = found({CONF: ON, DROP_IN: f"# first\n{ON}kernel.panic = 1\n{OFF}"}, SYSTEMD)
    assert answer.winner is not None
    assert answer.winner.where == f"{DROP_IN}:4"
    assert [(loser.where, loser.why) for loser in answer.losers] == [
        (f"{DROP_IN}:2", f"{DROP_IN}:4 is read after it")
    ]


def test_sysctl_p_reads_sysctl_conf_alone() -> None:
    assert found({DROP_IN: OFF}, PROCPS).value is None
    assert found({DROP_IN: OFF}, PROCPS).missing == (CONF,)


def test_sysctl_system_reads_sysctl_conf_last_and_systemd_not_at_all() -> None:
    files = {CONF: OFF, "/etc/sysctl.d/99-z.conf": ON}
    assert found(files, SYSTEM).value == 0
    assert found(files, SYSTEMD).value == 1


def test_a_hidden_line_is_told_with_the_file_that_hides_it() -> None:
    answer = found({DROP_IN: OFF, "/usr/lib/sysctl.d/90-ipvs.conf": ON}, SYSTEMD)
    assert answer.losers[0].why == f"the file is hidden by {DROP_IN}"


def test_a_directory_that_is_a_link_to_another_hides_nothing() -> None:
    paths = ("/usr/lib/sysctl.d/90-ipvs.conf", "/lib/sysctl.d/90-ipvs.conf")
    files = {path: file(path, OFF, real=paths[0]) for path in paths}
    answer = resolve(ConfigTree(files), SYSTEM, RUN_ESTIMATION)
    assert (answer.value, answer.losers) == (0, ())


@pytest.mark.parametrize("loader", ALL, ids=lambda loader: f"{loader.name} {loader.version}")
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("net.ipv4.vs.run_estimation=0", 0),
        ("net/ipv4/vs/run_estimation = 0", 0),
        ("/net/ipv4/vs/run_estimation = 0", 0),
        ("-net.ipv4.vs.run_estimation = 0", 0),
        ("\t net.ipv4.vs.run_estimation =\t00 \r", 0),
        ("net.ipv4.vs.run_estimation = 0x0", 0),
        ("net.ipv4.vs.run_estimation = 0 # off", 0),
        ("net.ipv4.vs.run_estimation = 0 ; off", 0),
        ("net.ipv4.vs.run_estimation = -1", -1),
        ("net.ipv4.vs.run_estimation = 2", 2),
        (f"net.ipv4.vs.run_estimation = 0 {'x' * 20000}", 0),
        ("net.ipv4.vs.run_estimation = 0#off", None),
        ('net.ipv4.vs.run_estimation = "0"', None),
        ("net.ipv4.vs.run_estimation = off", None),
        ("net.ipv4.vs.run_estimation = +0", None),
        ("net.ipv4.vs.run_estimation = 08", None),
        ("net.ipv4.vs.run_estimation = 4294967296", None),
        (f"net.ipv4.vs.run_estimation = {'0' * 21}", None),
        ("net.ipv4.vs.run_estimation =", None),
        ("net.ipv4.vs.run_estimation 0", None),
        ("net/ipv4/vs.run_estimation = 0", None),
        ("#net.ipv4.vs.run_estimation = 0", None),
        (" ; net.ipv4.vs.run_estimation = 0", None),
        ("net.ipv4.vs.run_estimation_target = 0", None),
        ("=net.ipv4.vs.run_estimation", None),
    ],
)
def test_spellings_that_all_loaders_read_alike(loader: Loader, text: str, stored: object) -> None:
    assert value(text, loader) == stored


@pytest.mark.parametrize(
    ("text", "procps", "procps_3", "systemd"),
    [
        ("net.ipv4.*.run_estimation = 0", 0, None, 0),
        ("net.ipv4.[t-w]?.run_est* = 0", 0, None, 0),
        ("*.run_estimation = 0", None, None, None),
        ("net.ipv4.vs.run_estimation. = 0", None, None, 0),
        ("- net.ipv4.vs.run_estimation = 0", None, None, 0),
        ("--net.ipv4.vs.run_estimation = 0", 0, None, None),
        ("net/ipv4/../ipv4/vs/run_estimation = 0", 0, 0, None),
        ("net.ipv4.vs.run_estimation\v= 0", 0, None, None),
        ("=net.ipv4.vs.run_estimation = 0", None, 0, None),
        ("# x\rnet.ipv4.vs.run_estimation = 0", None, None, 0),
    ],
)
def test_spellings_that_loaders_read_differently(
    text: str, procps: object, procps_3: object, systemd: object
) -> None:
    assert [value(text, loader) for loader in (PROCPS, PROCPS_3, SYSTEMD)] == [
        procps,
        procps_3,
        systemd,
    ]


KEY = "net.ipv4.vs.run_estimation"
GLOB = "net.ipv4.*.run_estimation"


@pytest.mark.parametrize(
    ("lines", "procps", "systemd"),
    [
        ([f"{KEY}=1", f"{GLOB}=0"], 1, 1),
        ([f"{GLOB}=0", f"{KEY}=1"], 1, 1),
        ([f"/{KEY.replace('.', '/')}=1", f"{GLOB}=0"], 0, 1),
        ([f"{GLOB}=0", f"-{KEY}"], None, None),
        ([f"-{KEY}", f"{GLOB}=0"], None, None),
        ([f"{GLOB}=0", f"-{GLOB}"], 0, None),
        ([f"{GLOB}=0", "-net.ipv4.vs.*"], 0, 0),
        ([f"{KEY}=0", f"-{KEY}"], 0, None),
        ([f"-{KEY}", f"{KEY}=0"], 0, 0),
        ([f"{KEY}=0", f'{KEY}="0"'], 0, None),
        ([f"{GLOB}=1", "net.ipv4.v?.run_estimation=2", f"{GLOB}=1"], 1, 2),
    ],
)
def test_patterns_exclusions_and_the_order_of_writing(
    lines: list[str], procps: object, systemd: object
) -> None:
    text = "\n".join(lines)
    assert (value(text, PROCPS), value(text, SYSTEMD)) == (procps, systemd)


def test_later_procps_matches_exclusions_as_patterns() -> None:
    text = f"{GLOB}=0\n-net.ipv4.vs.*"
    assert value(text, replace(PROCPS, version=(4, 0, 5))) is None


def test_older_systemd_knows_no_patterns() -> None:
    assert value(f"{GLOB}=0", Loader("systemd", (239,))) is None


def test_before_3_3_17_procps_lets_run_hide_etc() -> None:
    files = {DROP_IN: OFF, "/run/sysctl.d/90-ipvs.conf": ON}
    assert found(files, SYSTEM).value == 0
    assert found(files, replace(SYSTEM, version=(3, 3, 15))).value == 1


def test_an_unreadable_file_read_after_the_winner_leaves_doubt() -> None:
    last = replace(file("/etc/sysctl.d/99-z.conf", ""), lines=None)
    first = replace(last, path="/etc/sysctl.d/10-a.conf", real="/etc/sysctl.d/10-a.conf")
    files = tree({DROP_IN: OFF}).files
    assert resolve(ConfigTree({**files, last.path: last}), SYSTEMD, RUN_ESTIMATION).doubt
    assert not resolve(ConfigTree({**files, first.path: first}), SYSTEMD, RUN_ESTIMATION).doubt


def test_systemd_prefix_leaves_other_keys_out() -> None:
    for prefix, stored in (
        ("/net/ipv4/vs", 0),
        ("net.ipv4.vs", 0),
        ("/net/ipv4/v", None),
        ("/proc/sys/net/ipv4/vs", None),
    ):
        assert found({DROP_IN: OFF}, replace(SYSTEMD, prefixes=(prefix,))).value == stored


def test_other_keys_are_resolved_as_text() -> None:
    key = parse_key("net.ipv4.ip_local_port_range")
    answer = resolve(tree({CONF: "net.ipv4.ip_local_port_range = 1024 65000"}), PROCPS, key)
    assert answer.value == "1024 65000"


def test_a_vlan_interface_keeps_its_dot() -> None:
    key = parse_key("net/ipv4/conf/eth0.100/tag")
    text = "net.ipv4.conf.eth0/100.tag = 7"
    assert resolve(tree({CONF: text}), PROCPS, key).value == "7"


@pytest.mark.parametrize(
    ("refused", "doubted"), [("0" * 21, True), ("99999999999", True), ("2", False)]
)
def test_busybox_stops_at_a_line_that_the_kernel_rejects(refused: str, *, doubted: bool) -> None:
    """1.35 says "write error: Invalid argument" and exits 1; procps goes on with the next line."""
    loaders = replace(LOADERS, sysctl_kind="busybox", procps=None)
    text = f"net.ipv4.vs.run_estimation = {refused}\n{OFF}"
    made = config({CONF: text}, loaders=loaders)
    assert bool(made.resolve(made.sysctl_p).doubt) is doubted
