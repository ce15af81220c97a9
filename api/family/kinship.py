"""What families call somebody: how a contact is related and the resident's sex enter, a word leaves."""

from __future__ import annotations

from typing import Final

from core.vocabulary import Names

_PARENTS: Final = {"female": Names("妈妈", "Mum"), "male": Names("爸爸", "Dad")}
_GRANDPARENTS: Final = {"female": Names("奶奶", "Grandma"), "male": Names("爷爷", "Grandpa")}
_MOTHERS_PARENTS: Final = {"female": Names("外婆", "Grandma"), "male": Names("外公", "Grandpa")}
_COUPLE: Final = {"female": Names("老伴", "Your wife"), "male": Names("老伴", "Your husband")}
_GROUPS: Final = (
    ("女儿 儿子 长女 长子 次女 次子 独生女 独生子 daughter son", _PARENTS),
    ("孙女 孙子", _GRANDPARENTS),
    ("外孙女 外孙", _MOTHERS_PARENTS),
    ("配偶 老伴 爱人 丈夫 妻子 husband wife spouse", _COUPLE),
)
_WORDS: Final[dict[str, dict[str, Names]]] = {word: group for words, group in _GROUPS for word in words.split()}
"""Only what leaves no doubt: a son-in-law may say 妈妈 or 岳母, so he reads the name."""


def called(relation: str, sex: str, name: str) -> Names:
    """What a contact calls the resident: `called("女儿", "female", "王秀英")` is 妈妈; else the name."""
    return _WORDS.get(relation.strip().lower(), {}).get(sex, Names(name, name))
