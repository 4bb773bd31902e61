"""Rules of this API that Schemathesis must respect but that no JSON Schema can express: those between the values of
fields, and those about now, the caller, or what is stored.

Requests that break the schema are sent nevertheless: only values that have the right form are judged or replaced.
"""

import datetime
import decimal
import re

import schemathesis

# Of the customer cust_123.
TOKEN = "lock_Y3VzdF8xMjM.0123456789abcdef0123"
TIERS = ["BRONZE", "SILVER", "GOLD"]


@schemathesis.hook
def before_add_examples(context, examples):
    examples[:] = [settled(case) for case in examples if not breaks_a_rule(case)]


@schemathesis.hook
def filter_case(context, case):
    return not breaks_a_rule(case)


@schemathesis.hook
def map_case(context, case):
    return settled(case)


def is_loyalty(case):
    path = case.operation.path
    return path.startswith("/api/loyalty/") or "/rewards/" in path or "/referral/" in path


def settled(case):
    """Replaces values of a loyalty request that depend on now or on what is stored by such as are accepted."""
    for sent in (case.body, case.query):
        if is_loyalty(case) and isinstance(sent, dict):
            settle(sent, currencies(case.operation.schema.raw_schema))
    # Amounts of a wallet and its orders have the digits of its currency, so all wallets are in this one.
    if case.operation.path in ("/api/integration/order", "/api/wallet/create") and isinstance(case.body, dict):
        if case.body.get("currency") in currencies(case.operation.schema.raw_schema):
            case.body["currency"] = "INR"
    # Whose code it is, is not known here, and nobody refers themselves: this one is of no wallet.
    if case.operation.path.endswith("/referral/apply") and isinstance(case.body, dict):
        if re.fullmatch("[A-Za-z0-9]{8}", str(case.body.get("referral_code"))):
            case.body["referral_code"] = "AAAAAAAA"
    # One that was made here has one purpose, which may be another: this one is of nobody.
    if isinstance(case.body, dict) and re.fullmatch("upl_[0-9a-f]{20}", str(case.body.get("upload_id"))):
        case.body["upload_id"] = "upl_00000000000000000000"
    # Only owners leave it out, for an order of theirs.
    is_redemption = is_loyalty(case) and case.operation.path.endswith("/redeem")
    if is_redemption and isinstance(case.body, dict) and case.body.get("charge") is None:
        case.body["charge"] = "300.10"
    return case


def currencies(schema):
    """Returns the first list of words that has a currency."""
    if isinstance(schema, dict) and "INR" in schema.get("enum", []):
        return schema["enum"]
    inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return next((found for one in inner if (found := currencies(one))), [])


def settle(sent, codes):
    now = datetime.datetime.now(datetime.timezone.utc)
    days = {"occurred_at": -7, "valid_from": 7, "valid_until": 70}
    for name, offset in days.items():
        if instant(sent.get(name)):
            sent[name] = (now + datetime.timedelta(days=offset)).isoformat()
    if is_date(sent.get("until")):
        sent["until"] = str(now.date() + datetime.timedelta(days=70))
    for name, offset in {"from": -30, "to": 0}.items():
        if re.fullmatch(r"\d{4}-\d\d-\d\d", str(sent.get(name))):
            sent[name] = str(now.date() + datetime.timedelta(days=offset))
    if is_tier(sent.get("tier")):
        sent["tier"] = TIERS[len(sent["tier"]) % len(TIERS)]
    tiers = sent.get("tiers")
    if isinstance(tiers, list) and len(tiers) <= 10 and all(is_tier(name) for name in tiers):
        sent["tiers"] = sorted({TIERS[len(name) % len(TIERS)] for name in tiers})
    if isinstance(sent.get("token"), str) and re.fullmatch(r"lock_[A-Za-z0-9_-]{2,171}\.[0-9a-f]{20}", sent["token"]):
        sent["token"] = TOKEN
    # Another currency needs a rate for earning, and cannot pay for locks.
    # One whose amounts have no decimal places stays with an amount that breaks its rule.
    if sent.get("currency") in codes and not has_decimals(sent.get("face_value")):
        sent["currency"] = "INR"


