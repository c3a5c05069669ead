"""Time limits and sizes of the audit: each is here once, with its unit and its reason.

Plain constants. Where a user may choose, the option's default and help are made from them.
"""

from __future__ import annotations

# Connecting and collecting.

#: Seconds for TCP, key exchange and login together (``--connect-timeout``).
CONNECT_TIMEOUT = 10.0
#: Seconds for everything on one host (``--deadline``): a probe takes 6, 500 namespaces 2 more.
HOST_DEADLINE = 60.0
#: Seconds that a host may take beyond its deadline to end on its own.
DEADLINE_OVERRUN = 3.0
#: Hosts that are being connected to at a time (``--forks``): docs/performance.md has the measuring.
FORKS = 64
#: Hosts under way for each fork. Most of them wait for their second sample, which costs this
#: machine a socket, two idle threads and some memory, and the network nothing.
HOSTS_PER_FORK = 8
#: Hosts from which several processes collect unless told otherwise (``--processes``), how many
#: where there are as many cores, and the most. The one that saves and evaluates what they collect
#: keeps up with two or three (docs/performance.md).
SEVERAL_PROCESSES_FROM = 201
USUAL_PROCESSES = 4
MOST_PROCESSES = 64
#: Seconds for collecting processes to end once they are asked to, before they are killed.
PROCESSES_END = 15.0
#: Seconds beyond a host's deadline, and its overrun, in which some process must tell of a host.
PROCESSES_SILENT = 60.0
#: Seconds between two looks for Ctrl-C, which no platform lets a longer wait notice.
INTERRUPT_CHECK = 0.5
#: Seconds before a host is tried again: doubled from the first to the longest, for a busy host.
RETRY_FIRST_PAUSE = 0.15
RETRY_LONGEST_PAUSE = 5.0
#: How often a busy host is tried again.
RETRIES_WHEN_BUSY = 10
#: Seconds that must be left for another attempt to be worth it.
SHORTEST_ATTEMPT = 0.5
#: Seconds between the two samples of the counters: the totals may lag behind by 3.
SHORTEST_SPAN = 5
#: The longest that a policy may ask for, in seconds: within :data:`HOST_DEADLINE`.
LONGEST_SPAN = 60
#: Seconds to find a Dask scheduler and its workers.
ENGINE_TIMEOUT = 15
#: Seconds beyond two deadlines for Dask to notice a lost worker and give its host to another.
ENGINE_OVERRUN = 60.0

# What a host may send.

#: Bytes of a script's standard output: a probe of 500 namespaces sends a tenth of it.
SCRIPT_OUTPUT = 8 * 1024 * 1024
#: Bytes of one of its sections: the probe cuts longer ones to a MiB, and adds a line that says so.
SECTION_OUTPUT = 1024 * 1024 + len("\n[cut]")
#: Bytes of a file that holds one host's answer, with what stands around it; and of a printed probe.
ANSWER_FILE = 16 * 1024 * 1024
PRINTED_FILE = 1024 * 1024
#: Bytes of a script's standard error that are kept.
SCRIPT_ERRORS = 64 * 1024
#: Bytes that a login shell may print before the script starts, and that are kept for messages.
LOGIN_NOISE = 64 * 1024
#: Seconds for each command of testinfra's ``host``.
COMMAND_TIMEOUT = 30.0
#: Bytes of a host's output that are searched for a line to quote, and characters that are quoted.
QUOTE_SEARCHED = 4096
QUOTE_LENGTH = 200

# Saved evidence.

#: Bytes of one host's line: four times what the transport lets through, for escapes.
EVIDENCE_LINE = 64 * 1024 * 1024
#: How often its own size a file of evidence may unpack to (10,000 hosts that differ in their names
#: alone: 109), and the bytes from which that counts. Deflate reaches 1,032.
EVIDENCE_EXPANSION = 250
EVIDENCE_EXPANSION_FROM = 256 * 1024 * 1024

# What an earlier run has left.

#: Bytes of results.json: 200,000 hosts. A fleet larger than memory is read by line.
RESULTS_FILE = 1024 * 1024 * 1024
#: Bytes of a journal, as many; of a manifest, 100,000 files; of what a run under way is about.
JOURNAL_FILE = 512 * 1024 * 1024
MANIFEST_FILE = 16 * 1024 * 1024
IDENTITY_FILE = 64 * 1024

# How a connection is served.

