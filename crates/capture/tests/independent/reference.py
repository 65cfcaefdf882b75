"""Documents and what is in them, by Python's standard library: json, urllib.parse, email, xml.etree,
gzip, zlib, base64. One JSON object a line; bytes in base64.

    python3 reference.py SEED
"""

import base64
import email.message
import email.parser
import email.policy
import gzip
import io
import json
import random
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
import zlib

R = random.Random(int(sys.argv[1]))
ROUNDS = 60
LETTERS = "abcXYZ019 _-+%&=;:/?#[]{}<>'\"\\,.*@\t\n\r\u00e4\u00f6\u20ac\u4e2d\U0001f600"
NAMES = "abcdefgh"


def text(most=12, letters=LETTERS):
    return "".join(R.choice(letters) for _ in range(R.randint(0, most)))


def show(source, body, expected, content_type, encoding=""):
    encoded = None if expected is None else base64.b64encode(expected).decode()
    print(json.dumps({
        "source": "request.body." + source,
        "content_type": content_type,
        "encoding": encoding,
        "body": base64.b64encode(body).decode(),
        "expected": encoded,
    }))


def name():
    return R.choice(NAMES)


def tree(depth):
    kind = R.randint(0, 8 if depth else 5)
    if kind <= 1:
        return text()
    if kind == 2:
        return R.choice([0, -1, 7, 10**30, 1.5, -2.5e-7, 1e22])
    if kind <= 5:
        return R.choice([True, False, None])
    if kind == 6:
        return [tree(depth - 1) for _ in range(R.randint(0, 4))]
    return {name(): tree(depth - 1) for _ in range(R.randint(0, 5))}


def leaf(value):
    """A JSON scalar as a value of a source; `parse_int` and `parse_float` keep numbers as written."""
    if value is None or isinstance(value, (dict, list)):
        return None
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return str(value).encode("utf-8", "surrogatepass")


def walk(value, path):
    for segment in path:
        if isinstance(value, dict):
            value = value.get(segment)
        elif isinstance(value, list):
            value = value[int(segment)] if segment.isdigit() and int(segment) < len(value) else None
        else:
            return None
    return value


def json_document():
    document = {name(): tree(4) for _ in range(6)}
    style = {"ensure_ascii": R.random() < 0.5, "indent": R.choice([None, 1])}
    return json.dumps(document, **style).encode()


def of_json(read_from=lambda document: (document, "json", "application/json")):
    document = json_document()
    parsed = json.loads(document, parse_int=str, parse_float=str)
    for _ in range(8):
        path = [R.choice(list(NAMES) + ["0", "1"]) for _ in range(R.randint(1, 3))]
        value = walk(parsed, path)
        if isinstance(value, (dict, list)):
            continue
        body, source, content_type = read_from(document)
        show(source + "." + ".".join(path), body, leaf(value), content_type)


def of_form():
    pairs = [(name() + R.choice(["", "[x]", " y"]), text()) for _ in range(R.randint(0, 8))]
    quote = R.choice([urllib.parse.quote_plus, urllib.parse.quote])
    body = urllib.parse.urlencode(pairs, quote_via=quote)
    read = urllib.parse.parse_qs(body, keep_blank_values=True)
    for wanted in ["a", "b", "a[x]", "c y"]:
        values = read.get(wanted)
        expected = values[0].encode() if values else None
        show(f'form."{wanted}"', body.encode(), expected, "application/x-www-form-urlencoded")


def of_multipart():
    boundary = "".join(R.choice("abcXYZ0189-") for _ in range(R.randint(1, 40))) + "x"
    body = b""
    for _ in range(R.randint(0, 6)):
        field, file = name(), R.random() < 0.3
        file_name = f'; filename="{R.choice(NAMES)} 1.txt"' if file else ""
        head = f'Content-Disposition: form-data; name="{field}"{file_name}\r\n'
        value = text(30).replace("\r", "").replace("\n", "\r\n")
        body += f"--{boundary}\r\n{head}X-Other: 1\r\n\r\n{value}\r\n".encode()
    body += f"--{boundary}--\r\n".encode()
    content_type = f'multipart/form-data; boundary="{boundary}"'
    policy = email.policy.HTTP.clone(max_line_length=None)
    message = email.parser.BytesParser(policy=policy).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body
    )
    found = {}
    for part in message.get_payload() if message.is_multipart() else []:
        key = part.get_param("name", header="content-disposition")
        value = part.get_filename()
        found.setdefault(key, value.encode() if value else part.get_payload(decode=True))
    for wanted in "abc":
        show(f"multipart.{wanted}", body, found.get(wanted), content_type)


def of_xml():
    letters = LETTERS.replace("\r", "")

    def element(depth):
        made = ElementTree.Element(name(), {name(): text(8, letters)} if R.random() < 0.5 else {})
        made.text = text(8, letters)
        for _ in range(R.randint(0, 3) if depth else 0):
            child = element(depth - 1)
            child.tail = text(4, letters)
            made.append(child)
        return made

    root = element(3)
    document = ElementTree.tostring(root, encoding=R.choice(["utf-8", "us-ascii"]))
    read = ElementTree.fromstring(document)

    def first(elements, path):
        """The first element in document order that the path leads to."""
        if not path:
            return elements[0] if elements else None
        for above in elements:
            below = [child for child in above if child.tag == path[0]]
            found = first(below, path[1:])
            if found is not None:
                return found
        return None

    for _ in range(6):
        path = [name() for _ in range(R.randint(0, 2))]
        found = first([read], path)
        source = "xml." + ".".join([read.tag] + path)
        value = None if found is None else "".join(found.itertext()).strip(" \t\r\n\f").encode()
        show(source, document, value, "application/xml")


def of_codings():
    document = json_document()
    members = [member for member in "abcdefgh"]
    parsed = json.loads(document, parse_int=str, parse_float=str)
    member = R.choice(members)
    value = parsed.get(member)
    if isinstance(value, (dict, list)):
        return
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    level = R.randint(1, 9)
    for encoding, body in [
        ("gzip", gzip.compress(document, level)),
        ("gzip", gzip.compress(document[:20]) + gzip.compress(document[20:])),
        ("deflate", zlib.compress(document, level)),
        ("deflate", raw.compress(document) + raw.flush()),
        ("deflate, gzip", gzip.compress(zlib.compress(document))),
    ]:
        show(f"json.{member}", body, leaf(value), "application/json", encoding)
    show(f"gzip.json.{member}", gzip.compress(document, level), leaf(value), "application/gzip")


def token(document):
    part = base64.urlsafe_b64encode(document).rstrip(b"=")
    return R.choice([b"", b"Bearer "]) + b"e30." + part + b".c2ln"


def of_plain():
    data = bytes(R.randrange(256) for _ in range(R.randint(1, 40)))
    for encoded in [base64.b64encode(data), base64.urlsafe_b64encode(data), base64.b64encode(data).rstrip(b"=")]:
        show("base64", encoded, data, "text/plain")
    for encoded in [urllib.parse.quote(data), urllib.parse.quote_plus(data, safe="/~").replace("+", "%20")]:
        show("percent", encoded.encode(), urllib.parse.unquote_to_bytes(encoded), "text/plain")


for _ in range(ROUNDS):
    of_json()
    of_json(lambda document: (token(document), "jwt.payload", "text/plain"))
    of_json(lambda document: (base64.b64encode(document), "base64.json", "text/plain"))
    of_form()
    of_multipart()
    of_xml()
    of_codings()
    of_plain()
