"""Makes texts that match a regular expression of an oracle, so that what the oracle knows and we do not comes to light.

Only the secret's shape comes from the pattern; the patterns are asked of the installed oracle at run time and are not stored.
"""
import re
import string
import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import sre_constants as C
    import sre_parse

WORD = string.ascii_letters + string.digits
PLAIN = WORD + "-_ =:/.,;+'\"@#~"
SAMPLES = 4


def samples(pattern, rng):
    """Yields (text, secret) for a pattern of RE2, Hyperscan or Rust flavour, as far as Python reads it."""
    pattern = re.sub(r"\(\?x\).*", "", pattern) if "(?x)" in pattern else pattern
    pattern = pattern.replace(r"\z", r"\Z").replace("[[:alnum:]]", "[A-Za-z0-9]").replace("(?P<", "(?P<")
    pattern = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    pattern = re.sub(r"\(\?[a-z]+\)", "", pattern)
    pattern = re.sub(r"\(\?-?[a-z]+(?:-[a-z]+)?:", "(?:", pattern)
    try:
        tree = sre_parse.parse(pattern)
    except (re.error, OverflowError):
        return
    for _ in range(SAMPLES):
        groups = {}
        text = make(tree, rng, groups)
        secret = next((groups[number] for number in sorted(groups) if len(groups[number]) >= 6), text)
        if secret.strip() and "\n" not in secret.strip():
            yield f"# settings\n{text}\n", secret.strip()


def make(tree, rng, groups):
    out = ""
    for operator, argument in tree:
        if operator is C.LITERAL:
            out += chr(argument)
        elif operator is C.NOT_LITERAL:
            out += rng.choice([s for s in WORD if s != chr(argument)])
        elif operator is C.ANY:
            out += rng.choice(WORD)
        elif operator is C.IN:
            out += one_of(argument, rng)
        elif operator is C.BRANCH:
            out += make(rng.choice(argument[1]), rng, groups)
        elif operator is C.SUBPATTERN:
            inner = make(argument[3], rng, groups)
            if argument[0] is not None:
                groups[argument[0]] = inner
            out += inner
        elif operator in (C.MAX_REPEAT, C.MIN_REPEAT, C.POSSESSIVE_REPEAT):
            low, high, inner = argument
            high = min(int(high), max(low, 12) + 8)
            count = low if low > 1 or rng.random() < 0.6 else rng.randint(low, max(low, min(high, 4)))
            out += "".join(make(inner, rng, groups) for _ in range(count))
        elif operator is C.ATOMIC_GROUP:
            out += make(argument, rng, groups)
        elif operator is C.GROUPREF:
            out += groups.get(argument, "")
    return out


def one_of(choices, rng):
    negated = choices and choices[0][0] is C.NEGATE
    allowed = set()
    for operator, argument in choices:
        if operator is C.LITERAL:
            allowed.add(chr(argument))
        elif operator is C.RANGE:
            allowed.update(chr(code) for code in range(argument[0], min(argument[1], 0x7e) + 1))
        elif operator is C.CATEGORY:
            allowed.update({C.CATEGORY_DIGIT: string.digits, C.CATEGORY_WORD: WORD + "_", C.CATEGORY_SPACE: " "}.get(argument, ""))
    pool = set(PLAIN) - allowed if negated else allowed
    # Letters and digits where the class has them: real tokens seldom end in a separator.
    preferred = sorted(pool & set(WORD)) if rng.random() < 0.97 else sorted(pool)
    return rng.choice(preferred or sorted(pool) or ["x"])