#: Bytes to read from a program or channel at a time.
READ_SIZE = 256 * 1024
#: Bytes to read from a socket at a time; paramiko asks for each packet in two small pieces.
SOCKET_READ_SIZE = 32 * 1024
#: Seconds to wait for output of processes left in the background, after the exit status.
BACKGROUND_OUTPUT = 1.0
#: Seconds between two looks at a connection while something is still to be sent.
CONNECTION_CHECK = 1.0
#: The same once all is sent: hosts that wait for their second sample are many.
IDLE_CONNECTION_CHECK = 10.0
#: Packets of output (32 KiB at most) before the reader is woken: within paramiko's 2 MiB window.
PACKETS_PER_WAKE = 16
#: Seconds for a connection's thread to end; it takes longer only on a starved machine.
CLOSE_TIMEOUT = 5.0
#: Seconds for a proxy command to end before it is killed.
PROXY_COMMAND_END = 1.0
#: Lines of OpenSSH's client that are kept to tell why it failed, and bytes of what its proxy
#: commands and jump hosts said.
COMPLAINTS_KEPT = 20
PROXY_ERRORS = 8 * 1024
#: Seconds for OpenSSH's client to end before it is killed.
CLIENT_END = 1.0
#: Jump hosts on the way to a host; more is a circle.
JUMP_HOSTS = 8
#: Includes within each other in ssh_config, as in OpenSSH.
SSH_CONFIG_INCLUDES = 16

# Inventories.

#: Bytes of one inventory file, about a million hosts. More is a device or a mistake.
INVENTORY_SIZE = 256 * 1024 * 1024
#: Keys and values of one that has aliases, with these written out: 100,000 hosts with 50 each.
INVENTORY_VALUES = 5_000_000
#: Bytes of a password file.
PASSWORD_SIZE = 4096
#: Seconds for a password file that is a program; it may ask a vault on the network.
PASSWORD_PROGRAM = 60.0

# Results.

#: Characters of a name in results: a host, a group, a control.
NAME_CHARACTERS = 512
#: Characters of one field in results, such as a message.
FIELD_CHARACTERS = 16_384
#: Characters of one command's output in results. The whole is in snapshots.jsonl.gz.
OUTPUT_CHARACTERS = 65_536
#: Bytes of one line of results.json, which is a host or a run's head: all outputs of a host at
#: their longest, each character escaped, are half of it.
RESULTS_LINE = 64 * 1024 * 1024

# Latency.

#: Hosts measured at a time (``--latency-hosts``), and the most: sixteen disturb each other
#: (docs/latency.md).
LATENCY_HOSTS = 4
LATENCY_HOSTS_MOST = 64
#: Milliseconds above the median from which a round trip is delayed, where the policy is silent.
LATENCY_SPIKE_MS = 20
#: Seconds that an answer is waited for. TCP brings every byte in the end, only late.
ICMP_ANSWER_TIMEOUT = 2.0
SSH_ANSWER_TIMEOUT = 5.0
#: Seconds beyond connecting, sending and waiting for the last answer.
LATENCY_OVERRUN = 5.0
#: Round trips that one measurement may hold.
ROUND_TRIPS_MOST = 100_000
#: Seconds for which the estimator's own runs are timed: three of its timer's, or four.
ESTIMATOR_TRACE = 7
#: Seconds beyond that until the script that times them is given up.
ESTIMATOR_TRACE_OVERRUN = 30.0
#: Events that this script brings at most, and one more to tell that there were more.
ESTIMATOR_TRACE_EVENTS = 2000
#: Bytes that it may print: four times what its events take.
ESTIMATOR_TRACE_OUTPUT = 256 * 1024

# Changing hosts.

#: Changing a host: bytes of answers read; a line for each step is far below.
CHANGE_OUTPUT_LIMIT = 1024 * 1024
#: Characters kept of an answer's text, and of what a script wrote to stderr.
ANSWER_TEXT_LIMIT = 300
#: Seconds that each step of a plan may take besides the host's deadline.
STEP_SECONDS = 1.0
#: Seconds that undoing may take besides the host's deadline: it may have to wait for the lock.
UNDO_SECONDS = 60
#: Seconds that hosts being changed have once a run is asked to stop (``--grace``): a probe takes
#: 6, and reverting is followed by another.
STOP_GRACE = 60.0
#: The most that may be asked for: clocks cannot wait for any number of seconds.
MAX_STOP_GRACE = 86_400.0
#: Part of it in which a change has to be verified; the rest is for reverting it.
STOP_VERIFY_SHARE = 0.5
#: Seconds without a line until hosts under way are named again.
SIGN_OF_LIFE = 5.0
#: Seconds to wait on a host for another run to end, before changing it and before undoing.
LOCK_SECONDS = 5
UNDO_LOCK_SECONDS = 30
#: Bytes of a file that may be changed; larger ones are not read whole (see the probe's script).
EDITABLE_FILE_LIMIT = 64 * 1024
#: KiB that must be free where files are written, besides what is written.
SPARE_KIB = 256
#: Characters of a run's initiator in the script and on the host, and of a namespace's name.
INITIATOR_LIMIT = 200
NAMESPACE_NAME_LIMIT = 100
