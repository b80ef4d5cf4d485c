"""Pieces that the patterns of identifiers share. Every repetition is bounded or possessive: linear.

Placeholders and identifiers already found are masked by NUL, which no piece takes.
"""

from __future__ import annotations

MASK = "\0"
DASHES = "‐‑‒–—―−﹣ーｰ⁻₋─━-"  # ends a class of characters: the last one stands for itself
DASH = f"[{DASHES}]"
REMARK = r"(?:[ ]?\((?![0+])(?:[0-9]{1,2}桁|[^()\0\n0-9]{0,8}[0-9]{1,2}(?:桁|文字|ケタ|けた|か月|ヶ月|歳)[^()\0\n0-9]{0,8}|[^()\0\n0-9]{0,16})\))?+"
# A tag of XML or HTML, or the words before the value of a machine's message.
_TAG = (
    r"<[/A-Za-z!?][^<>\n\0]{0,80}>|(?<=[\s\"'{(<])(?:value|extension|text|content|data)[\"']?[ ]?"
    r"[=:][ ]?|[A-Z]{2}[ ]?(?=\[)"
)
# Between a label and its value: remark in brackets, colon, cell border, line end, opening bracket.
GAP = (
    rf"[ \t]{{0,8}}+{REMARK}"
    rf"(?:[ \t\n:;=|,、→>\"'\]}}】』」)〉》*＊・…._/#\\&`~⇒]|{_TAG}){{0,20}}+"
    r"(?:[はがの]、?)?+[ \t:]{0,3}+[\"'「『\[【〔〈《<`]{0,2}+[ ]?+"
)
# Any words of the same sentence without a figure: for values that have a form of their own.
FAR_GAP = r"[^0-9\0。\n]{0,20}?"
# The same, but at least a colon, a blank, a cell border or a line end.
FIRM_GAP = (
    rf"[ \t]{{0,8}}+{REMARK}"
    rf"(?:[ \t:=|→⇒>\]】』」〉》\n*]|(?<=[\"'])[,]|[\"'][:,]|,|{_TAG})"
    rf"(?:[ \t\n:;=|\"'\]】』」〉》*・>→⇒]|{_TAG}){{0,16}}+[\"'「『\[【〔〈《<]{{0,2}}+"
)
# The same; a blank alone is enough too, and a closing bracket: (住)東京都.
WIDE_GAP = FIRM_GAP.replace(r"(?:[ \t:=|", r"(?:(?<=[ \t])|[ \t:=|)", 1)
ERA_NAMES = "(?:明治|大正|昭和|平成|令和)"
KANJI = "[一-龠々〆〇ヶ﨑髙𠀀-𯿿\uf900-\ufaff㐀-䶿]"
# Flat lists of words: `re` looks for their first characters alone.
PREFECTURE = (
    "(?:北海道|東京都|京都府|大阪府|青森県|岩手県|宮城県|秋田県|山形県|福島県|茨城県|栃木県|群馬県"
    "|埼玉県|千葉県|神奈川県|新潟県|富山県|石川県|福井県|山梨県|長野県|岐阜県|静岡県|愛知県|三重県"
    "|滋賀県|兵庫県|奈良県|和歌山県|鳥取県|島根県|岡山県|広島県|山口県|徳島県|香川県|愛媛県|高知県"
    "|福岡県|佐賀県|長崎県|熊本県|大分県|宮崎県|鹿児島県|沖縄県)"
)
PREFECTURES = tuple(PREFECTURE[3:-1].split("|"))


def any_of(words: str) -> str:
    """Return a pattern of words written with blanks between, the longest first."""
    return "(?:" + "|".join(sorted(words.split(), key=len, reverse=True)) + ")"
