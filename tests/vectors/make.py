"""Makes gateways.json, and verifies every vector in it a second way before writing it.

Needs the openssl command line and the packages named in README.md. Every key and serial number comes from SEED, and
every signature is deterministic (HMAC, RSA PKCS#1 v1.5, ECDSA with RFC 6979), so each run writes the same bytes.

    python make.py           write gateways.json
    python make.py --check   write nothing; fail unless gateways.json is what this script makes
"""

import base64
import hashlib
import hmac
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zlib
from datetime import datetime, timezone

import razorpay
import stripe
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

SEED = b"gateway-vectors-1"
NOW = datetime(2026, 1, 15, 10, tzinfo=timezone.utc)
OUT = pathlib.Path(__file__).with_name("gateways.json")


# --- Tools ----------------------------------------------------------------------------------------------------------


def date(year, month=1, day=1):
    return datetime(year, month, day, tzinfo=timezone.utc)


def millis(when):
    return int(when.timestamp()) * 1000


def stream(label, length):
    """`length` bytes that depend on SEED and the label only."""
    blocks = (
        hashlib.sha256(SEED + b"|" + label.encode() + b"|" + str(n).encode()).digest()
        for n in range(length // 32 + 1)
    )
    return b"".join(blocks)[:length]


def is_prime(n):
    if any(n % p == 0 for p in (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)):
        return False
    d, r = n - 1, 0
    while d % 2 == 0:
        d, r = d // 2, r + 1
    for round_ in range(40):
        x = pow(2 + int.from_bytes(stream(f"witness {round_}", 64), "big"), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(r - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def prime(label):
    """A 1024-bit prime with its two top bits set (two of them make a 2048-bit modulus), fit for the exponent 65537."""
    n = int.from_bytes(stream(label, 128), "big") | 3 << 1022 | 1
    while (n - 1) % 65537 == 0 or not is_prime(n):
        n += 2
    return n


def rsa_key(label):
    p, q = prime(label + " p"), prime(label + " q")
    e, d = 65537, pow(65537, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key()


def ec_key(label):
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return ec.derive_private_key(1 + int.from_bytes(stream(label, 40), "big") % (order - 1), ec.SECP256R1())


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def public_pem(key):
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def private_pem(key):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def spki(key):
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return base64.b64encode(der).decode()


def openssl(*arguments, **files):
    """Runs openssl; `{name}` in an argument is the path of a temporary file with that content."""
    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name, content in files.items():
            path = pathlib.Path(folder, name)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths[name] = str(path)
        command = ["openssl", *(argument.format(**paths) for argument in arguments)]
        done = subprocess.run(command, capture_output=True)
        return done.returncode == 0, done.stdout, done.stderr.decode()


def openssl_hmac(secret, message):
    done, out, error = openssl(
        "dgst",
        "-sha256",
        "-mac",
        "HMAC",
        "-macopt",
        f"hexkey:{secret.encode().hex()}",
        "-r",
        "{message}",
        message=message,
    )
    assert done, error
    return out.split()[0].decode()


def hmac_hex(secret, message):
    made = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    assert made == openssl_hmac(secret, message)
    assert made != openssl_hmac(secret, message + " ")
    return made


def refuses(error, function, *arguments):
    try:
        function(*arguments)
    except error:
        return True
    raise AssertionError(f"{function} accepted {arguments}")


def reserialising_changes(body):
    value = json.loads(body)
    for ascii_ in (True, False):
        for separators in ((",", ":"), (", ", ": ")):
            for indent in (None, 2):
                assert (
                    json.dumps(value, ensure_ascii=ascii_, separators=separators, indent=indent)
                    != body.strip()
                )


# --- Razorpay -------------------------------------------------------------------------------------------------------

ORDER, PAYMENT = "order_S4vT0pUpQ7xKd2", "pay_S4vUz8LmN3aRw6"

# Odd spacing, a rupee sign as itself and as an escape, escaped slashes, and a newline at the end.
RAZORPAY_BODY = (
    '{"entity" : "event",  "account_id":"acc_BFQ7uQEaa7j2z7",\n'
    '\t"event":"payment.captured", "contains":[ "payment" ],\n'
    '  "payload":{"payment":{"entity":{"id":"%s","entity":"payment","amount":50000 ,"currency":"INR",'
    '"status":"captured","order_id":"%s","invoice_id":null,"international":false,"method":"upi",'
    '"amount_refunded":0,"refund_status":null,"captured":true,'
    '"description":"Wallet top-up of ₹500 \\u20b9500","card_id":null,"bank":null,"wallet":null,'
    '"vpa":"asha@okhdfc","email":"asha@example.com","contact":"+919876543210",'
    '"notes":{ "topup_id":"topup_5f0c6d1e9b7a", "return":"https:\\/\\/shop.example\\/wallet" },'
    '"fee":1180,"tax":180,"error_code":null,"error_description":null,"created_at":1768471190}}},'
    '   "created_at":1768471200 }\n'
) % (PAYMENT, ORDER)


def razorpay_webhook():
    secret = "test-vector-webhook-secret"
    signature = hmac_hex(secret, RAZORPAY_BODY)
    utility = razorpay.Client(auth=("rzp_test_1", "unused")).utility
    assert utility.verify_webhook_signature(RAZORPAY_BODY, signature, secret)
    wrong = razorpay.errors.SignatureVerificationError
    refuses(
        wrong, utility.verify_webhook_signature, RAZORPAY_BODY.replace("50000", "50001"), signature, secret
    )
    refuses(wrong, utility.verify_webhook_signature, RAZORPAY_BODY.strip(), signature, secret)
    reserialising_changes(RAZORPAY_BODY)
    return {"secret": secret, "body": RAZORPAY_BODY, "signature": signature}


def razorpay_checkout():
    secret = "test-vector-key-secret"
    signature = hmac_hex(secret, f"{ORDER}|{PAYMENT}")
    utility = razorpay.Client(auth=("rzp_test_1", secret)).utility
    said = {"razorpay_order_id": ORDER, "razorpay_payment_id": PAYMENT, "razorpay_signature": signature}
    assert utility.verify_payment_signature(said)
    turned = {**said, "razorpay_order_id": PAYMENT, "razorpay_payment_id": ORDER}
    refuses(razorpay.errors.SignatureVerificationError, utility.verify_payment_signature, turned)
    return {"key_secret": secret, "order_id": ORDER, "payment_id": PAYMENT, "signature": signature}


# --- Stripe ---------------------------------------------------------------------------------------------------------

STRIPE_BODY = """{
  "id": "evt_3Qk1TopUpLkdIwHu0a7cF2Xy",
  "object": "event",
  "api_version": "2025-06-30.basil",
  "created": 1768471198,
  "data": {
    "object": {
      "id": "pi_3Qk1TopUpLkdIwHu0Zb9Wm4t",
      "object": "payment_intent",
      "amount": 50000,
      "amount_received": 50000,
      "currency": "inr",
      "description": "Wallet top-up of ₹500",
      "latest_charge": "ch_3Qk1TopUpLkdIwHu0eD5Rn8p",
      "metadata": {
        "topup_id": "topup_5f0c6d1e9b7a"
      },
      "status": "succeeded"
    }
  },
  "livemode": false,
  "pending_webhooks": 1,
  "request": {
    "id": "req_TopUpV3ctor01",
    "idempotency_key": null
  },
  "type": "payment_intent.succeeded"
}"""


def stripe_webhook():
    secret, timestamp = "whsec_test_vector_not_a_real_secret", int(NOW.timestamp())
    assert timestamp == 1768471200
    signature = hmac_hex(secret, f"{timestamp}.{STRIPE_BODY}")
    # v0 is of no use: a well-formed value that is no HMAC of this text under this secret.
    other = hashlib.sha256(b"v0 is ignored").hexdigest()
    header = f"t={timestamp},v1={signature},v0={other}"
    verify, wrong = stripe.WebhookSignature.verify_header, stripe.SignatureVerificationError
    assert verify(STRIPE_BODY, header, secret, None)
    assert (
        stripe.WebhookSignature.generate_signature_header(STRIPE_BODY, secret, timestamp)
        == header.rsplit(",", 1)[0]
    )
    refuses(wrong, verify, STRIPE_BODY + "\n", header, secret, None)
    refuses(wrong, verify, STRIPE_BODY, header, secret.removeprefix("whsec_"), None)
    refuses(wrong, verify, STRIPE_BODY, f"t={timestamp},v0={signature}", secret, None)
    return {
        "secret": secret,
        "timestamp": timestamp,
        "body": STRIPE_BODY,
        "signature": signature,
        "header": header,
    }


# --- PayPal ---------------------------------------------------------------------------------------------------------

PAYPAL_HOST = "messageverificationcerts.paypal.com"

PAYPAL_BODY = (
    '{"id":"WH-2WR32451HC0233532-67976317FL4543714","event_version":"1.0","create_time":"2026-01-15T09:59:57.000Z",'
    '"resource_type":"capture","resource_version":"2.0","event_type":"PAYMENT.CAPTURE.COMPLETED",'
    '"summary":"Payment completed for $ 10.0 USD — merci",'
    '"resource":{"id":"42311647XV020574X","status":"COMPLETED","final_capture":true,'
    '"amount":{"currency_code":"USD","value":"10.00"},"custom_id":"topup_5f0c6d1e9b7a",'
    '"supplementary_data":{"related_ids":{"order_id":"5O190127TN364715T"}},'
    '"create_time":"2026-01-15T09:59:55Z","update_time":"2026-01-15T09:59:55Z"},'
    '"links":[{"href":"https:\\/\\/api.paypal.com\\/v1\\/notifications\\/webhooks-events\\/'
    'WH-2WR32451HC0233532-67976317FL4543714","rel":"self","method":"GET"}],"debug_no":%d}'
)


def serial(label):
    return int.from_bytes(stream("serial " + label, 16), "big") >> 1 | 1 << 120


def root_certificate(label, key, identifier):
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Vectors"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Test Vectors Root CA"),
        ]
    )
    usage = dict.fromkeys(
        [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return (
        x509.CertificateBuilder(name, name, key.public_key(), serial(label), date(2020), date(2046))
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True, "crl_sign": True}), True)
        .add_extension(identifier, False)
        .sign(key, hashes.SHA256())
    )


