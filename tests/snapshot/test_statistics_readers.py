"""The list of readers of IPVS statistics, and what is made of the probe's lines."""

from __future__ import annotations

import pytest

from ipvs_audit.snapshot import GarbledEvidenceError, Section
from ipvs_audit.snapshot.statistics_readers import SECTION, known_readers, parse_readers


def section(text: str) -> Section:
    return Section(SECTION, "", text, None, 1.0)


@pytest.mark.parametrize(("flags", "reads"), [
    ("", "always"),
    ("\t--no-collector.ipvs", "never"),
    ("\t--collector.ipvs=false", "never"),
    ("\t--collector.disable-defaults", "never"),
    ("\t--collector.disable-defaults\t--collector.ipvs", "always"),
    ("\t--collector.ipvs\t--no-collector.ipvs", "never"),
])  # fmt: skip
def test_flags_of_node_exporter(flags: str, reads: str) -> None:
    (found,) = parse_readers(section(f"reader 812 exe node-exporter{flags}\nend\n")).found
    assert (found.name, found.pid, found.reads) == ("node_exporter", 812, reads)


@pytest.mark.parametrize(("line", "reads"), [
    ("reader 1 comm keepalived", "maybe"), ("reader 1 comm keepalived\t-x", "always"),
    ("reader 1 comm kube-proxy", "never"), ("reader 1 comm ipvsadm", "never"),
    ("reader 1 argument ipvsadm-statistics", "always"), ("reader 1 unit alloy", "maybe"),
])  # fmt: skip
def test_what_reads_and_what_only_may(line: str, reads: str) -> None:
    assert [one.reads for one in parse_readers(section(f"{line}\nend\n")).found] == [reads]


def test_processes_that_are_alike_are_named_together() -> None:
    text = "reader 7 comm netdata\nreader 8 comm netdata\nreader 9 exe alloy\ngap too many\nend\n"
    readers = parse_readers(section(text))
    assert readers.losing == (
        "netdata (pid 7, 8) reads IPVS statistics, alloy (pid 9) may read IPVS statistics"
    )
    assert [text.partition(":")[0] for text in readers.texts] == [
        "netdata (pid 7, 8) reads", "alloy (pid 9) may read",
    ]  # fmt: skip
    assert readers.gaps == ("too many",)


@pytest.mark.parametrize("text", [
    "", "reader 812 comm keepalived\n", "reader x comm keepalived\nend\n",
    "reader 1 comm something-else\nend\n", "reader 1 guess keepalived\nend\n",
    "812 keepalived\nend\n", "reader 1 comm\nend\n",
])  # fmt: skip
def test_garbled_readers(text: str) -> None:
    with pytest.raises(GarbledEvidenceError):
        parse_readers(section(text))


def test_each_entry_has_a_source_and_names_that_the_probe_can_find() -> None:
    known = known_readers()
    programs = [program for one in known.values() for program in one.programs]
    assert len(programs) == len(set(programs))
    for name, one in known.items():
        assert one.source.startswith("https://"), name
        assert one.what, name
        for program in one.programs:
            assert program == program.lower().replace("_", "-").replace(".", "-"), program
    cut = [program[:15] for program in programs if len(program) > 15]
    assert len(cut) == len(set(cut)), "comm shows 15 letters"
