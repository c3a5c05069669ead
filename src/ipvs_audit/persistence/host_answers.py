"""What a load of ip_vs runs, by the host's modprobe and by the model; all answers in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipvs_audit.persistence.host_config import MODULE
from ipvs_audit.persistence.module_parameters import configured
from ipvs_audit.persistence.sysctl_answers import REPORT, answered_value

if TYPE_CHECKING:
    from ipvs_audit.persistence.host_config import HostConfig
    from ipvs_audit.snapshot.host_answers import HostAnswers, LoadAnswer
    from ipvs_audit.snapshot.modprobe_config import Directive


def load_difference(config: HostConfig, hook: Directive | None) -> str:
    """How modprobe's answer and the model differ in what a load of ip_vs runs; or empty."""
    answers = config.answers
    if answers is None or config.modprobe.first("alias", MODULE) is not None:
        return ""  # what modprobe loads instead of an alias is not known anyway
    asked = [(f"modprobe --show-depends {MODULE}", answers.load)]
    names = " ".join(answers.dependents)
    asked.append((f"modprobe --all --show-depends {names}", answers.dependent_load))
    for command, answer in asked:
        if answer is not None and not _same_load(config, hook, answer):
            expects = f"{hook.rest.strip()!r} from {hook.where}" if hook else "no command"
            said = f"this host's {command} {_load_said(answer)}"
            return f"{said}, and this audit expects {expects}: {REPORT}"
    return ""


def _same_load(config: HostConfig, hook: Directive | None, answer: LoadAnswer) -> bool:
    if hook is None:
        return not answer.command and bool(answer.file)
    if not answer.command.startswith(hook.rest):
        return False
    shown = answer.command.removeprefix(hook.rest).split()
    return sorted(shown) == sorted(each.text for each in configured(config))


def _load_said(answer: LoadAnswer) -> str:
    if answer.command:
        return f"says that a load runs {answer.command.strip()!r}"
    if answer.file:
        return f"says that a load runs no command ({answer.file})"
    return "names neither a command nor a file of ip_vs"


def sysctl_answer_lines(config: HostConfig) -> list[str]:
    """What the host's sysctl programs answered, and what they were not asked, for people."""
    answers = config.answers
    if answers is None:
        return []
    lines = []
    for loader in (config.sysctl_p, config.sysctl_system, config.systemd_sysctl):
        if answer := answered_value(loader, answers, config.key):
            command, _, value, where = answer
            said = "sets nothing" if value is None else f"{value}{where}"
            lines.append(f"this host's {command}: {said}")
    return lines + _not_asked(answers, "dry-run", "cat-config", "everything")


def load_answer_lines(config: HostConfig) -> list[str]:
    """What the host's modprobe answered, or why it was not asked, for people."""
    answers = config.answers
    if answers is None:
        return []
    lines = []
    if answers.load is not None:
        lines.append(f"this host's modprobe --show-depends {MODULE} {_load_said(answers.load)}")
    return lines + _not_asked(answers, "show-depends", "everything")


def answer_lines(config: HostConfig) -> list[str]:
    """All answers of the host's own programs, for people; empty for a tree on disk."""
    return list(dict.fromkeys([*sysctl_answer_lines(config), *load_answer_lines(config)]))


def _not_asked(answers: HostAnswers, *questions: str) -> list[str]:
    return [
        f"no answer of this host to {what}: {why}"
        for what, why in answers.not_asked
        if what.startswith(questions)
    ]