def leaf_certificate(label, key, root, root_key, host=PAYPAL_HOST, since=date(2025, 6, 1), until=date(2036)):
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test Vectors"),
            x509.NameAttribute(NameOID.COMMON_NAME, host),
        ]
    )
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    identifier = root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return (
        x509.CertificateBuilder(root.subject, name, key.public_key(), serial(label), since, until)
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(usage, True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(authority, False)
        .sign(root_key, hashes.SHA256())
    )


def paypal_verdicts(leaf, root, host):
    """What openssl and `cryptography` say of the chain at NOW: (openssl's error or None, cryptography's verdict)."""
    done, _, error = openssl(
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-attime",
        str(int(NOW.timestamp())),
        "-verify_hostname",
        host,
        "-no-CApath",
        "-no-CAstore",
        "-CAfile",
        "{root}",
        "{leaf}",
        root=pem(root),
        leaf=pem(leaf),
    )
    said = None if done else next(line for line in error.splitlines() if line.startswith("error "))
    store = verification.Store([root])
    verifier = (
        verification.PolicyBuilder()
        .store(store)
        .time(NOW.replace(tzinfo=None))
        .build_server_verifier(x509.DNSName(host))
    )
    try:
        verifier.verify(leaf, [])
        return said, True
    except verification.VerificationError:
        return said, False


def paypal_webhook():
    root_key, other_key, key = rsa_key("paypal root"), rsa_key("paypal other root"), rsa_key("paypal leaf")
    # The other root bears the name and the key identifier of the trusted one: only its key tells them apart.
    identifier = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
    root, other_root = (
        root_certificate("root", root_key, identifier),
        root_certificate("other root", other_key, identifier),
    )
    leaf = leaf_certificate("leaf", key, root, root_key)
    expired = leaf_certificate("expired", key, root, root_key, since=date(2020), until=date(2021))
    other_name = leaf_certificate("other name", key, root, root_key, PAYPAL_HOST + ".evil.example")
    look_alike = leaf_certificate("look-alike", key, root, root_key, "notpaypal.com")
    strange = leaf_certificate("strange", key, other_root, other_key)

    # A body whose CRC-32 has its top bit set, so that a signed reading of it gives another text.
    number = next(n for n in range(1000) if zlib.crc32((PAYPAL_BODY % n).encode()) >= 1 << 31)
    body = PAYPAL_BODY % number
    crc = str(zlib.crc32(body.encode()))
    # gzip's trailer holds the same CRC-32, computed by another program.
    gzip = subprocess.run(["gzip", "-c"], input=body.encode(), capture_output=True, check=True).stdout
    assert crc == str(struct.unpack("<I", gzip[-8:-4])[0])

    transmission, when, webhook = (
        "8f2b6e10-f1f8-11f0-9d3a-5b7c1e04a6d2",
        "2026-01-15T10:00:00Z",
        "1JE4291016473214C",
    )
    text = f"{transmission}|{when}|{webhook}|{crc}"
    signatures = {}
    for digest in ("sha256", "sha1"):
        done, signature, error = openssl(
            "dgst", f"-{digest}", "-sign", "{key}", "{text}", key=private_pem(key), text=text
        )
        assert done, error
        signatures[digest] = signature

    # The signatures: by openssl with the key of each certificate, and by `cryptography`.
    for certificate in (leaf, expired, other_name, look_alike, strange):
        public = certificate.public_key()
        for digest, signature in signatures.items():
            right = openssl(
                "dgst",
                f"-{digest}",
                "-verify",
                "{key}",
                "-signature",
                "{signature}",
                "{text}",
                key=public_pem(public),
                signature=signature,
                text=text,
            )
            assert right[0], right
        public.verify(signatures["sha256"], text.encode(), padding.PKCS1v15(), hashes.SHA256())
        public.verify(signatures["sha1"], text.encode(), padding.PKCS1v15(), hashes.SHA1())
        refuses(
            InvalidSignature,
            public.verify,
            signatures["sha1"],
            text.encode(),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
        refuses(
            InvalidSignature,
            public.verify,
            signatures["sha256"],
            text.encode() + b"0",
            padding.PKCS1v15(),
            hashes.SHA256(),
        )

    # The chains, at NOW.
    evil, wrong_name = PAYPAL_HOST + ".evil.example", "error 62 at 0 depth lookup: hostname mismatch"
    assert paypal_verdicts(leaf, root, PAYPAL_HOST) == (None, True)
    assert paypal_verdicts(expired, root, PAYPAL_HOST) == (
        "error 10 at 0 depth lookup: certificate has expired",
        False,
    )
    assert paypal_verdicts(other_name, root, PAYPAL_HOST) == (wrong_name, False)
    assert paypal_verdicts(other_name, root, evil) == (None, True)
    assert paypal_verdicts(look_alike, root, PAYPAL_HOST) == (wrong_name, False)
    assert paypal_verdicts(look_alike, root, "notpaypal.com") == (None, True)
    assert paypal_verdicts(strange, root, PAYPAL_HOST) == (
        "error 7 at 0 depth lookup: certificate signature failure",
        False,
    )
    assert paypal_verdicts(strange, other_root, PAYPAL_HOST) == (None, True)

    return {
        "webhook_id": webhook,
        "transmission_id": transmission,
        "transmission_time": when,
        "body": body,
        "crc32": crc,
        "signed_text": text,
        "signature_base64": base64.b64encode(signatures["sha256"]).decode(),
        "signature_sha1_base64": base64.b64encode(signatures["sha1"]).decode(),
        "certificate_pem": pem(leaf),
        "intermediates_pem": "",
        "root_pem": pem(root),
        "expired_certificate_pem": pem(expired),
        "other_name_certificate_pem": pem(other_name),
        "look_alike_certificate_pem": pem(look_alike),
        "other_root_certificate_pem": pem(strange),
        "other_root_pem": pem(other_root),
    }


# --- Google Pay -----------------------------------------------------------------------------------------------------

RECIPIENT, OTHER_RECIPIENT, SENDER, PROTOCOL = (
    "3388000000012345678",
    "3388000000087654321",
    "GooglePayPasses",
    "ECv2SigningOnly",
)
FAR, PAST = date(2046), date(2026)


def lengths(*texts):
    return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)


def ecdsa(key, message):
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return base64.b64encode(key.sign(message, algorithm)).decode()


def compact(value):
    """Compact JSON with `=` escaped, as the vendor's writer does it; the signatures are over the text as it stands."""
    return json.dumps(value, separators=(",", ":")).replace("=", "\\u003d")


def envelope(root, intermediate, nonce, key_until=FAR, message_until=FAR, recipient=RECIPIENT):
    key = compact({"keyValue": spki(intermediate), "keyExpiration": str(millis(key_until))})
    message = compact(
        {
            "classId": f"{RECIPIENT}.gift_card",
            "objectId": f"{RECIPIENT}.gift_card_topup_5f0c6d1e9b7a",
            "eventType": "save",
            "expTimeMillis": millis(message_until),
            "count": 1,
            "nonce": nonce,
        }
    )
    return compact(
        {
            "signature": ecdsa(intermediate, lengths(SENDER, recipient, PROTOCOL, message)),
            "intermediateSigningKey": {
                "signedKey": key,
                "signatures": [ecdsa(root, lengths(SENDER, PROTOCOL, key))],
            },
            "protocolVersion": PROTOCOL,
            "signedMessage": message,
        }
    )


def openssl_ecdsa(key_base64, signature_base64, message):
    key, signature = base64.b64decode(key_base64), base64.b64decode(signature_base64)
    public = public_pem(serialization.load_der_public_key(key))
    return openssl(
        "dgst",
        "-sha256",
        "-verify",
        "{key}",
        "-signature",
        "{signature}",
        "{message}",
        key=public,
        signature=signature,
        message=message,
    )[0]


def google_verdict(roots_json, envelope_json, recipient=RECIPIENT, now=millis(NOW)):
    """A reader written from the other side: parses the two texts and asks openssl. Says what it stumbled over first."""
    sent = json.loads(envelope_json)
    assert set(sent) == {"protocolVersion", "signature", "intermediateSigningKey", "signedMessage"}
    signed = sent["intermediateSigningKey"]["signedKey"]
    roots = [
        key["keyValue"]
        for key in json.loads(roots_json)["keys"]
        if key["protocolVersion"] == sent["protocolVersion"] and int(key["keyExpiration"]) > now
    ]
    text = lengths(SENDER, sent["protocolVersion"], signed)
    if not any(
        openssl_ecdsa(root, s, text) for root in roots for s in sent["intermediateSigningKey"]["signatures"]
    ):
        return "root"
    key = json.loads(signed)
    if int(key["keyExpiration"]) <= now:
        return "intermediate expired"
    text = lengths(SENDER, recipient, sent["protocolVersion"], sent["signedMessage"])
    if not openssl_ecdsa(key["keyValue"], sent["signature"], text):
        return "message"
    return "message expired" if int(json.loads(sent["signedMessage"])["expTimeMillis"]) <= now else "good"


def google_pay():
    # Two roots, of which the second signs: a reader has to try them all.
    first, root, intermediate = (
        ec_key("google first root"),
        ec_key("google root"),
        ec_key("google intermediate"),
    )

    def roots(until):
        listed = [(first, FAR), (root, until)]
        keys = [
            {"keyValue": spki(k), "protocolVersion": PROTOCOL, "keyExpiration": str(millis(u))}
            for k, u in listed
        ]
        return json.dumps({"keys": keys}, indent=2)

    made = {
        "recipient_id": RECIPIENT,
        "sender": SENDER,
        "root_keys_json": roots(FAR),
        "envelope": envelope(root, intermediate, "0b6f2f0e-8c53-4f0e-9a39-6c1c6b1f0a01"),
        "expired_intermediate_envelope": envelope(
            root, intermediate, "0b6f2f0e-8c53-4f0e-9a39-6c1c6b1f0a02", key_until=PAST
        ),
        "expired_root_keys_json": roots(PAST),
        "other_recipient_envelope": envelope(
            root, intermediate, "0b6f2f0e-8c53-4f0e-9a39-6c1c6b1f0a03", recipient=OTHER_RECIPIENT
        ),
        "expired_message_envelope": envelope(
            root, intermediate, "0b6f2f0e-8c53-4f0e-9a39-6c1c6b1f0a04", message_until=PAST
        ),
    }
    keys, old = made["root_keys_json"], millis(date(2025, 12, 1))
    assert google_verdict(keys, made["envelope"]) == "good"
    assert google_verdict(keys, made["expired_intermediate_envelope"]) == "intermediate expired"
    assert google_verdict(keys, made["expired_intermediate_envelope"], now=old) == "good"
    assert google_verdict(made["expired_root_keys_json"], made["envelope"]) == "root"
    assert google_verdict(made["expired_root_keys_json"], made["envelope"], now=old) == "good"
    assert google_verdict(keys, made["other_recipient_envelope"]) == "message"
    assert google_verdict(keys, made["other_recipient_envelope"], recipient=OTHER_RECIPIENT) == "good"
    assert google_verdict(keys, made["expired_message_envelope"]) == "message expired"
    assert google_verdict(keys, made["expired_message_envelope"], now=old) == "good"
    changed = made["envelope"].replace("save", "del")
    assert changed != made["envelope"] and google_verdict(keys, changed) == "message"
    return made


# --- All ------------------------------------------------------------------------------------------------------------


def main():
    made = {
        "razorpay_webhook": razorpay_webhook(),
        "razorpay_checkout": razorpay_checkout(),
        "stripe_webhook": stripe_webhook(),
        "paypal_webhook": paypal_webhook(),
        "google_pay": google_pay(),
    }
    text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
    assert json.loads(text) == made and "PRIVATE KEY" not in text
    if sys.argv[1:] == ["--check"]:
        assert OUT.read_text(encoding="utf-8") == text, "gateways.json is not what this script makes"
        print("gateways.json is as made, and every vector verifies")
    else:
        OUT.write_text(text, encoding="utf-8")
        print("gateways.json written, and every vector verifies")


if __name__ == "__main__":
    main()
