"""EST-2 and EST-3 where the next boot has another kernel, another initramfs, or another /etc."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import made
import planned
import pytest
from configured import CONF, DROP_IN, HOOK, OFF, PROGRAMS, RECIPE, config, off

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.snapshot.next_boot import BootKernel, NextBoot
from ipvs_audit.snapshot.programs import AtPath

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Prediction

FILE = "/lib/modules/x/ip_vs.ko"
NOW = BootKernel("6.1.0", "the default entry", running=True)
WITH = BootKernel("6.12.0", "the default entry", module="available", file=FILE, knows_switch=True)
WITHOUT = replace(WITH, release="5.10.0", knows_switch=False)
SOFT = replace(WITH, softdep="3:softdep ip_vs pre: nf_conntrack")
LOAD = "/etc/modules-load.d/ipvs.conf"
INITRAMFS = "/etc/initramfs-tools/modules:12"

RECIPE_FILES = {HOOK: RECIPE, CONF: OFF}
EARLY = {LOAD: "ip_vs\n", DROP_IN: OFF}


def host(files: dict[str, str], boot: NextBoot, **more: Any) -> HostConfig:
    made = config(files, has_switch=True, kernel="6.1.0", **more)
    return replace(made, next_boot=boot)


@pytest.mark.parametrize(("boot", "expected", "says"), [
    (NextBoot((NOW,)), Verdict.PASS, ""),
    (NextBoot((), untold="no loader"), Verdict.PASS, ""),
    (NextBoot((WITH,)), Verdict.PASS, ""),
    (NextBoot((WITHOUT,)), Verdict.FAIL, "after a boot: kernel 5.10.0 boots next"),
    (NextBoot((NOW, WITHOUT)), Verdict.FAIL, "kernel 5.10.0 boots next"),
    (NextBoot((WITHOUT, NOW)), Verdict.FAIL, "kernel 5.10.0 boots next"),
    (NextBoot((SOFT,)), Verdict.FAIL, "kernel 6.12.0 boots next"),
    (NextBoot((replace(WITH, knows_switch=None),)), Verdict.INCONCLUSIVE, "could not be read"),
    (NextBoot((BootKernel("6.12.0", ""),)), Verdict.INCONCLUSIVE, "could not be read"),
    (NextBoot((BootKernel("6.12.0", "", module="absent"),)), Verdict.PASS, ""),
    (NextBoot((NOW,), kexec="a kernel waits for kexec"), Verdict.INCONCLUSIVE, "kexec"),
    (NextBoot((NOW,), volatile="/ is a tmpfs"), Verdict.INCONCLUSIVE, "/ is a tmpfs"),
    (NextBoot((NOW,), initramfs=(INITRAMFS,)), Verdict.FAIL, INITRAMFS),
    (NextBoot((NOW,), dracut=True), Verdict.PASS, ""),
    (NextBoot((replace(NOW, words=("rd.driver.pre=ip_vs",)),)), Verdict.INCONCLUSIVE, "rd.driver"),
    (NextBoot((replace(NOW, words=("rd.modules_load=ip_vs",)),)), Verdict.INCONCLUSIVE, "rd.mod"),
])  # fmt: skip
@pytest.mark.parametrize("systemd", [True, False])
def test_the_recipe(boot: NextBoot, expected: Verdict, says: str, *, systemd: bool) -> None:
    found = host(RECIPE_FILES, boot)
    if not systemd:
        found = replace(
            found, loaders=replace(found.loaders, masked_units=("systemd-sysctl.service",))
        )
    verdict, why = judge_reload(found, Policy())
    assert (verdict, says in why) == (expected, True), why


@pytest.mark.parametrize("boot", [
    NextBoot((NOW,), initramfs=(INITRAMFS,)), NextBoot((NOW,), dracut=True), NextBoot((NOW,)),
])  # fmt: skip
def test_what_systemd_sysctl_sets_holds_however_early_ip_vs_is_loaded(boot: NextBoot) -> None:
    files = EARLY | {HOOK: RECIPE.replace("-p", "--system")}
    assert judge_reload(host(files, boot), Policy())[0] is Verdict.PASS
    linked = RECIPE_FILES | {"/etc/sysctl.d/99-sysctl.conf": "->/etc/sysctl.conf"}
    assert judge_reload(host(linked | {LOAD: "ip_vs\n"}, boot), Policy())[0] is Verdict.PASS


def test_a_hook_alone_is_not_certain_where_dracut_takes_over_modules_load_d() -> None:
    found = host(RECIPE_FILES | {LOAD: "ip_vs\n"}, NextBoot((NOW,), dracut=True))
    verdict, why = judge_reload(found, Policy())
    assert verdict is Verdict.INCONCLUSIVE
    assert LOAD in why
    assert "sysctl.d settles it" in why


def test_the_kernel_that_runs_lacks_the_key_and_the_next_has_it() -> None:
    found = replace(host(RECIPE_FILES, NextBoot((WITH,))), has_switch=False)
    assert judge_reload(found, Policy())[0] is Verdict.FAIL
    assert after_boot(found, off).value == 0


def test_a_next_kernel_without_the_key_is_no_matter_where_estimation_is_wanted() -> None:
    found = host({}, NextBoot((WITHOUT,)))
    assert judge_reload(found, Policy(estimation="enabled"))[0] is Verdict.PASS


def test_what_is_in_memory_is_not_persisted() -> None:
    boot = NextBoot((NOW,), volatile="/etc is a tmpfs")
    assert judge_persisted(host(RECIPE_FILES, boot), Policy()) == (
        Verdict.INCONCLUSIVE,
        "/etc is a tmpfs",
    )
    assert judge_persisted(host({}, boot), Policy())[0] is Verdict.FAIL


def test_the_prediction_says_of_which_kernel_it_speaks() -> None:
    summaries = {
        boot: after_boot(host(RECIPE_FILES, boot), off).summary
        for boot in (NextBoot((NOW,)), NextBoot((), untold="no loader"), NextBoot((WITH,)))
    }
    for boot, summary in summaries.items():
        assert (boot.summary if not boot.others else str(WITH)) in summary
    read_only = NextBoot((NOW,), read_only="/etc")
    assert "mounted read-only" in after_boot(host(RECIPE_FILES, read_only), off).summary


def test_a_file_that_the_next_load_takes_decides_more_than_the_loaded_module() -> None:
    evidence = planned.host(RECIPE_FILES, census=made.census(made.netns(raw="0")))
    assert made.verdict("EST-3", evidence).verdict is Verdict.PASS
    foreign = replace(made.LOADED, file="/lib/modules/x/updates/ip_vs.ko", knows_switch=False)
    later = planned.host(RECIPE_FILES, module=foreign, census=made.census(made.netns(raw="0")))
    assert made.verdict("EST-3", later).verdict is Verdict.FAIL


@pytest.mark.parametrize(("words", "expected"), [
    (("modules_load=ip_vs",), True), ((), False), (None, None),
])  # fmt: skip
def test_the_command_line_is_the_next_boots(
    words: tuple[str, ...] | None, *, expected: bool | None
) -> None:
    found = host({DROP_IN: OFF}, NextBoot((replace(NOW, words=words),)))
    found = replace(found, tree=replace(found.tree, cmdline=("modules_load=ip_vs",)))
    assert after_boot(found, off).holds(off) is expected


def test_a_command_line_that_changes_nothing_is_no_doubt() -> None:
    found = host(RECIPE_FILES, NextBoot((), untold="no loader"))
    found = replace(found, tree=replace(found.tree, cmdline=("modprobe.blacklist=nouveau",)))
    assert judge_reload(found, Policy())[0] is Verdict.PASS


@pytest.mark.parametrize("path", [CONF, HOOK])
def test_a_link_to_what_a_boot_mounts_later_is_a_doubt(path: str) -> None:
    target = "/srv/ipvs.conf"
    files = {**RECIPE_FILES, LOAD: "ip_vs\n", path: f"->{target}", target: RECIPE_FILES[path]}
    for points in (("/srv",), ("/boot", "/srv"), ("/",), None):
        found = after_boot(host(files, NextBoot((NOW,), points=points)), off)
        assert found.holds(off) is None
        assert f"{path} is a link to {target}" in found.doubt
    on_root = host(files, NextBoot((NOW,), points=("/boot", "/srv/www", "/sr")))
    assert after_boot(on_root, off).holds(off) is True


@pytest.mark.parametrize(("path", "point"), [
    ("/opt/sbin/sysctl", "/opt"), ("/usr/local/sbin/sysctl", "/usr/local"),
])  # fmt: skip
def test_a_hooks_program_on_what_a_boot_mounts_later_is_a_doubt(path: str, point: str) -> None:
    """Also modprobe's: a hook that fails early leaves ip_vs unloaded, or loaded with 1."""
    programs = replace(
        PROGRAMS, paths={**PROGRAMS.paths, path: AtPath("program", writable=True, same="sysctl")}
    )
    files = {CONF: OFF, HOOK: RECIPE.replace("/sbin/sysctl", path), LOAD: "ip_vs\n"}

    def after(files: dict[str, str], *points: str) -> Prediction:
        boot = NextBoot((NOW,), points=points)
        return after_boot(replace(host(files, boot), programs=programs), off)

    late = after(files, "/boot", point)
    assert late.holds(off) is None
    assert f"whether {path}, which a hook or a udev rule names, is mounted when {LOAD}:1" in (
        late.doubt
    )
    assert after(files, "/boot", "/usr", "/srv").holds(off) is True  # on / or /usr
    on_demand = {name: text for name, text in files.items() if name != LOAD}
    assert after(on_demand, point).holds(off) is True
    applied = {**files, "/etc/sysctl.d/99-sysctl.conf": f"->{CONF}"}
    assert after(applied, point).holds(off) is True  # systemd-sysctl sets it later


def test_a_file_that_a_hook_names_may_be_mounted_later() -> None:
    files = {"/srv/x.conf": OFF, HOOK: f"{RECIPE.strip()} /srv/x.conf\n", LOAD: "ip_vs\n"}
    found = after_boot(host(files, NextBoot((NOW,), points=("/srv",))), off)
    assert "whether /srv/x.conf is mounted when a boot loads ip_vs is not known" in found.doubt
    assert after_boot(host(files, NextBoot((NOW,), points=())), off).holds(off) is True


def test_a_link_that_does_not_decide_or_stays_in_etc_is_no_doubt() -> None:
    other = {"/etc/modprobe.d/x.conf": "->/srv/x.conf", "/srv/x.conf": "options x y=1\n"}
    inside = {CONF: "->/etc/site/sysctl.conf", "/etc/site/sysctl.conf": OFF}
    for more in (other, inside):
        found = after_boot(host({**RECIPE_FILES, **more}, NextBoot((NOW,), points=("/srv",))), off)
        assert found.holds(off) is True