def has_decimals(amount):
    """To a schema, 1.0 is a whole number and "1.0" is not."""
    return "." in amount if isinstance(amount, str) else isinstance(amount, float) and amount % 1 != 0


def is_tier(name):
    return isinstance(name, str) and re.fullmatch("[A-Z0-9_]{1,32}", name)


def is_date(text):
    try:
        return len(text) == 10 and datetime.date.fromisoformat(text) > datetime.date.today()
    except (TypeError, ValueError):
        return False


def instant(text):
    try:
        return datetime.datetime.fromisoformat(text.upper()).tzinfo
    except (AttributeError, ValueError):
        return None


def breaks_a_rule(case):
    path = case.path_parameters or {}
    body = case.body if isinstance(case.body, dict) else {}
    if "to_customer_id" in body and body["to_customer_id"] == path.get("customer_id"):
        return True
    if case.operation.path == "/api/exports" and str(body.get("from") or "") > str(body.get("to") or "~"):
        return True
    prices = body.get("price")
    if isinstance(prices, dict) and len({number(denomination) for denomination in prices}) != len(prices):
        return True
    return is_loyalty(case) and (
        "to_user_id" in body and body["to_user_id"] == path.get("user_id")
        or "referrer_id" in body and body["referrer_id"] == body.get("referred_id")
        or case.method == "PATCH" and leaves_a_campaign_without_effect(body)
        or has_other_lines(body)
        or any_tier_is_below(body.get("tiers"))
        or any(has_points_with_a_fraction(value) for value in [body, *lists(body)])
    )


def leaves_a_campaign_without_effect(body):
    """A change goes with the terms that stay as they are: something is given, and points are worth more anywhere."""
    cleared = any(body.get(name, "") is None for name in ["multiplier", "bonus_points", "point_value"])
    named = [body.get(name) for name in ["point_value", "product_ids", "categories"]]
    return cleared or named[0] is not None and named[1:] != [[], []] or named[0] is None and any(named[1:])


def lists(body):
    return [one for value in body.values() if isinstance(value, list) for one in value]


def has_points_with_a_fraction(value):
    """Points are written as whole numbers; to a schema, 1.0 is one."""
    names = {"points", "points_back", "points_instead", "bonus_points", "max_points_per_purchase", "lifetime_points"}
    names |= {"max_points_per_day", "max_points_per_booking", "min_points"}
    names |= {"price_points", "expected_price"}
    return isinstance(value, dict) and any(isinstance(value.get(name), float) for name in names)


def number(value):
    try:
        return decimal.Decimal(str(value))
    except decimal.InvalidOperation:
        return decimal.Decimal()


def has_other_lines(body):
    """The lines sum to the amount, and have names of their own."""
    lines = body.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, dict) for line in lines) or not lines:
        return False
    names = [str(line["line_id"]) for line in lines if line.get("line_id") is not None]
    total = sum(number(line.get("amount")) for line in lines)
    return total != number(body.get("amount")) or len(names) != len(set(names))


def any_tier_is_below(tiers):
    """The lowest tier has no threshold, all others have, and each is above the one before."""
    if not isinstance(tiers, list) or not tiers or not all(isinstance(tier, dict) for tier in tiers):
        return False
    names = ["spend_12m", "lifetime_points"]
    for name in names:
        values = [number(tier[name]) for tier in tiers if tier.get(name) is not None]
        if any(one >= other for one, other in zip(values, values[1:])):
            return True
    has_threshold = [any(tier.get(name) is not None for name in names) for tier in tiers]
    is_named_twice = len({str(tier.get("name")) for tier in tiers}) != len(tiers)
    return is_named_twice or has_threshold != [at > 0 for at in range(len(tiers))]
