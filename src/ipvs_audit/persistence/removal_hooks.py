"""What modprobe's ``remove`` lines change: one may bring ip_vs back without its hook."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ipvs_audit.persistence.hook.interpreter import loaded, run_hook
from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.prediction import is_compliant

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.persistence.prediction import Accepts, Prediction


def with_removal(config: HostConfig, before: Prediction, accepts: Accepts) -> Prediction:
    """The prediction where ``modprobe -r`` runs the commands of ``remove`` lines.

    Those of other modules count where they surely change the value; that of ip_vs also where what
    it does is not known.
    """
    if before.fault or before.doubt or not is_compliant(accepts, before.value):
        return before
    own = config.modprobe.first("remove", MODULE)
    for directive in config.modprobe.directives:
        if directive.verb != "remove" or (directive.concerns(MODULE) and directive is not own):
            continue
        start = replace(loaded(config), value=before.value, written=True)
        for end in run_hook(config, directive, start):
            why = end.doubt or end.fault if directive is own else ""
            if end.loaded and end.value != before.value:
                why = f"it leaves {MODULE} loaded with {end.value}"
            if why:
                runs = f"{directive.where} has 'modprobe -r' run {directive.rest.strip()!r}"
                return replace(before, doubt=f"{runs}: {why}")
    return before
