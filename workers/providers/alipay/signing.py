"""Signs our requests to Alipay and verifies what Alipay sends.

RSA2 is SHA256withRSA. A signature covers `name=value` of the fields, sorted by name and joined with `&`:

request       every field but `sign` that is not empty, `sign_type` among them
notification  every field but `sign` and `sign_type`, as decoded bytes, empty ones too
response      instead of fields, the raw text of the member `..._response`, exactly as in the body
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote_plus

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from workers.providers import rsa
from workers.providers.parsing import FieldError, Fields, json_fields

SIGN_TYPE = "RSA2"
_BLANK = " \t\r\n"
_JSON = json.JSONDecoder()


def signed(fields: Mapping[str, str], key: RSAPrivateKey) -> dict[str, str]:
    """The fields that are not empty, sorted by name, and their signature."""
    filled = dict(sorted((name, value) for name, value in fields.items() if value))
    message = "&".join(f"{name}={value}" for name, value in filled.items())
    return filled | {"sign": rsa.sign(key, message.encode())}


def encoded(fields: Mapping[str, str]) -> str:
    """Encode fields for a link, a form or an app's order string."""
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())


def is_notification_signed(fields: Mapping[bytes, bytes], keys: Iterable[rsa.PublicKey]) -> bool:
    """True if Alipay signed the fields of a notification, as bytes in the charset that they name."""
    signature = fields.get(b"sign", b"").decode("ascii", "replace")
    if fields.get(b"sign_type") != SIGN_TYPE.encode():
        return False
    covered = sorted(item for item in fields.items() if item[0] not in (b"sign", b"sign_type"))
    message = b"&".join(name + b"=" + value for name, value in covered)
    return any(key.signed(signature, message) for key in keys)


def decoded(fields: Mapping[bytes, bytes]) -> Fields:
    """Decode the fields in the charset that they name. Raises FieldError."""
    charset = fields.get(b"charset", b"").lower()
    if charset not in (b"utf-8", b"gbk", b"gb2312", b"gb18030"):
        raise FieldError("charset is another one")
    try:
        return Fields({name.decode("ascii"): value.decode(charset.decode()) for name, value in fields.items()})
    except UnicodeDecodeError:
        raise FieldError("the fields are not in their charset") from None


def read_response(body: bytes, member: str, keys: Sequence[rsa.PublicKey]) -> Fields:
    """Verify the signature over the raw text of a response's member, and read the member. Raises FieldError."""
    whole = json_fields(body)  # also refuses deep nesting and a name that occurs twice
    text, spans = body.decode(), _members(body.decode())
    if member not in spans:
        raise FieldError(f"the answer has no {member}")
    signature, (begin, end) = whole.text("sign", length_max=rsa.SIGNATURE_CHARACTERS_MAX), spans[member]
    if not any(key.signed(signature, text[begin:end].encode()) for key in keys):
        raise FieldError("the answer is not signed by Alipay")
    return whole.part(member)


def _members(text: str) -> dict[str, tuple[int, int]]:
    """Name -> (begin, end) of its value in the text, for the outermost JSON object. No name occurs twice."""
    spans: dict[str, tuple[int, int]] = {}
    try:
        at = _after(text, 0, "{")
        while True:
            name, at = _JSON.raw_decode(text, at)
            at = _after(text, at, ":")
            _, end = _JSON.raw_decode(text, at)
            spans[name] = at, end
            at = _skip(text, end)
            if text[at] == "}":
                return spans
            at = _after(text, at, ",")
    except (ValueError, IndexError, TypeError, RecursionError) as error:
        raise error if isinstance(error, FieldError) else FieldError("the answer is no JSON object") from None


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at


def _after(text: str, at: int, sign: str) -> int:
    at = _skip(text, at)
    if text[at] != sign:
        raise FieldError("the answer is no JSON object")
    return _skip(text, at + 1)
