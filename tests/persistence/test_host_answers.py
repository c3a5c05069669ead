"""Where the host's own programs contradict the model, nothing passes and nothing fails."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from configured import CONF, DROP_IN, HOOK, LOADERS, OFF, ON, PROGRAMS, RECIPE, file, off, tree
from made import snapshot, verdict
from test_loader_corpus import BEFORE, CORPUS, KEY, MODPROBE, cases, tree_of

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_answers import load_difference
from ipvs_audit.persistence.host_config import Asked, HostConfig
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.persistence.reload import find_hook
from ipvs_audit.persistence.run_files import without_run
from ipvs_audit.persistence.sysctl_answers import answered_value
from ipvs_audit.snapshot.host_answers import (
    HostAnswers,
    LoadAnswer,
    SysctlAnswer,
    parse_host_answers,
)
from ipvs_audit.snapshot.section import Section

if TYPE_CHECKING:
    from pathlib import Path

    from ipvs_audit.snapshot.config_files import ConfigFile
    from ipvs_audit.snapshot.host import Loaders

MODULE = LoadAnswer("", "/lib/modules/6.1.0/kernel/net/netfilter/ipvs/ip_vs.ko")
RECIPE_RUNS = LoadAnswer("/sbin/modprobe --ignore-install ip_vs && /sbin/sysctl -p ", "")
FILES = {CONF: OFF, HOOK: RECIPE}
NAME = "net.ipv4.vs.run_estimation"
WRITES_0, WRITES_1 = (SysctlAnswer(((NAME, value),), 0) for value in "01")
NOTHING = SysctlAnswer((), 0)


def asked(
    files: dict[str, str], /, *, root: bool = True, loaders: Loaders = LOADERS, **answers: Any
) -> HostConfig:
    """A host with these files whose programs gave these answers."""
    read = tree(files)
    about = Asked(HostAnswers(**answers), root, read, loaders)
    return HostConfig(read, loaders, "loaded", has_switch=True, programs=PROGRAMS, asked=about)


def listed(*files: ConfigFile) -> dict[str, Any]:
    return {"files": tuple(files)}


def test_answers_that_agree_leave_the_verdict_as_it_is() -> None:
    config = asked(
        FILES, load=RECIPE_RUNS, dependents=("ip_vs_rr",), dependent_load=RECIPE_RUNS,
        system=WRITES_0, conf=WRITES_0, **listed(file(DROP_IN, "")),
    )  # fmt: skip
    assert judge_persisted(config, Policy()) == (Verdict.PASS, "")
    assert judge_reload(config, Policy()) == (Verdict.PASS, "")


def test_no_answers_leave_the_model_alone() -> None:
    assert judge_persisted(asked(FILES), Policy()) == (Verdict.PASS, "")
    assert judge_reload(asked(FILES), Policy()) == (Verdict.PASS, "")


@pytest.mark.parametrize(("answer", "runs"), [
    (MODULE, "says that a load runs no command"),
    (LoadAnswer("/bin/true ", ""), "says that a load runs '/bin/true'"),
    (LoadAnswer(f"{RECIPE_RUNS.command}|| /bin/other ", ""), "|| /bin/other'"),
    (LoadAnswer("", ""), "names neither a command nor a file of ip_vs"),
])  # fmt: skip
def test_a_hook_that_modprobe_does_not_run_does_not_pass(answer: LoadAnswer, runs: str) -> None:
    for answers in ({"load": answer}, {"load": RECIPE_RUNS, "dependent_load": answer}):
        found, why = judge_reload(asked(FILES, **answers), Policy())
        assert found is Verdict.INCONCLUSIVE
        assert runs in why
        assert f"{HOOK}:1" in why


def test_a_hook_that_only_the_host_knows_is_no_failure() -> None:
    """The model finds no hook, so the value would be 1; modprobe says that one runs."""
    assert judge_reload(asked({CONF: OFF}, load=MODULE), Policy())[0] is Verdict.FAIL
    found, why = judge_reload(asked({CONF: OFF}, load=RECIPE_RUNS), Policy())
    assert found is Verdict.INCONCLUSIVE
    assert "expects no command" in why


def test_options_of_the_module_are_no_difference() -> None:
    """modprobe prints them behind the command: of the files, then of the kernel's command line."""
    files = FILES | {"/etc/modprobe.d/z.conf": "options ip_vs  conn_tab_bits=12\n"}
    read = replace(tree(files), cmdline=("ip_vs.conn_tab_bits=9", "quiet"))
    answer = LoadAnswer(f"{RECIPE_RUNS.command} conn_tab_bits=12 conn_tab_bits=9 ", "")
    about = Asked(HostAnswers(load=answer), True, read, LOADERS)
    config = HostConfig(read, LOADERS, "loaded", has_switch=True, programs=PROGRAMS, asked=about)
    assert judge_reload(config, Policy()) == (Verdict.PASS, "")


