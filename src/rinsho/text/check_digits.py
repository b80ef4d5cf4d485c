"""Check digits of official numbers: the individual number and the number of an insurer."""

from __future__ import annotations


def is_my_number(digits: str) -> bool:
    """Tell whether 12 digits are an individual number (個人番号) by their last one.

    Source:
        Order of the Ministry of Internal Affairs and Communications No. 85 of 2014, article 5: 11
        minus the weighted sum modulo 11, and 0 where that is above 9.

    >>> is_my_number("123456789018"), is_my_number("123456789012")
    (True, False)
    """
    is_long = len(digits) == 12 and digits.isdigit()
    return is_long and int(digits[-1]) == my_number_check(digits[:11])


def my_number_check(digits: str) -> int:
    """Return the check digit of the first 11 digits of an individual number."""
    weights = (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)
    rest = sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11
    return 0 if rest <= 1 else 11 - rest


def insurer_check(digits: str) -> int:
    """Return the check digit of the other digits of an insurer's number.

    Source:
        Notice of the Ministry of Health and Welfare, Hohatsu No. 45 of 1976: weights 2 and 1 from
        the right, digits of the products summed, 10 minus the last digit of the sum.

    >>> insurer_check("0613999")
    2
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        product = int(digit) * (2 if place % 2 == 0 else 1)
        total += product // 10 + product % 10
    return -total % 10
