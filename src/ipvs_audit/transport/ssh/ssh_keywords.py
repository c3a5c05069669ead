"""The keywords of ssh_config(5), in lower case, by what becomes of them."""

from __future__ import annotations

#: Settings that change how a host is reached, and are followed.
SUPPORTED = frozenset({
    "addressfamily", "bindaddress", "certificatefile", "connecttimeout", "globalknownhostsfile",
    "hashknownhosts", "hostkeyalias", "hostname", "identitiesonly", "identityagent",
    "identityfile", "kbdinteractiveauthentication", "passwordauthentication", "port",
    "preferredauthentications", "proxycommand", "proxyjump", "pubkeyauthentication",
    "revokedhostkeys", "tag", "user", "userknownhostsfile",
})  # fmt: skip

#: Settings that change how a host is reached, and that only OpenSSH's client follows; what
#: :mod:`ipvs_audit.transport.ssh.unsupported` finds among them decides about the transport.
ONLY_OPENSSH = frozenset({
    "bindinterface", "canonicaldomains", "canonicalizefallbacklocal", "canonicalizehostname",
    "canonicalizemaxdots", "canonicalizepermittedcnames", "casignaturealgorithms", "ciphers",
    "gssapiauthentication", "gssapiclientidentity", "gssapidelegatecredentials",
    "gssapikexalgorithms", "gssapikeyexchange", "gssapirenewalforcesrekey",
    "gssapiserveridentity", "gssapitrustdns", "hostbasedacceptedalgorithms",
    "hostbasedauthentication", "hostkeyalgorithms", "kexalgorithms", "knownhostscommand",
    "macs", "pkcs11provider", "proxyusefdpass", "pubkeyacceptedalgorithms", "requiredrsasize",
    "securitykeyprovider", "verifyhostkeydns",
})  # fmt: skip

#: Settings that ssh may be given, and that change nothing for one script over one connection.
#: StrictHostKeyChecking stands here on purpose: only ``--host-key-policy`` decides that.
IGNORED = frozenset({
    "addkeystoagent", "afstokenpassing", "batchmode", "channeltimeout", "checkhostip", "cipher",
    "clearallforwardings", "compression", "compressionlevel", "connectionattempts",
    "controlmaster", "controlpath", "controlpersist", "dynamicforward",
    "enableescapecommandline", "enablesshkeysign", "escapechar", "exitonforwardfailure",
    "fallbacktorsh", "fingerprinthash", "forkafterauthentication", "forwardagent", "forwardx11",
    "forwardx11timeout", "forwardx11trusted", "gatewayports", "globalknownhostsfile2",
    "ignoreunknown", "ipqos", "kbdinteractivedevices", "kerberosauthentication",
    "kerberostgtpassing", "localcommand", "localforward", "loglevel", "logverbose",
    "nohostauthenticationforlocalhost", "numberofpasswordprompts", "obscurekeystroketiming",
    "permitlocalcommand", "permitremoteopen", "protocol", "protocolkeepalives", "rekeylimit",
    "remoteforward", "requesttty", "rhostsauthentication", "rhostsrsaauthentication",
    "rsaauthentication", "sendenv", "serveralivecountmax", "serveraliveinterval", "setenv",
    "setuptimeout", "stdinnull", "streamlocalbindmask", "streamlocalbindunlink",
    "stricthostkeychecking", "syslogfacility", "tcpkeepalive", "updatehostkeys",
    "useblacklistedkeys", "usekeychain", "useprivilegedport", "userknownhostsfile2",
    "useroaming", "usersh", "visualhostkey", "warnweakcrypto", "xauthlocation",
})  # fmt: skip

#: Every keyword of ssh_config(5), up to OpenSSH 10.
KNOWN = SUPPORTED | ONLY_OPENSSH | IGNORED | frozenset({
    "host", "include", "match", "refuseconnection", "remotecommand", "sessiontype", "tunnel",
    "tunneldevice", "versionaddendum",
})  # fmt: skip

#: Older names, which OpenSSH reads as the newer ones (readconf.c).
NAMES_OF_TODAY = {
    "challengeresponseauthentication": "kbdinteractiveauthentication",
    "dsaauthentication": "pubkeyauthentication",
    "hostbasedkeytypes": "hostbasedacceptedalgorithms",
    "identityfile2": "identityfile",
    "keepalive": "tcpkeepalive",
    "pubkeyacceptedkeytypes": "pubkeyacceptedalgorithms",
    "skeyauthentication": "kbdinteractiveauthentication",
    "smartcarddevice": "pkcs11provider",
    "tisauthentication": "kbdinteractiveauthentication",
}