@pytest.mark.parametrize(("answers", "said"), [
    ({"system": WRITES_1}, "sysctl --dry-run --system sets 1, and this audit expects 0 from"),
    ({"system": NOTHING}, "sysctl --dry-run --system sets nothing"),
    ({"conf": WRITES_1}, "sysctl --dry-run -p sets 1"),
    (listed(file("/usr/etc/x.conf", ON)), "--cat-config sets 1 (/usr/etc/x.conf)"),
])  # fmt: skip
def test_a_value_that_the_host_contradicts_does_not_pass(
    answers: dict[str, Any], said: str
) -> None:
    found, why = judge_persisted(asked({CONF: OFF, HOOK: RECIPE}, **answers), Policy())
    assert found is Verdict.INCONCLUSIVE
    assert said in why


def test_a_wrong_value_that_the_host_contradicts_does_not_fail() -> None:
    found, why = judge_persisted(asked({CONF: ON}, system=WRITES_0, conf=WRITES_0), Policy())
    assert found is Verdict.INCONCLUSIVE
    assert "sets 0, and this audit expects 1" in why
    assert judge_persisted(asked({CONF: ON}, system=WRITES_0), Policy())[0] is Verdict.FAIL


def test_a_hook_whose_sysctl_the_host_contradicts_does_not_pass() -> None:
    found, why = judge_reload(asked(FILES, load=RECIPE_RUNS, conf=NOTHING), Policy())
    assert found is Verdict.INCONCLUSIVE
    assert "sysctl --dry-run -p sets nothing" in why


def test_an_early_load_whose_systemd_the_host_contradicts_does_not_pass() -> None:
    files = {DROP_IN: OFF, "/etc/modules-load.d/ipvs.conf": "ip_vs\n"}
    good, bad = (asked(files, **listed(file(DROP_IN, text))) for text in (OFF, ON))
    assert after_boot(good, off).holds(off) is True
    assert after_boot(bad, off).holds(off) is None


def test_what_the_kernel_rejects_leaves_the_value_before_it() -> None:
    answer = SysctlAnswer(((NAME, "0"), (NAME, '"1"')), 0)
    assert judge_persisted(asked(FILES, system=answer), Policy()) == (Verdict.PASS, "")


@pytest.mark.parametrize(("name", "found"), [
    (".net.ipv4.vs.run_estimation", Verdict.PASS), ("net..ipv4.vs.run_estimation", Verdict.PASS),
    ("net.ipv4.//.ipv4.vs.run_estimation", Verdict.PASS),
    ("net.ipv4.vs.run_estimation2", Verdict.INCONCLUSIVE),
    ("x.net.ipv4.vs.run_estimation", Verdict.INCONCLUSIVE),
])  # fmt: skip
def test_a_dry_run_names_the_key_as_the_line_spells_it(name: str, found: Verdict) -> None:
    answer = SysctlAnswer(((name, "0"),), 0)
    assert judge_persisted(asked(FILES, system=answer), Policy())[0] is found


