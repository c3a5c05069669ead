"""Keys of ip_vs beside ``run_estimation``, by the kernel that every later one has them from.

Source: net/netfilter/ipvs/ip_vs_ctl.c.
"""

from __future__ import annotations

SINCE_4_0 = frozenset(
    ("am_droprate", "amemthresh", "cache_bypass", "conn_reuse_mode", "conntrack", "drop_entry",
     "drop_packet", "expire_nodest_conn", "expire_quiescent_template", "nat_icmp_send",
     "secure_tcp", "snat_reroute", "sync_threshold")
)  # fmt: skip
SINCE_4_4 = SINCE_4_0 | frozenset(
    ("backup_only", "ignore_tunneled", "pmtu_disc", "schedule_icmp", "sloppy_sctp", "sloppy_tcp",
     "sync_persist_mode", "sync_ports", "sync_qlen_max", "sync_refresh_period", "sync_retries",
     "sync_sock_size", "sync_version")
)  # fmt: skip
