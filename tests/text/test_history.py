"""Family and past: by heads of sections and by cue words; what is denied stays denied."""

from __future__ import annotations

import pytest

from rinsho.text.mentions import embedded_tagger


def findings(text: str) -> dict[str, str]:
    spans = embedded_tagger().spans(text)
    return {text[s.start : s.end]: s.certainty for s in spans if s.label in ("disease", "symptom")}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("父に胃癌、糖尿病。発熱あり。", {"胃癌": "family", "糖尿病": "family", "発熱": "present"}),
        ("母が乳癌。頭痛。", {"乳癌": "family", "頭痛": "present"}),
        ("祖父が60歳で脳梗塞。", {"脳梗塞": "family"}),
        ("家族歴: 糖尿病なし、胃癌", {"糖尿病": "negated", "胃癌": "family"}),
        ("【家族歴】\n父 肺癌\n【現病歴】\n咳嗽", {"肺癌": "family", "咳嗽": "present"}),
        ("肺結核の既往。胸痛。", {"肺結核": "past", "胸痛": "present"}),
        ("高血圧、糖尿病の既往がある。", {"高血圧": "past", "糖尿病": "past"}),
        ("既往歴：高血圧\n胸痛で受診", {"高血圧": "past", "胸痛": "present"}),
        (
            "既往歴\n・胃潰瘍\n・脂質異常症\n\n胸痛",
            {"胃潰瘍": "past", "脂質異常症": "past", "胸痛": "present"},
        ),
        ("既往: 高血圧症。父に心筋梗塞。", {"高血圧症": "past", "心筋梗塞": "family"}),
        (
            "家族歴: 父に胃癌。既往歴: 高血圧。胸痛あり。",
            {"胃癌": "family", "高血圧": "past", "胸痛": "present"},
        ),
        ("家族歴: 父に胃癌。3日前から発熱。", {"胃癌": "family", "発熱": "present"}),
        ("喘息の既往なし。", {"喘息": "negated"}),
        ("既往に胃癌の疑い。", {"胃癌": "suspected"}),
        ("母とともに来院。発熱あり。", {"発熱": "present"}),
        ("父の付き添いで受診、腹痛を訴える。", {"腹痛": "present"}),
    ],
)
def test_who_has_it_and_when(text: str, found: dict[str, str]) -> None:
    assert findings(text) == found