def two_builds(root: bool = True, **answers: Any) -> HostConfig:
    """procps 3.3.15 of an unknown release: builds differ in which of two directories hides."""
    name = "sysctl.d/50-a.conf"
    files = {f"/etc/{name}": OFF, f"/run/{name}": ON}
    loaders = replace(LOADERS, procps=(3, 3, 15), init="sysvinit")
    return asked(files, root=root, loaders=loaders, **answers)


def test_the_answer_decides_between_builds_that_the_model_cannot_tell_apart() -> None:
    alone = two_builds()
    assert "release" in alone.resolve(alone.sysctl_system).doubt
    for answer, value in ((WRITES_0, 0), (WRITES_1, 1)):
        config = two_builds(system=answer)
        found = config.resolve(config.sysctl_system)
        assert (found.value, found.doubt, found.loader) == (value, "", config.sysctl_system)
    other = two_builds(system=NOTHING)
    assert other.resolve(other.sysctl_system).differs


@pytest.mark.parametrize(("root", "status"), [(False, 0), (True, 1)])
def test_an_answer_that_may_have_left_out_files_settles_no_doubt(root: bool, status: int) -> None:
    config = two_builds(root, system=SysctlAnswer(((NAME, "0"),), status))
    found = config.resolve(config.sysctl_system)
    assert found.doubt
    assert not found.differs


def test_a_file_that_only_the_probe_could_not_read_is_settled_by_an_answer() -> None:
    closed = {**FILES, DROP_IN: ""}
    for answer, verdict_ in ((WRITES_0, ""), (WRITES_1, "; this host's sysctl --dry-run")):
        read = tree(closed)
        files = {**read.files, DROP_IN: replace(read.files[DROP_IN], lines=None)}
        read = replace(read, files=files, unreadable=(f"{DROP_IN}: larger than 1 MiB",))
        loaders = replace(LOADERS, init="sysvinit")
        about = Asked(HostAnswers(system=answer), True, read, loaders)
        config = HostConfig(read, loaders, asked=about)
        found = config.resolve(config.sysctl_system)
        assert verdict_ in found.doubt
        assert bool(found.doubt) is bool(verdict_)
        assert not found.differs


def test_answers_hold_for_the_files_and_programs_that_were_asked_only() -> None:
    config = asked({CONF: OFF, "/run/sysctl.d/z.conf": ON}, system=WRITES_1, conf=WRITES_1)
    assert config.answers is not None
    assert without_run(config).answers is None
    assert replace(config, loaders=replace(LOADERS)).answers is None


def test_checks_show_the_answers_and_why_there_are_none() -> None:
    about: dict[str, Any] = {"config": tree(FILES), "loaders": LOADERS}
    answers = HostAnswers(
        load=RECIPE_RUNS, system=WRITES_0, not_asked=(("cat-config", "there is no systemd"),)
    )
    made = snapshot(**about, host_answers=answers)
    two, three = verdict("EST-2", made), verdict("EST-3", made)
    assert (two.verdict, three.verdict) == (Verdict.PASS, Verdict.PASS)
    assert "this host's sysctl --dry-run --system: 0" in two.observed
    assert "no answer of this host to cat-config: there is no systemd" in two.observed
    assert "says that a load runs '/sbin/modprobe --ignore-install ip_vs" in three.observed
    made = snapshot(**about, host_answers=replace(answers, system=WRITES_1, load=MODULE))
    two, three = verdict("EST-2", made), verdict("EST-3", made)
    assert (two.verdict, three.verdict) == (Verdict.INCONCLUSIVE, Verdict.INCONCLUSIVE)


