"""What Alipay and we sign: RSA2 is SHA256withRSA over `name=value` of all fields, sorted, joined with `&`.

we ask       every field but `sign` that says something, `sign_type` among them
it notifies  every field but `sign` and `sign_type`, as decoded bytes, empty ones too
it answers   the raw text of the member `..._response`, as it stands in the body
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
    """The fields that say something, sorted, and their signature."""
    told = dict(sorted((name, value) for name, value in fields.items() if value))
    message = "&".join(f"{name}={value}" for name, value in told.items())
    return told | {"sign": rsa.sign(key, message.encode())}


def encoded(fields: Mapping[str, str]) -> str:
    """As they stand in a link, a form or an app's order string."""
    return "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())


def notified(fields: Mapping[bytes, bytes], keys: Iterable[rsa.PublicKey]) -> bool:
    """Whether Alipay signed the fields of a notification. They are signed in the charset that they name."""
    signature = fields.get(b"sign", b"").decode("ascii", "replace")
    if fields.get(b"sign_type") != SIGN_TYPE.encode():
        return False
    told = sorted(item for item in fields.items() if item[0] not in (b"sign", b"sign_type"))
    message = b"&".join(name + b"=" + value for name, value in told)
    return any(key.signed(signature, message) for key in keys)


def decoded(fields: Mapping[bytes, bytes]) -> Fields:
    """The fields as text. Raises FieldError."""
    charset = fields.get(b"charset", b"").lower()
    if charset not in (b"utf-8", b"gbk", b"gb2312", b"gb18030"):
        raise FieldError("charset is another one")
    try:
        return Fields({name.decode("ascii"): value.decode(charset.decode()) for name, value in fields.items()})
    except UnicodeDecodeError:
        raise FieldError("the fields are not in their charset") from None


def answered(body: bytes, member: str, keys: Sequence[rsa.PublicKey]) -> Fields:
    """What an answer says, once its signature over the very text is checked. Raises FieldError."""
    whole = json_fields(body)  # refuses what is too deep, and a name that stands twice
    text, spans = body.decode(), _members(body.decode())
    if member not in spans:
        raise FieldError(f"the answer has no {member}")
    signature, (begin, end) = whole.text("sign", length_max=rsa.SIGNATURE_CHARACTERS_MAX), spans[member]
    if not any(key.signed(signature, text[begin:end].encode()) for key in keys):
        raise FieldError("the answer is not signed by Alipay")
    return whole.part(member)


def _members(text: str) -> dict[str, tuple[int, int]]:
    """Where the values of the outermost JSON object stand, of which no name stands twice."""
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
