"""Every word of the console: a key and a language enter, text for people leaves. Other pages add theirs by `add`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args

from core.vocabulary import OUTCOME_NAMES, SEVERITY_NAMES, STATE_NAMES, Names

Language = Literal["both", "zh", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)

_CATALOGUE: dict[str, Names] = {}


def add(texts: Mapping[str, tuple[str, str]]) -> None:
    """Add texts as key -> (Chinese, English). A key is given once; raises ValueError for another text under it."""
    for key, pair in texts.items():
        names = Names(*pair)
        if _CATALOGUE.setdefault(key, names) != names:
            raise ValueError(f"the text {key} is there already and says something else")


class Speech:
    """The texts in one language; `both` puts English beside Chinese."""

    def __init__(self, language: Language = "both") -> None:
        self.language: Language = language

    @property
    def html_lang(self) -> str:
        return "en" if self.language == "en" else "zh-CN"

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key, with values filled in. Raises KeyError for a key that nobody added."""
        zh, en = _CATALOGUE[key]
        return self.pair(zh.format(**values), en.format(**values)) if values else self.pair(zh, en)

    def pair(self, zh: str, en: str) -> str:
        """A Chinese and an English text as this language shows them."""
        if self.language == "en":
            return en
        return zh if self.language == "zh" or zh == en else f"{zh} {en}"

    def name(self, names: Mapping[str, Any] | Names | None) -> str:
        """A `{"zh", "en"}` of the API."""
        if not names:
            return ""
        if isinstance(names, Names):
            return self.pair(names.zh, names.en)
        return self.pair(str(names["zh"]), str(names["en"]))

    def entry(self, kind: str) -> str:
        """The name of an entry of an alert's timeline; a new kind is shown as it is."""
        names = _CATALOGUE.get(f"entry.{kind}")
        return self.name(names) if names else kind.replace("_", " ")

    def word(self, field: str) -> str:
        """The name of a field of the API; one that nobody has named yet is shown as it is."""
        names = _CATALOGUE.get(f"field.{field}")
        return self.name(names) if names else field.replace("_", " ")

    def value(self, word: str) -> str:
        """The name of a fixed word of the API, as `word`."""
        names = _CATALOGUE.get(f"value.{word}")
        return self.name(names) if names else word.replace("_", " ")

    def many(self, prefix: str) -> dict[str, str]:
        """Every text whose key begins with the prefix, by the rest of the key: what a script of the page needs."""
        return {key.removeprefix(prefix): self(key) for key in _CATALOGUE if key.startswith(prefix)}


def language_of(cookie: str | None) -> Language:
    """The language that a cookie names; both where it names none."""
    return next((one for one in LANGUAGES if one == cookie), "both")


def _load() -> None:
    """The catalogue beside this file, names of the API's fields and words, and the fixed words of the platform."""
    for name, prefix in (("texts.json", ""), ("fields.json", "field."), ("values.json", "value.")):
        found = json.loads(Path(__file__).with_name(name).read_text(encoding="utf-8"))
        add({prefix + key: (zh, en) for key, (zh, en) in found.items()})
    for prefix, table in (("severity.", SEVERITY_NAMES), ("state.", STATE_NAMES), ("outcome.", OUTCOME_NAMES)):
        add({prefix + word.value: (names.zh, names.en) for word, names in table.items()})


_load()
