"""Why a broker says no, or nothing, in words that end with what to do."""

from __future__ import annotations

import socket
import ssl

from vser_stream.adapters.system.tls import distrust

__all__ = [
    "HUNG_UP",
    "NO_RETAIN",
    "NO_SUCH_QOS",
    "SESSION_TAKEN",
    "UNSPECIFIED",
    "UNSUPPORTED_PROTOCOL",
    "WHERE_NOT_WHAT",
    "WILL_UNFIT",
    "denial",
    "failure",
    "login_refusal",
    "refusal",
]

UNSPECIFIED = 128
"""What paho makes of a connection that just ended."""

UNSUPPORTED_PROTOCOL = 132

NOT_AUTHORISED = 135

SESSION_TAKEN = 142

NO_RETAIN, NO_SUCH_QOS = 154, 155

WILL_UNFIT = {144, 149, 151, 153}
"""A connection may be refused with these because of its last will alone."""

WHERE_NOT_WHAT = {NOT_AUTHORISED, 144, 151}
"""A publication is refused with these because of its topic or its sender, not of what it is."""

REASONS = {
    130: "it rejects the message as malformed or too large; raise its packet limit, or see its log",
    UNSUPPORTED_PROTOCOL: "it speaks neither MQTT 5 nor 3.1.1; use another broker",
    133: "it does not accept the client id; choose another one",
    134: "it does not accept the user or the password; check username and password_file",
    NOT_AUTHORISED: "it does not authorise this user; check username, password_file and its access list",
    136: "it is unavailable; see its log",
    137: "it is busy; see its log",
    138: "it has banned this client; see its log",
    139: "it is shutting down; start it again",
    141: "nothing was received for longer than keepalive; check the network",
    SESSION_TAKEN: "another client logged in with the same client id: another agent uses this site; "
    "give each box its own",
    144: "it does not accept the topic; check site and the names of the sources",
    149: "the message is too large for it; raise its packet limit",
    151: "a quota of it is exceeded; see its log",
    NO_RETAIN: "it does not store retained messages; enable them",
    NO_SUCH_QOS: "it does not support this QoS; enable QoS 1",
}
"""Section 2.4 of MQTT 5; paho translates the return codes of 3.1.1 to these."""

HUNG_UP = "closed the connection; check that it runs, and that no other agent uses the same site"

CAUSES: tuple[tuple[type[OSError], str], ...] = (
    (ssl.SSLError, "failed at TLS ({cause.reason}); check that tls belongs to this port, and cert_file"),
    (socket.gaierror, "is an unknown host; check host and the name server"),
    (ConnectionRefusedError, "refuses connections; start it or check host and port"),
    (ConnectionResetError, "hung up; check the port, whether it expects tls, and cert_file"),
    (TimeoutError, "did not answer in time; check the network, the port, and whether it expects tls"),
    (OSError, "cannot be reached ({cause.strerror}); check the network"),
)
"""The first that fits."""


def refusal(code: int) -> str:
    """What a reason code of the broker means."""
    return REASONS.get(code, f"reason code {code}; see its log")


def login_refusal(code: int, client_id: str | None) -> str:
    """The same, of a connection: some brokers do not authorise a client id rather than a user."""
    if code == NOT_AUTHORISED:
        also = f", and whether it takes the client id {client_id!r}" if client_id else ""
        return f"it does not authorise this user; check username, password_file and its access list{also}"
    return refusal(code)


def denial(code: int, *, access: str, topic: str, username: str | None) -> str:
    """Why the broker refuses a topic.

    Args:
        code: The broker's reason.
        access: What was refused, "read" or "write".
        topic: Where.
        username: To whom.
    """
    if code != NOT_AUTHORISED:
        return refusal(code)
    whose = f'below "user {username}"' if username else "before the first user"
    return f'it does not authorise this user; add to its acl_file, {whose}: "topic {access} {topic}"'


def failure(cause: BaseException | None) -> str:
    """What went wrong below MQTT; None for a connection that just ended."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return distrust(cause)
    for kind, words in CAUSES:
        if isinstance(cause, kind):
            return words.format(cause=cause)
    return HUNG_UP
