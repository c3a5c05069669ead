"""How the oracle reboots into cases; no guest is needed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest
from lab.guest import Guest, GuestError
from lab.oracle import reboots, trial
from lab.oracle.cases import KEY
from lab.oracle.predict import ExpectedResult
from lab.oracle.report import Tally
from lab.oracle.trial_case import EXECUTABLE, TrialCase
from lab.oracle.userlands import GUESTS, USERLANDS

from lab import fleet, image

if TYPE_CHECKING:
    from pathlib import Path
    from subprocess import CompletedProcess

SEED = 7
CASES = [reboots.make_boot_case(SEED, reboots.FIRST + number) for number in range(300)]
KINDS = {
    "a unit": r"etc/systemd/system/oracle-late-a\.service",
    "a unit of a package": r"usr/lib/systemd/system/oracle-late-a\.service",
    "a unit that is started": r"etc/systemd/system/multi-user\.target\.wants/.*",
    "a drop-in": r"etc/systemd/system/.*service\.d/x\.conf",
    "a timer": r"etc/systemd/system/.*\.timer",
    "rc.local": r"etc/rc\.local",
    "tmpfiles": r"(etc|usr/lib|run)/tmpfiles\.d/.*",
    "cron": r"etc/(cron\.d/.*|crontab)",
    "udev": r"etc/udev/rules\.d/91-.*",
    "a unit that is gone": r"run/systemd/system/oracle-late-a\.service",
    "a masked rc.local": r"etc/systemd/system/rc-local\.service",
    "two writers": r"etc/systemd/system/oracle-late-b\.service",
}


def test_each_suite_has_an_image_of_its_own() -> None:
    suites = [USERLANDS[name].suite for name in GUESTS]
    assert suites == ["bullseye", "bookworm", "trixie"]
    assert len({image.key(suite) for suite in suites}) == len(suites)
    assert image.key() == image.key("bookworm")


@pytest.mark.parametrize("name", GUESTS)
def test_a_guest_has_the_programs_of_its_userland(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(fleet, "boot", lambda series, _, **more: asked.update(more, kernel=series))
    trial.boot("6.12", USERLANDS[name], tmp_path)
    assert (asked["kernel"], asked["suite"]) == ("6.12", USERLANDS[name].suite)


@pytest.mark.parametrize("kind", KINDS)
def test_late_writers_of_each_kind_are_drawn(kind: str) -> None:
    names = [name for case in CASES for name in (*case.files, *case.links)]
    assert any(re.fullmatch(KINDS[kind], name) for name in names)


def test_late_writers_write_right_and_wrong_values_and_some_units_are_masked_or_disabled() -> None:
    texts = [case.files.get("etc/systemd/system/oracle-late-a.service", "") for case in CASES]
    for value in "01":
        assert any(f"sysctl -w {KEY}={value}" in text for text in texts)
    targets = [case.links for case in CASES if any("oracle-late" in name for name in case.files)]
    assert any("/dev/null" in links.values() for links in targets)
    assert any(not links for links in targets)


def test_a_script_is_executable_in_the_guest(tmp_path: Path) -> None:
    files = {"etc/rc.local": "#!/bin/sh\n", "etc/none": EXECUTABLE, "etc/other": "text\n"}
    trial.write_tree(TrialCase(0, files=files), tmp_path)
    modes = [(tmp_path / name).stat().st_mode & 0o111 for name in files]
    assert modes == [0o111, 0o111, 0]


class PretendedGuest:
    """Says 0 after each reboot, and comes back from the first one or not."""

    def __init__(self, *, comes_back: bool) -> None:
        self.comes_back = comes_back
        self.stopped = False

    def reboot(self) -> None:
        if not self.comes_back:
            raise GuestError("it was not back")

    def ssh(self, command: str, **_: object) -> CompletedProcess[str]:
        answer = "0\n0\n" if "modprobe" in command else ""
        return cast("CompletedProcess[str]", type("Done", (), {"stdout": answer}))

    def stop(self) -> None:
        self.stopped = True


def rebooted(
    monkeypatch: pytest.MonkeyPatch, guests: list[PretendedGuest], *answers: str | None
) -> list[trial.TrialResult]:
    """What comes of reboots where the audit has these answers, one for each case in turn."""
    left = iter(answers)
    sure = {"boot": ExpectedResult("0", None, "")}
    monkeypatch.setattr(reboots, "predict", lambda *_: sure)
    for name in ("collected", "host_config_of"):
        monkeypatch.setattr(reboots, name, lambda _: None)
    monkeypatch.setattr(reboots, "_install", lambda *_: None)
    monkeypatch.setattr(
        reboots, "predict_boot", lambda *_: ExpectedResult(next(left), None, "because")
    )
    start = iter(cast("list[Guest]", guests)).__next__
    return list(reboots.run(start, USERLANDS["debian-13"], SEED, 2))


def test_what_the_audit_does_not_know_is_counted_and_not_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guest, tally = PretendedGuest(comes_back=True), Tally(SEED)
    for seen in rebooted(monkeypatch, [guest], None, "0", "1"):
        tally.add("6.1", seen)
    assert tally.tries == {("6.1", "boot"): 2, ("6.1", reboots.UNDECIDED): 1}
    assert [seen.mismatch for _, seen in tally.mismatches] == ["predicted 1, the truth is 0"]
    assert guest.stopped


def test_a_guest_that_does_not_come_back_is_replaced_and_its_case_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guests = [PretendedGuest(comes_back=back) for back in (False, True)]
    seen = rebooted(monkeypatch, guests, "0", "0", "0")
    assert [one.case.number for one in seen] == [reboots.FIRST + 1, reboots.FIRST + 2]
    assert f"case {reboots.FIRST} is lost: it was not back" in capsys.readouterr().out
    assert all(guest.stopped for guest in guests)


def test_an_answer_of_the_host_that_differs_from_the_model_is_a_mismatch() -> None:
    expected = ExpectedResult(None, None, "", differs="this host's modprobe says otherwise")
    seen = trial.TrialResult(TrialCase(0), reboots.UNDECIDED, "", 0, expected)
    assert seen.mismatch == "this host's modprobe says otherwise"
