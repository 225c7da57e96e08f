"""The words of headers, English and Thai, and what they say of a column. A vocabulary, not a guess: a word that
is not here says nothing.
"""

import re

_UNIT_WORDS = {
    "kWh": (
        "kwh",
        "kw.h",
        "kw-h",
        "kw h",
        "kilowatthour",
        "kilowatthours",
        "กิโลวัตต์ชั่วโมง",
        "กิโลวัตต์-ชั่วโมง",
        "กวช",
        "หน่วย",
        "ยูนิต",
    ),
    "Wh": ("wh", "w.h", "watthour", "watthours", "วัตต์ชั่วโมง", "วัตต์-ชั่วโมง"),
    "MWh": ("mwh", "megawatthour", "megawatthours", "เมกะวัตต์ชั่วโมง"),
    "kW": ("kw", "kilowatt", "kilowatts", "กิโลวัตต์"),
    "W": ("w", "watt", "watts", "วัตต์"),
    "MW": ("mw", "megawatt", "megawatts", "เมกะวัตต์"),
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_UNITS = {word: unit for unit, words in _UNIT_WORDS.items() for word in words}
_THAI_UNITS = sorted((word for word in _UNITS if not word.isascii()), key=len, reverse=True)
_PER_RATED = re.compile(r"\bk?w\s*(?:/|per)\s*k\s?wp?\b")
_PER_AREA = re.compile(r"\b(?:k?wh?|mj)\s*(?:/|per)?\s*(?:m2|m²|m\^2|sqm)\b|/m2|/m²")
_SHARE = re.compile(r"\bper[ -]?unit\b|\bp\.?u\.?\b")

_ROLE_WORDS = {
    "load": (
        "load loads consumption consumed consume demand usage use used house household self-consumption "
        "โหลด การใช้ ใช้ไฟ บริโภค ความต้องการ"
    ),
    "pv": (
        "pv solar generation generated production produced yield photovoltaic inverter "
        "โซลาร์ โซล่า แสงอาทิตย์ ผลิต อินเวอร์เตอร์"
    ),
    "import": "import imported purchased bought withdrawal นำเข้า ซื้อไฟ รับเข้า",
    "export": "export exported feedin sold injection surplus ส่งออก ขายไฟ จ่ายออก",
    "net": "net สุทธิ",
}
_ROLES = {word: role for role, words in _ROLE_WORDS.items() for word in words.split()}
_ROLE_PHRASES = (
    ("from grid", "import"),
    ("grid import", "import"),
    ("to grid", "export"),
    ("feed in", "export"),
    ("grid export", "export"),
    ("grid feed", "export"),
)
REGISTER_WORDS = _set("register cumulative lifetime counter reading total สะสม เลขมิเตอร์")
_OTHER_WORDS = _set(
    "temp temperature humidity voltage volt current ampere amps ghi dhi dni irradiance irradiation radiation cloud "
    "wind price cost tariff frequency hz pf factor soc month weekday dow index idx battery charge discharge "
    "kvar kvarh kva kvah var varh va reactive rssi status quality flag "
    "อุณหภูมิ แรงดัน กระแส ราคา ค่าไฟ เดือน กิโลวาร์ แบตเตอรี่ สถานะ"
)
TIME_WORDS = _set("time date datetime timestamp utc epoch ts stamp day วันที่ เวลา วันเวลา")
HOUR_WORDS = _set("hour hr hours he ชั่วโมง ชม")
PERIOD_WORDS = _set("period slot interval block quarter halfhour ช่วง ช่วงเวลา")
METER_WORDS = _set(
    "meter meterid id site home house household customer device name serial station plant premise mpan nmi มิเตอร์ "
    "หมายเลขมิเตอร์ เครื่องวัด ผู้ใช้ไฟ บ้าน รหัส ชื่อ สถานี"
)
BEGIN_WORDS = _set("start begin from starting beginning เริ่ม ตั้งแต่")
END_WORDS = _set("end ending to until finish สิ้นสุด ถึง")
_FILLER = _set(
    "energy power active total sum mean avg average value values of in per the and a wh kwh mwh w kw mw data export "
    "csv file ac dc interval hourly register cumulative reading lifetime today daily profile kwp watt watts utc local "
    "time min 15min 30min 60min 5min 10min gz tsv txt ไฟฟ้า พลังงาน กำลัง ค่า"
)
_THAI_WORDS = sorted(
    (word for word in {*_ROLES, *_UNITS, *_FILLER, *REGISTER_WORDS} if not word.isascii()),
    key=lambda word: (-len(word), word),
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[\u0e00-\u0e7f]+|[^\W\d_]+")
_APART = re.compile(r"(?:[^\w\u0e00-\u0e7f]|_)+")  # vowel signs and tone marks of Thai are no letters to `\w`
_ONE_WORD = re.compile(r"[kM]?Wh?|k?VArh?|k?VAh?", re.IGNORECASE)  # capitals inside do not part them
_NUMBERED = re.compile(r"([a-z\u0e00-\u0e7f]+)(\d+)")
BANGKOK_WORDS = re.compile(r"asia/bangkok|\bict\b|\b(?:utc|gmt)\s?\+0?7(?::?00)?\b|เวลาไทย|bangkok time", re.IGNORECASE)
UTC_WORDS = re.compile(r"\b(?:utc|gmt)\b(?!\s?[+-]\d)", re.IGNORECASE)
THAI = re.compile(r"[\u0e00-\u0e7f]")


def tokens(text: str) -> list[str]:
    """Words in small letters: `loadKwh_B1` gives load, kwh, b1; Thai runs stay whole."""
    words: list[str] = []
    for chunk in _APART.split(_ONE_WORD.sub(lambda unit: unit[0].casefold(), text)):
        parts = _WORD.findall(chunk)
        # a number belongs to the letters before it: b1, h12, floor3
        for part in parts:
            if part.isdigit() and words and parts[0] is not part and words[-1].isalpha() and words[-1] not in _UNITS:
                words[-1] += part
            else:
                words.append(part.casefold())
    return words


def has_word(text: str, vocabulary: frozenset[str]) -> str:
    """The first word of the vocabulary that stands in the text, or an empty text. Thai words may stand inside runs."""
    words = [*tokens(text), *_APART.split(text.casefold())]
    lone = {match[1] if (match := _NUMBERED.fullmatch(word)) else word for word in words}
    joined = text.casefold()
    return next(
        (
            word
            for word in sorted(vocabulary)
            if (word in lone or word in words) or (not word.isascii() and word in joined)
        ),
        "",
    )


def unit_of(text: str) -> str | None:
    """The unit that a cell or a unit column spells out; None for anything else."""
    return _UNITS.get(re.sub(r"\s+", "", text.strip().strip("()[]").casefold()))


def unit_in_header(header: str) -> str:
    """The unit that a header names; `other` for quantities that are no power or energy; empty when it names none."""
    text = header.casefold().replace("_", " ")
    if _PER_AREA.search(text):
        return "other"
    if _PER_RATED.search(text):
        return "W/kW"
    if _SHARE.search(text):
        return "share"
    if re.search(r"kilo\s?watt[- ]?hours?", text):
        return "kWh"
    found = {unit for word in re.findall(r"(?<![a-z])[km]?wh?(?![a-z])|[a-z]+", text) if (unit := _UNITS.get(word))}
    if not found and (thai := next((word for word in _THAI_UNITS if word in text), None)):
        found = {_UNITS[thai]}
    return max(found, key=len) if found and len({unit[-1] for unit in found}) == 1 else ""


def is_other_quantity(header: str) -> str:
    """The word that says that a column is no load and no PV (temperature, voltage, price, ...)."""
    if unit_in_header(header) == "other":
        return header.strip()
    word = has_word(header, _OTHER_WORDS)
    return "" if word == "current" and unit_in_header(header) else word  # what flows now, not amperes


def role_in(text: str) -> str:
    """The role that the words name; empty when they name none, or several."""
    spaced = " ".join(_APART.split(text.casefold()))
    phrases = {role for phrase, role in _ROLE_PHRASES if phrase in spaced}
    if len(phrases) == 1:
        return phrases.pop()
    found = set()
    for word in tokens(text):
        plain = match[1] if (match := _NUMBERED.fullmatch(word)) else word
        if plain in _ROLES:
            found.add(_ROLES[plain])
        elif not plain.isascii():
            found |= {role for thai, role in _ROLES.items() if not thai.isascii() and thai in plain}
    if found >= {"load"} and len(found) == 2 and "house" in tokens(text):
        found.discard("load")
    return found.pop() if len(found) == 1 else ""


def site_in(text: str) -> str:
    """What is left of a name when role, unit and filler are gone: `load_kwh_b1` gives b1, `home-01.pv_wh` home-01."""
    for thai in _THAI_WORDS:
        text = text.replace(thai, " ")
    left = []
    for word in tokens(text):
        match = _NUMBERED.fullmatch(word)
        plain, number = (match[1], match[2]) if match else (word, "")
        if plain in _ROLES and plain not in METER_WORDS:
            left += [number] if number else []
        elif word not in _FILLER and plain not in _UNITS:
            left.append(word)
    return "-".join(left)
