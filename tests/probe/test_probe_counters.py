"""The sums that awk makes on the host, against Python's whole numbers."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from probe_runs import AWKS, part

from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.counters import Counters, Counts, Movement, Series, parse_counters

Row = tuple[int, int, int, int, int]


def stats(total: Row, rates: Row = (1, 2, 3, 4, 5)) -> str:
    """As net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_stats_show, prints it."""
    head = (
        "   Total Incoming Outgoing         Incoming         Outgoing\n"
        "   Conns  Packets  Packets            Bytes            Bytes\n"
    )
    return (
        head
        + "{:8X} {:8X} {:8X} {:16X} {:16X}\n\n".format(*total)
        + " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        + "{:8X} {:8X} {:8X} {:16X} {:16X}\n".format(*rates)
    )


def percpu(rows: list[Row], total: Row) -> str:
    """As ip_vs_stats_percpu_show prints it."""
    head = (
        "       Total Incoming Outgoing         Incoming         Outgoing\n"
        "CPU    Conns  Packets  Packets            Bytes            Bytes\n"
    )
    body = "".join(
        "{:3X} {:8X} {:8X} {:8X} {:16X} {:16X}\n".format(cpu, *row) for cpu, row in enumerate(rows)
    )
    return (
        head
        + body
        + "  ~ {:8X} {:8X} {:8X} {:16X} {:16X}\n\n".format(*total)
        + "     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        + "    {:8X} {:8X} {:8X} {:16X} {:16X}\n".format(*total)
    )


def sampled(
    awk: list[str], folder: Path, sample: int = 0, keys: tuple[Path, ...] = ()
) -> Series | None:
    told = {"SAMPLE": str(sample), "RS": "\x1e", "watched": " ".join(map(str, keys))}
    ran = subprocess.run(
        [*awk, part("sample_awk"), f"4026531840={folder}"],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, **told, "LC_ALL": "C"},
    )
    assert ran.stderr == ""
    lines = ran.stdout.partition("\x1e")[0]
    return parse_counters(Section("counters", "awk", lines + "end\n", None, 1.0)).get(4026531840)


numbers = st.one_of(st.integers(0, 20), st.integers(0, 2**32 + 5), st.integers(0, 2**64 - 1))
rows = st.tuples(numbers, numbers, numbers, numbers, numbers)


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cpus=st.lists(rows, min_size=1, max_size=20), total=rows, tilde=rows)
def test_sums_are_exact_to_the_last_of_64_bits(
    awk: list[str], cpus: list[Row], total: Row, tilde: Row, tmp_path: Path
) -> None:
    (tmp_path / "ip_vs_stats").write_text(stats(total))
    (tmp_path / "ip_vs_stats_percpu").write_text(percpu(cpus, tilde))
    series = sampled(awk, tmp_path)
    assert series is not None
    (sample,) = series.samples
    assert sample.raw == Counts(*map(sum, zip(*cpus, strict=True)))
    assert sample.total == Counts(*total)
    assert sample.tilde == Counts(*tilde)
    assert sample.cpus == len(cpus)
    assert sample.at > 0


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
def test_a_big_machine(awk: list[str], tmp_path: Path) -> None:
    cpus: list[Row] = [(2**40 + i, i, 2**33, 2**63, 0xFFFFFFFFFFFFFFFF) for i in range(0x1A0)]
    (tmp_path / "ip_vs_stats").write_text(stats((1, 2, 3, 4, 5)))
    (tmp_path / "ip_vs_stats_percpu").write_text(percpu(cpus, (1, 2, 3, 4, 5)))
    series = sampled(awk, tmp_path)
    assert series is not None
    assert series.samples[0].cpus == 0x1A0
    assert series.samples[0].raw == Counts(*map(sum, zip(*cpus, strict=True)))


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda text: text.replace("  ~ ", "  ? "),
        lambda text: re.sub("\n  1 +[0-9A-F]+", "\n  1 banana", text),
        lambda text: re.sub("\n  1 +[0-9A-F]+", "\n  1 " + "F" * 17, text),
        lambda text: text[: text.index("  0 ")] + text[text.index("  ~ ") :],
    ],
)
def test_a_file_of_another_form_gives_no_sample(
    awk: list[str], spoil: object, tmp_path: Path
) -> None:
    assert callable(spoil)
    (tmp_path / "ip_vs_stats").write_text(stats((1, 2, 3, 4, 5)))
    text = percpu([(1, 2, 3, 4, 5), (16, 17, 18, 19, 20)], (1, 2, 3, 4, 5))
    (tmp_path / "ip_vs_stats_percpu").write_text(spoil(text))
    series = sampled(awk, tmp_path)
    assert series is None or series.samples == ()


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
@pytest.mark.parametrize(
    ("files", "switch"),
    [
        ({"run_estimation": "0\n", "est_cpulist": "0-3\n"}, ("0", "0-3")),
        ({"run_estimation": "-1\n"}, ("-1", None)),
        ({"run_estimation": "1\n", "est_cpulist": "\n"}, ("1", "")),
        ({"est_cpulist": "0\n"}, (None, None)),
    ],
)
def test_the_switch_is_read_with_the_last_sample_of_a_namespace_that_is_entered(
    awk: list[str], files: dict[str, str], switch: tuple[str | None, str | None], tmp_path: Path
) -> None:
    folder = tmp_path / "self"
    folder.mkdir()
    (folder / "ip_vs_stats").write_text(stats((1, 2, 3, 4, 5)))
    (folder / "ip_vs_stats_percpu").write_text(percpu([(1, 2, 3, 4, 5)], (1, 2, 3, 4, 5)))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    keys = (tmp_path / "run_estimation", *(tmp_path / name for name in list(files)[1:]))
    for sample, expected in ((0, None), (2, switch)):
        series = sampled(awk, folder, sample, keys)
        assert series is not None
        found = series.switch
        assert (found and (found.raw, found.est_cpulist)) == expected


@pytest.mark.parametrize("awk", AWKS.values(), ids=AWKS)
def test_a_namespace_that_is_gone_gives_no_sample(awk: list[str], tmp_path: Path) -> None:
    series = sampled(awk, tmp_path / "nowhere")
    assert series is None or series.samples == ()


def counters(text: str) -> Counters:
    return parse_counters(Section("counters", "awk", text, None, 1.0))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "end",
        "0 1 2.00 1 1 1 1 1 1 A A A A A =\n",
        "0 1 2.00 1 1 1 1 1 1 A A A A G =\nend\n",
        "0 1 2.00 1 1 1 1 1 1 A A A A a =\nend\n",
        "0 1 2.00 1 1 1 1 1 -1 A A A A A =\nend\n",
        "0 1 2.00 1 1 1 1 1 1.5 A A A A A =\nend\n",
        "0 1 2.00 1 1 1 1 1 1 A A A A A ~\nend\n",
        "0 1 2.00 1 1 1 1 1 1 A A A A =\nend\n",
        "0 1 nan 1 1 1 1 1 1 A A A A A =\nend\n",
        "0 x 2.00 unread\nend\n",
        "0 1 2.00 gone\nend\n",
        "0 1 2.00 1 1 1 1 1 1 A A A A A =\nend\nmore\n",
        "0 1 2.00 1 \u0661 1 1 1 1 A A A A A =\nend\n",
        "switch 1 2.00\nend\n",
        "switch 1 2.00 \nend\n",
        "switch 1 x unread\nend\n",
        "switch 1 2.00 unread run_estimation=0\nend\n",
        "switch 1 2.00 est_cpulist=0\nend\n",
        "switch 1 2.00 run_estimation=\nend\n",
        "switch 1 2.00 run_estimation=banana\nend\n",
        "switch 1 2.00 run_estimation=0 run_estimation=1\nend\n",
        "switch 1 2.00 run_estimation=0\nswitch 1 2.00 run_estimation=1\nend\n",
        "module same\nmodule changed\nend\n",
        "module other\nend\n",
        "moved x\nend\n",
        "moved 1 2\nend\n",
    ],
)
def test_what_is_garbled_or_cut_is_refused(text: str) -> None:
    if text == "end":
        assert counters(text) == {}
        return
    try:
        found = counters(text)
    except GarbledEvidenceError:
        return
    assert found[1].garbled  # of that namespace alone
    assert found[1].movement is Movement.GARBLED
