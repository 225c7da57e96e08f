"""Why the gateway itself says no. Codes 900 to 999, append only; those of the ledger pass through unchanged."""

from enum import IntEnum


class GatewayCode(IntEnum):
    """Outcomes that never reach the chain."""

    REQUEST_MALFORMED = 900
    BODY_TOO_LARGE = 901
    NOT_FOUND = 902
    METHOD_NOT_ALLOWED = 903
    HOST_UNKNOWN = 904
    MEDIA_TYPE_UNKNOWN = 905
    BODY_TOO_SLOW = 906
    SESSION_MISSING = 910
    SESSION_ENDED = 911
    NOT_YOUR_ACCOUNT = 912
    CHALLENGE_INVALID = 913
    CHALLENGE_NOT_SIGNED = 914
    RECORD_NOT_PUBLIC = 915
    TOO_MANY = 920
    NOT_READY = 921
    NODE_UNREACHABLE = 922
    READ_ONLY = 923
    STREAM_TOO_SLOW = 930
    STREAM_TOPIC_UNKNOWN = 931
    STREAM_RESTARTED = 932
    STREAM_SILENT = 933
    FAUCET_CLOSED = 940
    FAUCET_UNREACHABLE = 941
    NO_CONSENSUS = 950
    HISTORY_MISSING = 951
    GATEWAY_FAULT = 999


STATUS = {
    GatewayCode.REQUEST_MALFORMED: 400,
    GatewayCode.BODY_TOO_LARGE: 413,
    GatewayCode.NOT_FOUND: 404,
    GatewayCode.METHOD_NOT_ALLOWED: 405,
    GatewayCode.HOST_UNKNOWN: 421,
    GatewayCode.MEDIA_TYPE_UNKNOWN: 415,
    GatewayCode.BODY_TOO_SLOW: 408,
    GatewayCode.SESSION_MISSING: 401,
    GatewayCode.SESSION_ENDED: 401,
    GatewayCode.NOT_YOUR_ACCOUNT: 403,
    GatewayCode.CHALLENGE_INVALID: 401,
    GatewayCode.CHALLENGE_NOT_SIGNED: 401,
    GatewayCode.RECORD_NOT_PUBLIC: 403,
    GatewayCode.TOO_MANY: 429,
    GatewayCode.NOT_READY: 503,
    GatewayCode.NODE_UNREACHABLE: 503,
    GatewayCode.READ_ONLY: 403,
    GatewayCode.STREAM_TOO_SLOW: 400,
    GatewayCode.STREAM_TOPIC_UNKNOWN: 400,
    GatewayCode.STREAM_RESTARTED: 503,
    GatewayCode.STREAM_SILENT: 400,
    GatewayCode.FAUCET_CLOSED: 409,
    GatewayCode.FAUCET_UNREACHABLE: 503,
    GatewayCode.NO_CONSENSUS: 404,
    GatewayCode.HISTORY_MISSING: 404,
    GatewayCode.GATEWAY_FAULT: 500,
}
"""The status of HTTP that goes with each."""
