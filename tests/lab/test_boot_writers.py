"""What udev and a real boot make of rules and of a unit: as the model says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.evidence import collected

from ipvs_audit.model.policy import Policy
from ipvs_audit.persistence.boot import after_boot
from ipvs_audit.persistence.host_config import host_config_of
from ipvs_audit.persistence.udev.line import read_udev_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.guest import Guest

VALUE = "/proc/sys/net/ipv4/vs/run_estimation"
GOOD = 'ACTION=="add", SUBSYSTEM=="module", KERNEL=="ip_vs", RUN+="/bin/touch /run/rule-@"'
LINES = [
    GOOD,
    GOOD.replace(",", ""),
    GOOD.replace(", ", ","),
    GOOD.replace(", ", ""),
    GOOD.replace("==", " == "),
    f",{GOOD}, ",
    GOOD.replace("RUN", "RUN{program}"),
    f'{GOOD}, TAG-="systemd"',
    GOOD.replace("RUN+=", "RUN+=e"),
    f"{GOOD}\r",
    GOOD.replace("KERNEL==", "KERNEL="),
    GOOD.replace("ACTION==", "ACTION="),
    GOOD.replace('"ip_vs"', "ip_vs"),
    GOOD.replace('"ip_vs"', "'ip_vs'"),
    GOOD.replace(",", ";"),
    f"{GOOD};",
    f"{GOOD}  # ip_vs",
    GOOD.replace("KERNEL", "kernel"),
    f'{GOOD}, FOO="x"',
    GOOD.replace("KERNEL==", "KERNEL+="),
    GOOD.replace("RUN+=", "RUN-="),
    GOOD[:-1],
    GOOD.replace("RUN", "RUN{script}"),
    GOOD.replace("KERNEL", "KERNEL{x}"),
    f'{GOOD}, ATTR=="1"',
]
UNIT = (
    "[Unit]\nDescription=IPVS without estimation\n[Service]\nType=oneshot\n"
    "ExecStart=/sbin/modprobe ip_vs\nExecStart=/sbin/sysctl -w net.ipv4.vs.run_estimation=0\n"
    "[Install]\nWantedBy=multi-user.target\n"
)


def test_rules_and_a_unit_do_what_the_model_says(boot: Callable[[str], Guest]) -> None:
    host = boot("6.1")
    rules = "".join(f"{line.replace('@', str(at))}\n" for at, line in enumerate(LINES))
    host.put("/etc/udev/rules.d/90-ipvs.rules", rules)
    host.ssh("udevadm control --reload; modprobe ip_vs; udevadm settle")
    ran = {int(name.rpartition("-")[2]) for name in host.ssh("ls -d /run/rule-*").stdout.split()}
    assert ran == {at for at, line in enumerate(LINES) if not read_udev_line(line, 252).discarded}

    host.put("/etc/systemd/system/ipvs-tune.service", UNIT)
    host.ssh("systemctl enable ipvs-tune.service")
    accepts = Policy().accepts
    predicted = after_boot(host_config_of(collected(host)), accepts)
    assert (predicted.doubt, predicted.value) == ("", 0), predicted
    assert "/etc/systemd/system/ipvs-tune.service:6" in predicted.because
    host.reboot()
    assert host.ssh(f"cat {VALUE}").stdout == "0\n"
