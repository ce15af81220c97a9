"""Which passwords are taken: a password, whose it is and a least length enter, what is wrong with it leaves.

After NIST SP 800-63B: length counts, words that everybody tries first are refused, and so is the account's own name;
nothing is demanded of the kinds of characters, and nothing expires by age.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from importlib import resources
from itertools import pairwise
from typing import Final

from core.errors import BadInput

PASSWORD_CHARS_MAX: Final = 128
_PERIOD_CHARS_MAX: Final = 4
_OWN_CHARS_MIN: Final = 4
_TRAILING: Final = re.compile(r"[\W\d_]+$")
_LEADING: Final = re.compile(r"^[\W\d_]+")


def check_password(password: str, *, chars_min: int, own: Iterable[str] = ()) -> None:
    """Raises BadInput, naming the reason.

    own: words that stand for the account, its username first; a password must not be built on one of them.
    """
    if len(password) < chars_min:
        raise BadInput(f"the new password needs at least {chars_min} characters; a sentence of your own is good")
    plain = unicodedata.normalize("NFKC", password).casefold().strip()
    # What is left of "Admin@123456": digits and signs at the ends hide nothing from those who guess.
    bare = _LEADING.sub("", _TRAILING.sub("", plain))
    if plain in _common() or bare in _common():
        raise BadInput("the new password is one that many people use; choose another")
    if _is_repetition(plain) or _is_run(plain):
        raise BadInput("the new password only repeats or counts; choose another")
    names = {unicodedata.normalize("NFKC", word).casefold() for word in own}
    if any(bare == name or (len(name) >= _OWN_CHARS_MIN and name in plain) for name in names if name):
        raise BadInput("the new password must not hold the name of the account")


@cache
def _common() -> frozenset[str]:
    text = resources.files("api.auth").joinpath("common_passwords.txt").read_text(encoding="utf-8")
    return frozenset(line for line in text.split() if line)


def _is_repetition(text: str) -> bool:
    """aaaaaaaaaaaa, abcabcabcabc, 123412341234: a piece of up to four characters, again and again."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, _PERIOD_CHARS_MAX + 1))


def _is_run(text: str) -> bool:
    """abcdefghijkl, 987654321098: each character follows the one before."""
    digits = text.isascii() and text.isdigit()
    steps = {(ord(b) - ord(a)) % 10 if digits else ord(b) - ord(a) for a, b in pairwise(text)}
    return steps in ({1}, {9} if digits else {-1})
