"""Every form in every version: a code and a version enter, the form leaves."""

from __future__ import annotations

from typing import Final

from api.services.assessment.forms import barthel, gbt42195, morse, mzt039
from api.services.assessment.forms.base import Form
from core.errors import BadInput

FORMS: Final[tuple[Form, ...]] = (gbt42195.FORM, mzt039.FORM, barthel.FORM, morse.FORM, morse.FORM_51)


def form_of(code: str, version: str | None = None) -> Form:
    """The form, in its first listed version unless one is named. Raises BadInput, naming those that exist."""
    for form in FORMS:
        if form.code == code and version in (None, form.version):
            return form
    known = ", ".join(f"{form.code} {form.version}" for form in FORMS)
    raise BadInput(f"there is no form {code} {version or ''}; there are: {known}")
