r"""A line of ssh_config, split as OpenSSH splits it.

The rules are those of ``process_config_line_depth`` in readconf.c, ``argv_split`` and
``strdelim`` in misc.c (9.2 to 10.0). They are no shell's: a ``#`` starts a comment only where a
word could start, and a backslash stays unless a quote, a backslash or a blank follows.

>>> split_line('User = CORP\\jdoe # not root')
('user', ('CORP\\jdoe',))
>>> split_line("IdentityFile /keys/id#1")
('identityfile', ('/keys/id#1',))
>>> split_line("ProxyCommand ssh 'a b' -W %h:%p # goes to the shell")
('proxycommand', ("ssh 'a b' -W %h:%p # goes to the shell",))
"""

from __future__ import annotations

from ipvs_audit.transport.ssh.ssh_keywords import NAMES_OF_TODAY

_BLANK = " \t\r\n"
#: Keywords whose value is the rest of the line, quotes and all.
_VERBATIM = frozenset({"proxycommand", "remotecommand", "localcommand", "knownhostscommand"})
#: Keywords that take one word, of those that are read here; more words are an error.
_ONE_WORD = frozenset({
    "addressfamily", "bindaddress", "bindinterface", "canonicalizehostname",
    "casignaturealgorithms", "certificatefile", "ciphers", "connecttimeout",
    "gssapiauthentication", "hashknownhosts", "hostbasedauthentication", "hostkeyalgorithms",
    "hostkeyalias", "hostname", "identitiesonly", "identityagent", "identityfile",
    "kbdinteractiveauthentication", "kexalgorithms", "macs", "passwordauthentication",
    "pkcs11provider", "port", "preferredauthentications", "proxyusefdpass",
    "pubkeyauthentication", "requiredrsasize", "revokedhostkeys", "securitykeyprovider",
    "stricthostkeychecking", "tag", "user", "verifyhostkeydns",
})  # fmt: skip


def split_line(line: str) -> tuple[str, tuple[str, ...]] | None:
    """The keyword, in lower case, and its words; None for a blank line or a comment.

    Raises:
        ValueError: OpenSSH refuses the line; the message says why and quotes nothing,
            since a ProxyCommand may hold a password.
    """
    line = line.rstrip(_BLANK + "\f")
    keyword, rest = _delimit(line)
    if keyword == "" and rest:
        keyword, rest = _delimit(rest)
    if keyword is None:
        raise ValueError("a quote is not closed")
    if not keyword or keyword.startswith("#"):
        return None
    if not keyword.isascii() or not keyword.isalnum():
        raise ValueError("the line does not start with a keyword")
    keyword = NAMES_OF_TODAY.get(keyword.lower(), keyword.lower())
    return keyword, values(keyword, rest)


def values(keyword: str, text: str) -> tuple[str, ...]:
    """The words of a setting, given as text after its keyword.

    Raises:
        ValueError: there are none or too many, or a quote is not closed.
    """
    text = text.strip(_BLANK)
    if not text:
        raise ValueError("a keyword has no value")
    words = split_words(text)
    if keyword in _VERBATIM:
        return (text.lstrip(_BLANK + "="),)
    if keyword == "proxyjump":
        jumps = text.lstrip(_BLANK + "=").partition("#")[0].rstrip(_BLANK)
        if any(blank in jumps for blank in _BLANK):
            raise ValueError("write ProxyJump without blanks between its hosts")
        return (jumps,)
    if not words or not words[0]:
        raise ValueError("a keyword has no value")
    if keyword in _ONE_WORD and len(words) > 1:
        raise ValueError("quote a value that holds blanks: this keyword takes one word")
    return words


def split_words(text: str) -> tuple[str, ...]:
    r"""Words, comment left out (``argv_split``).

    >>> split_words(r'''a\b "c d" e\ f 'g"h' i#j #k''')
    ('a\\b', 'c d', 'e f', 'g"h', 'i#j')

    Raises:
        ValueError: a quote is not closed.
    """
    words: list[str] = []
    at, end = 0, len(text)
    while at < end:
        if text[at] in " \t":
            at += 1
            continue
        if text[at] == "#":
            break
        word, at = _word(text, at)
        words.append(word)
    return tuple(words)


def _word(text: str, at: int) -> tuple[str, int]:
    """The word that starts there, and where it ends."""
    word: list[str] = []
    quote = ""
    while at < len(text):
        c, after = text[at], text[at + 1 : at + 2]
        if c == "\\" and after and (after in "'\"\\" or (after == " " and not quote)):
            at += 1
            word.append(after)
        elif not quote and c in " \t":
            break
        elif not quote and c in "\"'":
            quote = c
        elif c == quote:
            quote = ""
        else:
            word.append(c)
        at += 1
    if quote:
        raise ValueError("a quote is not closed")
    return "".join(word), at


def _delimit(text: str) -> tuple[str | None, str]:
    """The first word up to a blank, an ``=`` or a closing quote, and the rest (``strdelim``)."""
    at = next((at for at, c in enumerate(text) if c in _BLANK + '"='), None)
    if at is None:
        return text, ""
    if text[at] == '"':
        inside, closed, rest = text[at + 1 :].partition('"')
        return (text[:at] + inside if closed else None), rest.lstrip(_BLANK)
    rest = text[at + 1 :].lstrip(_BLANK)
    if text[at] != "=" and rest.startswith("="):
        rest = rest[1:].lstrip(_BLANK)
    return text[:at], rest
