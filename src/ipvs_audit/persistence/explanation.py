"""What ``ipvs-audit explain`` shows of one configuration: pure facts, without their printing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ipvs_audit.model.policy import Policy
from ipvs_audit.model.verdict import Verdict
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_answers import answer_lines
from ipvs_audit.persistence.persisted_value import active_loaders
from ipvs_audit.persistence.policy_verdicts import judge_persisted, judge_reload
from ipvs_audit.persistence.reload import after_reload, find_hook
from ipvs_audit.persistence.tree_on_disk.loaders import MODPROBE, SYSCTL, SYSTEMD_SYSCTL
from ipvs_audit.snapshot.sysctl_key import RUN_ESTIMATION

if TYPE_CHECKING:
    from ipvs_audit.model.package_version import PackageVersion
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Prediction
    from ipvs_audit.persistence.resolution import Resolution
    from ipvs_audit.snapshot.modprobe_config import Directive
    from ipvs_audit.snapshot.sysctl_loader import Loader

#: The policy that explanations are judged by: estimation disabled.
POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a key has its value.

    Attributes:
        resolutions: for each loader the lines that concern the key, and which one wins.
        hook: the ``install ip_vs`` line that modprobe runs, or None.
        reload: the value after a reload of ip_vs; None for a key that does not depend on ip_vs.
        boot: the value after a boot.
        verdicts: what EST-2 and EST-3 give; None for another key than run_estimation.
        ignored: notes on files that no loader reads.
        answers: what the host's own programs say that they would do; empty for a tree on disk.
        summary: what holds and why, in one sentence.
        assumed: what the result takes for granted, where there was no probe to tell.
    """

    resolutions: tuple[Resolution, ...]
    hook: Directive | None
    reload: Prediction | None
    boot: Prediction
    verdicts: dict[str, Verdict | None]
    ignored: tuple[str, ...]
    answers: tuple[str, ...]
    summary: str
    assumed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The explanation as ``--format json`` and ``jsonl`` write it, see docs/explain.md."""
        hook = self.hook
        return {
            "summary": self.summary,
            "loaders": [
                {"name": found.loader.name, "value": found.value, "doubt": found.doubt}
                for found in self.resolutions
            ],
            "hook": hook and {"where": hook.where, "command": hook.rest.strip()},
            "reload": self.reload and self._predicted(self.reload),
            "boot": self._predicted(self.boot),
            "verdicts": self.verdicts,
            "ignored": list(self.ignored),
            "answers": list(self.answers),
            "assumed": list(self.assumed),
        }

    def _predicted(self, prediction: Prediction) -> dict[str, Any]:
        judged = self.verdicts["EST-3"] is not None
        return {
            "value": None if prediction.doubt else prediction.value,
            "holds": prediction.holds(POLICY.accepts) if judged else None,
            "because": prediction.fault or prediction.because,
            "doubt": prediction.doubt,
        }


#: What a boot depends on and only an audit looks for.
_ASSUMED_OF_A_TREE = (
    "nothing else writes the key later: no unit, timer, cron, rc.local or the like is searched",
    "systemd's own units are as shipped",
)


def explain(config: HostConfig, loaders: tuple[Loader, ...] = ()) -> Explanation:
    """Explain a configuration.

    Args:
        config: the files and programs of a host or a file tree.
        loaders: those to resolve the key for; empty for all that are active on the host.
    """
    reload = after_reload(config, POLICY.accepts) if config.needs_module else None
    boot = after_boot(config, POLICY.accepts)
    return Explanation(
        resolutions=tuple(map(config.resolve, loaders or active_loaders(config))),
        hook=find_hook(config)[0],
        reload=reload,
        boot=boot,
        verdicts=_verdicts(config),
        summary=_summary(config, reload, boot),
        ignored=config.ignored,
        answers=tuple(answer_lines(config)),
        assumed=(*config.programs.assumptions, *([] if config.kernel else _ASSUMED_OF_A_TREE)),
    )


def _summary(config: HostConfig, reload: Prediction | None, boot: Prediction) -> str:
    key, predictions = config.key.dotted, {"a boot": boot}
    if reload is not None:
        predictions = {"a reload of ip_vs": reload, **predictions}
    if config.key != RUN_ESTIMATION:
        if boot.doubt:
            return f"{key} is not known after a boot: {boot.doubt}."
        return f"{key} {_value(boot)} after a boot: {boot.reason}."
    if config.module == "absent":
        return "ip_vs is not present here, so there is no estimation to switch off."
    for holds, words in ((False, "does not stay 0"), (None, "is not known to stay 0")):
        for when, prediction in predictions.items():
            if prediction.holds(POLICY.accepts) is holds:
                return f"{key} {words}: after {when}, {prediction.reason}."
    holds_how = "stays 0" if boot.value is not None else "cannot be on"
    return f"{key} {holds_how} after {' and '.join(predictions)}: {boot.reason}."


def _value(prediction: Prediction) -> str:
    return "is not set" if prediction.value is None else f"is {prediction.value}"


def _verdicts(config: HostConfig) -> dict[str, Verdict | None]:
    if config.key != RUN_ESTIMATION:
        return {"EST-2": None, "EST-3": None}
    if config.module == "absent":
        return {"EST-2": Verdict.NOT_APPLICABLE, "EST-3": Verdict.NOT_APPLICABLE}
    return {"EST-2": judge_persisted(config, POLICY)[0], "EST-3": judge_reload(config, POLICY)[0]}


def with_versions(
    config: HostConfig,
    procps: PackageVersion | None = None,
    systemd: PackageVersion | None = None,
    kmod: PackageVersion | None = None,
) -> HostConfig:
    """The same files as programs of other versions read them; None leaves a program as it is.

    A program that is given is there: a tree without one, or with busybox instead, gets it.
    """
    loaders, programs = config.loaders, config.programs
    if procps:
        programs = programs.having("sysctl", "sysctl")
        loaders = replace(
            loaders,
            procps=procps.upstream,
            procps_release=procps.release,
            sysctl_kind="procps",
            sysctl_path=loaders.sysctl_path or SYSCTL,
        )
    if systemd:
        loaders = replace(
            loaders,
            init="systemd",
            systemd_version=systemd.upstream[0],
            systemd_release=systemd.release,
            systemd_sysctl=loaders.systemd_sysctl or SYSTEMD_SYSCTL,
        )
    if kmod:
        programs = programs.having("modprobe", "modprobe", "insmod", "rmmod")
        loaders = replace(
            loaders,
            kmod=kmod.upstream[0],
            kmod_release=kmod.release,
            modprobe=loaders.modprobe or MODPROBE,
            modprobe_kind="kmod",
        )
    return replace(config, loaders=loaders, programs=programs)
