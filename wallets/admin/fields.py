"""Form fields of operation pages."""

from typing import Any

from django import forms

from keeptrusts.lib import money
from keeptrusts.lib.money import InvalidAmount

HELP = "US dollars, at most 9 decimals, at most 10,000,000."
LONGEST = 60
SIGNED = (
    "must be a number of US dollars such as 12.50, or -12.50 with a minus sign; not 0, "
    "at most 10,000,000, at most 9 decimals; no comma, exponent or currency sign."
)


class MoneyField(forms.CharField):
    """Dollars as people write them; the value is whole nano-dollars, None where left empty."""

    def __init__(self, *, allow_zero: bool = False, signed: bool = False, **kwargs: Any) -> None:
        self.allow_zero, self.signed = allow_zero, signed
        super().__init__(max_length=LONGEST, **{"help_text": HELP, **kwargs})

    def clean(self, value: Any) -> int | None:
        """Nano-dollars; raises ``ValidationError``."""
        text = super().clean(value)
        if not text:
            return None
        sign = -1 if self.signed and text.startswith("-") else 1
        try:
            return sign * money.parse_nanos(
                text.removeprefix("-") if self.signed else text, allow_zero=self.allow_zero
            )
        except InvalidAmount as error:
            message = SIGNED if self.signed else error.message
            raise forms.ValidationError(f"The amount {message}") from None


class WordsField(forms.CharField):
    """Words separated by commas or white space; the value is a list, None where left empty."""

    def clean(self, value: Any) -> list[str] | None:
        """The words."""
        text = super().clean(value)
        return text.replace(",", " ").split() if text else None
