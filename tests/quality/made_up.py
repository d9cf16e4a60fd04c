"""Text made up for the rules: real kinds, and what only looks like them."""

from fabriek.quality.worker import rules

ROWS = 1_500
LETTERS = "BDFGHJKLNPRSTVXZ"
FILL = ("de balie belde gisteren terug over de afspraak", "er is nog niets geregeld",
        "kunt u dit nakijken voor vrijdag", "het pakket kwam in 3 delen aan")  # fmt: skip


def _iban(chance):
    body = f"{chance.randrange(10**10):010d}"
    number = int("".join(str(int(c, 36)) for c in f"INGB{body}NL00"))
    return f"NL{98 - number % 97:02d}INGB{body}"


def _plate(chance):
    two = "".join(chance.choices(LETTERS, k=2))
    one = chance.choice(LETTERS)
    return chance.choice(
        [
            f"{two}-{chance.randrange(100, 999)}-{one}",
            f"{chance.randrange(10, 99)}-{two}{one}-4",
        ]
    )


REAL = {
    "bsn": lambda c: (
        f"{c.choice(['BSN', 'bsn:', 'sofinummer', 'burgerservicenummer is'])} "
        f"{a_bsn(c.randrange(5000))}"
    ),
    "iban": _iban,
    "phone": lambda c: c.choice(["06-{}", "06 {}", "+316{}", "06{}"]).format(
        c.randrange(10_000_000, 99_999_999)
    ),
    "email": lambda c: f"{c.choice(['jan', 'a.b-c', 'info+x'])}@voorbeeld{c.randrange(99)}.nl",
    "address": lambda c: c.choice(["Dorpsstraat {}, {} {}", "Laan van Meer {} {}{}"]).format(
        c.randrange(1, 300), c.randrange(1000, 9999), c.choice(["AB", "KL", "XZ"])
    ),
    "plate": _plate,
    "big": lambda c: f"BIG-nummer {c.randrange(10**10, 10**11)}",
    "birth": lambda c: (
        f"geboren {c.randrange(1, 29)}-{c.randrange(1, 13)}-19{c.randrange(30, 99)}"
    ),
    "ip": lambda c: f"{c.randrange(11, 200)}.{c.randrange(40, 250)}.{c.randrange(99)}.7",
}
NEAR_MISSES = (
    lambda c: f"order {c.randrange(10**8, 10**9)}",
    lambda c: f"artikel {c.randrange(1, 999)}, {c.randrange(1000, 9999)} BW",
    lambda c: (
        f"bedrag € {c.randrange(1, 99)}.{c.randrange(100, 999)}.{c.randrange(100, 999)},50"
    ),
    lambda c: f"factuur {c.randrange(1, 28)}-0{c.randrange(1, 9)}-2026",
    lambda c: f"versie {c.randrange(9)}.{c.randrange(9)}.{c.randrange(9)}.{c.randrange(9)}",
    lambda c: f"onderdeel A{c.randrange(10, 99)}-{c.randrange(1000, 9999)}",
    lambda c: f"NL00INGB{c.randrange(10**9, 10**10)}",
    lambda c: f"meting {c.random() * 10**9:.4f}",
    lambda c: f"zaaknummer 2026-{c.randrange(10**9, 10**10)}",
    lambda c: f"om {c.randrange(10, 23)}:{c.randrange(10, 59)} in zaal {c.randrange(1, 99)}",
)


def counted(chance):
    """Give (right, found, there) by kind, over rows with and without something in them."""
    counts = {kind: [0, 0, 0] for kind in REAL}
    for at in range(ROWS):
        kind = chance.choice([*REAL, ""])
        made = REAL[kind](chance) if kind else chance.choice(NEAR_MISSES)(chance)
        text = f"{chance.choice(FILL)}: {made}. {chance.choice(FILL)} {at}"
        found = [hit.kind for hit in rules.current().hits(text)]
        if kind:
            counts[kind][2] += 1
            counts[kind][0] += kind in found
        for one in found:
            counts.setdefault(one, [0, 0, 0])[1] += 1
    return counts


def a_bsn(n):
    """Make a number of nine digits that passes the 11-test."""
    for start in range(10_000_000 + n * 17, 99_999_999):
        digits = f"{start:08d}"
        last = sum(int(d) * (9 - at) for at, d in enumerate(digits)) % 11
        if last < 10:
            return f"{digits}{last}"
    raise AssertionError