def test_help_tells_the_build_of_procps_3_3_17() -> None:
    """In el9 it knows patterns and names --dry-run in its help; upstream's does neither."""
    glob = {CONF: "net.ipv4.*.run_estimation = 0\n"}
    for has, value in ((True, 0), (False, None), (None, "doubt")):
        loaders = replace(LOADERS, procps=(3, 3, 17), helps_dry_run=has)
        config = asked(glob, loaders=loaders)
        found = config.resolve(config.sysctl_p)
        assert ("doubt" if found.doubt else found.value) == value


@pytest.mark.parametrize("name", MODPROBE)
def test_what_real_modprobes_answered_is_no_difference(name: str, tmp_path: Path) -> None:
    """1,400 answers of seven versions of kmod, as they would come in the probe's section."""
    loaders = replace(LOADERS, kmod=int(name.split("-")[1]))
    seen, wrong = 0, []
    for place, case in enumerate(cases(name)):
        read = tree_of(tmp_path / str(place), case)
        answers = parse_host_answers(answer_section(case))
        about = Asked(answers, True, read, loaders)
        config = HostConfig(read, loaders, asked=about)
        if why := load_difference(config, find_hook(config)[0]):
            wrong.append((place, why, case))
        seen += answers.load is not None
    assert not wrong, wrong[:3]
    assert seen > 100


@pytest.mark.parametrize(("program", "corpus"), [
    ("procps-4.0.2", "procps-4.0.2"), ("procps-4.0.4", "procps-4.0.4"),
    ("systemd-247", "systemd-249"), ("systemd-252", "systemd-252"), ("systemd-257", "systemd-255"),
])  # fmt: skip
def test_what_real_loaders_answered_is_no_difference(
    program: str, corpus: str, tmp_path: Path
) -> None:
    """Debian's programs were asked on each tree of the corpus, by the probe's own questions.

    What they said that they would write is what the loaders wrote.
    """
    number = tuple(map(int, corpus.split("-")[1].split(".")))
    dry = program.startswith("procps")
    loaders = replace(LOADERS, **({"procps": number} if dry else {"systemd_version": number[0]}))
    seen = 0
    with gzip.open(CORPUS.parent / f"asked/{program}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for place, (case, line) in enumerate(zip(cases(corpus), lines, strict=True)):
            section = Section("asked", "", f"{json.loads(line)}end\n", None, 1.0)
            read = tree_of(tmp_path / str(place), case)
            about = Asked(parse_host_answers(section), True, read, loaders)
            config = HostConfig(read, loaders, key=KEY, asked=about)
            for mode, loader in (
                ("system", config.sysctl_system if dry else config.systemd_sysctl),
                ("p", config.sysctl_p),
            ):
                found = config.resolve(loader)
                assert not found.differs, (found.doubt, case)
                answer = answered_value(loader, about.answers, KEY)
                if answer is not None and case.get("mode", "system") == mode:
                    seen += 1
                    assert (BEFORE if answer[2] is None else answer[2]) == case["value"], case
    assert seen > 160  # the rest: a link to nothing, which systemd's --cat-config does not get over


def answer_section(case: dict[str, Any]) -> Section:
    """A case's output, of which the probe keeps the last command, or the file.

    The corpus has a line that ends in a carriage return as two.
    """
    lines = "\n".join(case["output"]).replace("\n ", "\r ").split("\n")
    file = [line.split(" ")[:2] for line in lines if "/ip_vs.ko" in line]
    commands = [line for line in lines if line.startswith("install ")]
    kept = [" ".join(file[0])] if file else commands[-1:]
    text = "".join(f"line {line}\n" for line in kept)
    return Section(
        "asked", "", f"asked show-depends ip_vs\n{text}status {case['status']}\nend\n", None, 1.0
    )


def test_the_corpus_is_there() -> None:
    with gzip.open(CORPUS / f"{MODPROBE[0]}.jsonl.gz", "rt") as lines:
        assert json.loads(next(lines))["command"] == "modprobe --show-depends ip_vs"
