"""The dictionary tagger against sentences marked by hand, and properties of its spans."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rinsho.text.lexicon import Disease, Drug, Lexicon, read_demo_lexicon
from rinsho.text.mentions import DictionaryTagger
from rinsho.text.normalize import normalize
from rinsho.text.spans import CERTAINTIES, LABELS

LEXICON = read_demo_lexicon()
TAGGER = DictionaryTagger(LEXICON)
_MARK = re.compile(r"\{([^|{}]+)\|[a-z_|]+\}")


def mark(text: str) -> str:
    """Return a text with its mentions in braces, as the annotation guideline writes them."""
    pieces, at = list[str](), 0
    for span in TAGGER.spans(text):
        certainty = "" if span.certainty == "present" else f"|{span.certainty}"
        pieces += (
            text[at : span.start],
            f"{{{text[span.start : span.end]}|{span.label}{certainty}}}",
        )
        at = span.end
    return "".join(pieces) + text[at:]


def check(marked: str) -> None:
    assert mark(_MARK.sub(r"\1", marked)) == marked


@pytest.mark.parametrize(
    "marked",
    [
        "{体温|test} {38.2℃|value}、{血圧|test} {128/76mmHg|value}",
        "{脈拍|test} {96回/分|value} {整|value}",
        "{WBC|test} {12,400/μL|value}、{CRP|test}{8.6mg/dL|value}と{高値|value}",
        "{Na|test} {138|value}、{K|test} {4.2|value}",
        "{BNP|test} {320→120 pg/mL|value}、{尿蛋白|test}{(3+)|value}、{PCR|test}{陰性|value}",
        "{MMT|test}は{上肢|body_part}{3/5|value}、{下肢|body_part}{4/5|value}",
        "{NRS|test} {3/10|value}",
        "{NYHA分類|test} {III度|value}、{GCS|test} {E4V5M6|value}、{Child-Pugh分類|test}{B|value}",
        "{肝S6|body_part}に{25×18mm|value}大の{低吸収域|disease}を認める",
        "{尿中肺炎球菌抗原|test}{(-)|value}",
        "{T|test} {37.2℃|value}、{尿量|test} {542 mL|value}/19時間",
        "{HbA1c|test}:{6.6%|value} {TP|test}:{6.7g/dL|value}",
        "{SpO2|test}{98%|value}、{KL-6|test}の{高値|value}、{腸蠕動音|test} {減弱|value}",
        "{SpO2|test} {93%|value}({酸素|drug}{2L/分マスク|dose})",
        "{WBC|test} {12.3×10³/µL|value}、{RBC|test} {420×10⁴/µL|value}",
        "{WBC|test} {1.2×10¹⁰/L|value}、{WBC|test} {12 10³/μL|value}",
        "{最大短径|test} {12mm²|value}",
    ],
)
def test_values_of_tests_are_found(marked: str) -> None:
    check(marked)


@pytest.mark.parametrize("text", ["82歳、3日前から、第5病日。", "胸部X線(2/5)を2枚。3回嘔吐。"])
def test_ages_dates_and_counts_are_no_values(text: str) -> None:
    assert all(span.label not in ("value", "dose") for span in TAGGER.spans(text))


@pytest.mark.parametrize(
    "marked",
    [
        "{アムロジピン錠|drug}{5mg 1T分1朝食後|dose}を継続",
        "{プレドニゾロン|drug}{20|dose}→{10mg|dose}へ、{ワルファリン|drug}{2mg|dose}から{3mg|dose}へ",
        "{フロセミド|drug}{20mg静注|dose}し、{ロキソプロフェン|drug}{60mg 疼痛時頓用|dose}",
        "{O2|drug}{1L/分|dose}で安静、{カルタン|drug} {500mg 分3  6日間|dose}",
        "{PSL|drug} {5mg/日 1回朝食後|dose}",
        "{リトドリン|drug}{50μg/分|dose}で点滴開始、{免疫グロブリン|drug} {2g/kg 点滴静注|dose}",
        "{ノボラピッド|drug}{4-4-4単位毎食直前|dose}、{酸素|drug}{2L/分 経鼻|dose}",
        "{オランザピン|drug}{10mg|dose}を{1日1回眠前|dose}に",
        "{テストマイシン錠|drug}{50mg|dose}を{1日3回|dose}",  # in no dictionary
        "{抗菌薬|drug}を点滴静注で開始",
    ],
)
def test_doses_of_drugs_are_found(marked: str) -> None:
    check(marked)


@pytest.mark.parametrize(
    "marked",
    [
        "{右季肋部痛|symptom}、{右膝痛|symptom}、{左放線冠梗塞|disease}、{陳旧性脳梗塞|disease}",
        "{両下腿|body_part}に{浮腫|symptom}、{右下肺野|body_part}に{coarse crackles|symptom}",
        "{胸部造影CT|test}、{頸動脈エコー|test}、{肺炎球菌性肺炎|disease}",
        "{腹部|body_part}は平坦・軟。腹部手技後。",
        "{左第3腰椎骨折|disease}、{C4/5椎間板ヘルニア|disease}、{胆嚢壁|body_part}の{肥厚|disease}",
        "{膵頭部癌|disease}、{膵体部腫瘍|disease}、{下腹部違和感|symptom}",
    ],
)
def test_spans_end_where_the_noun_phrase_ends(marked: str) -> None:
    check(marked)


@pytest.mark.parametrize(
    "text",
    [
        "after safari",
        "肺炎球菌とB型肝炎ウイルス",
        "糖尿病内科、胃癌検診",
        "技術、顔色、足元",
        "インスリン抗体価",
    ],
)
def test_a_term_inside_another_word_is_no_mention(text: str) -> None:
    assert [text[s.start : s.end] for s in TAGGER.spans(text) if s.label != "drug"] == []


def test_an_abbreviation_beside_japanese_is_a_mention() -> None:
    check("既往に{af|disease|past}と{DM|disease|past}あり、{HT|disease}で通院")


def test_bleeding_is_a_finding_on_an_image_and_a_sign_at_the_bedside() -> None:
    check("{頭部MRI|test}で{出血|disease|negated}はない\n創より{出血|symptom}あり")


@pytest.mark.parametrize(
    "marked",
    [
        "{胸痛|symptom|negated}や{呼吸困難|symptom|negated}はない",
        "{胸痛|symptom|negated}、{動悸|symptom|negated}は認めず、{咳嗽|symptom}あり",
        "{悪心|symptom|negated}・{嘔吐|symptom|negated}(-)、{腹痛|symptom}(+)",
        "{両下腿浮腫|symptom|negated}なし。{くも膜下出血|disease|negated}は明らかでない",
        "{発熱|symptom|negated}は消失。{心不全|disease|negated}は考えにくい",
        "{悪性腫瘍|disease|negated}を積極的に疑う所見はない",
        "{髄膜炎|disease|negated}を示唆する{項部硬直|symptom|negated}なし",
        "{喘息|disease|negated}の既往なし。{膿瘍|disease|negated}形成は認めない",
        "no {皮疹|symptom|negated}、{自己免疫性脳炎|disease|negated}の診断基準は満たさない",
        "{耳閉塞感|symptom|negated}、{膿性鼻汁|symptom|negated}は認めておりません",
        "{胸水|disease|negated}は{胸部CT|test}で認めなかった",
        "{有意狭窄|disease|negated}は指摘できない。{圧痛|symptom|negated}の訴えなく経過",
    ],
)
def test_what_is_denied_is_negated(marked: str) -> None:
    check(marked)


@pytest.mark.parametrize(
    "marked",
    [
        "{肺炎|disease|suspected}疑い。{川崎病|disease|suspected}を疑う",
        "{肺結核|disease|suspected}は否定できない。{結核|disease|suspected}の可能性は低い",
        "{脳梗塞|disease|suspected}として矛盾しない。{肺炎|disease|suspected}か。",
        "鑑別として{大動脈解離|disease|suspected}、{肺塞栓症|disease|suspected}を挙げる",
        "s/o {尿管結石|disease|suspected}、{アレルギー性鼻炎|disease|suspected}？",
        "{誤嚥性肺炎|disease|suspected}のリスク。{低血糖|disease|suspected}に注意。{発熱|symptom|suspected}時は受診",
        "副作用({骨粗鬆症|disease|suspected}、{嘔気|symptom|suspected})に注意",
        "{胃潰瘍|disease|suspected}、{胃癌|disease|suspected}の可能性",
    ],
)
def test_what_is_weighed_or_feared_is_suspected(marked: str) -> None:
    check(marked)


@pytest.mark.parametrize(
    "marked",
    [
        "父に{心筋梗塞|disease|family}。{結核|disease|past}の既往あり",
        "{肺炎|disease}は改善傾向。{COPD|disease}の増悪なし",
        "{うつ病|disease}の再燃はない。{低K血症|disease}は{利尿薬|drug}の影響と思われる",
        "{発熱|symptom}のため食事がとれない",
        "{高血圧|disease}、{糖尿病|disease}、{肺癌|disease|suspected}疑い",
        "{心房細動|disease}に対し{アピキサバン|drug}は中止していない",
    ],
)
def test_a_cue_about_something_else_leaves_a_mention_present(marked: str) -> None:
    check(marked)


def test_each_mention_is_judged_in_its_own_clause() -> None:
    check("{アカシジア|symptom}が出現し減量、{翌日|time}には{アカシジア|symptom|negated}は消失")


def test_offsets_point_into_the_text_as_it_was_given() -> None:
    text = "𠮷田さん😊　ＣＲＰ　３．２ｍｇ／ｄＬ、ﾛｷｿﾌﾟﾛﾌｪﾝ錠６０ｍｇ。"
    found = [(text[s.start : s.end], s.label) for s in TAGGER.spans(text)]
    assert found == [
        ("ＣＲＰ", "test"),
        ("３．２ｍｇ／ｄＬ", "value"),
        ("ﾛｷｿﾌﾟﾛﾌｪﾝ錠", "drug"),
        ("６０ｍｇ", "dose"),
    ]


def test_every_term_of_the_lexicon_is_found_as_it_stands() -> None:
    missed = [
        term
        for term, label in LEXICON.terms().items()
        if mark(f"既知の{term}を。") != f"既知の{{{term}|{label}}}を。"
    ]
    assert set(missed) == {"K", "P", "T", "R"}  # single letters need a number behind them


def test_a_lexicon_of_the_user_is_used_alone() -> None:
    own = Lexicon((Disease("架空病", synonyms=("KKB",)),), drugs=(Drug("カクウマイシン"),))
    text = "架空病(KKB)にカクウマイシン。肺炎なし。"
    found = [text[s.start : s.end] for s in DictionaryTagger(own).spans(text)]
    assert found == ["架空病", "KKB", "カクウマイシン"]


def test_an_empty_lexicon_and_an_empty_text_give_nothing() -> None:
    assert DictionaryTagger(Lexicon()).spans("肺炎") == ()
    assert TAGGER.spans("") == TAGGER.spans("\n\n") == ()


_WORDS = st.sampled_from(
    [
        *(
            "肺炎",
            "発熱",
            "CRP",
            "アムロジピン錠",
            "右",
            "両側",
            "下腿",
            "浮腫",
            "胸部",
            "CT",
            "af",
            "ﾊﾟﾆｯｸ",
        ),
        *(
            "5mg",
            "1日2回",
            "12.3",
            "mg/dL",
            "→",
            "/",
            "(-)",
            "(+)",
            "陽性",
            "38.2℃",
            "頭痛時頓用",
            "20×18mm",
        ),
        *(
            "なし",
            "認めず",
            "疑い",
            "は",
            "、",
            "。",
            "・",
            "\n",
            " ",
            "　",
            "を示唆する",
            "の可能性",
            "か",
            "？",
        ),
        *("𠮷", "😊", "か\u3099", "\u200b", "癌", "痛", "性", "分2", "L/分", "K", "NYHA", "III度"),
    ]
)


@given(st.lists(st.one_of(_WORDS, st.text(max_size=3)), max_size=30).map("".join))
def test_spans_lie_in_the_text_and_never_overlap(text: str) -> None:
    spans = TAGGER.spans(text)
    assert all(0 <= span.start < span.end <= len(text) for span in spans)
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(span.label in LABELS and span.certainty in CERTAINTIES for span in spans)
    judged = {"disease", "symptom"}
    assert all(span.certainty == "present" for span in spans if span.label not in judged)


@given(st.lists(_WORDS, max_size=30).map("".join))
def test_spans_hold_a_term_or_a_number_and_have_no_outer_blanks(text: str) -> None:
    terms = set(LEXICON.terms())
    for span in TAGGER.spans(text):
        surface = normalize(text[span.start : span.end])
        assert surface == surface.strip() and "\n" not in surface
        if span.label not in ("value", "dose"):
            cuts = (
                surface[a:b] for a in range(len(surface)) for b in range(a + 1, len(surface) + 1)
            )
            is_named = span.label == "drug" and re.fullmatch(
                r"[ァ-ヺー]{4,}(錠|散|細粒|顆粒|軟膏|坐剤)?", surface
            )
            assert is_named or any(cut in terms for cut in cuts)  # パニック5mg: a name by its dose


@pytest.mark.parametrize(
    "unit", ["とも", " ", "1,", "1", "ア", "性", "→1", "5mg", "の", "変化", "("]
)
def test_a_long_line_of_one_thing_ends(unit: str) -> None:
    text = "発熱" + unit * 20_000
    assert len(TAGGER.spans(text)) >= 1


@pytest.mark.data
def test_real_case_reports_keep_the_properties(data_folder: Path) -> None:
    folder = data_folder / "eval/keepha_ja/medner-sc-sm-ja-train-split"
    texts = [path.read_text("utf-8") for path in sorted(folder.rglob("*.txt"))[:40]]
    assert texts
    for text in texts:
        spans = TAGGER.spans(text)
        assert all(a.end <= b.start for a, b in pairwise(spans))
        assert all(text[s.start : s.end].strip() for s in spans)
