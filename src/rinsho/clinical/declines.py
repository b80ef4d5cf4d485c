"""Which requests are declined: those that ask for a diagnosis, a treatment or a dose.

Software that presents such things can be a medical device in Japan (MHLW guideline 2021, revised
2023). `ask` and `draft` repeat what a text says, with its words as evidence: what it says about a
diagnosis may be asked (書かれている診断名は), what to conclude from it may not (診断は何ですか).
Rules like these can be talked around: docs/clinical.md tells how often they miss. They stand before
`ask` and `draft` alone; `generate`, chat and other models cannot be held to them.
"""

from __future__ import annotations

import re
from typing import Literal

from rinsho.text.normalize import normalize

Declined = Literal["diagnosis", "treatment", "dose"]

# What is asked is what the text says, and not what follows from it.
_WRITTEN = re.compile(
    r"書かれ|書いて(?:あ|い)|記載|記され|記録|本文|この文(?:章|書)?|文中|文章|カルテ上|カルテに|添付|上記に"
    r"|述べられ|とされて|挙げられて|(?:行|投与|処方|使用|服用|内服|実施|施行|診断|指摘|中止|開始|増量|減量|"
    r"変更|説明|紹介|併用|継続|手術|治療)(?:わ|さ|し|を受け)?(?:れ|て)(?:い(?:る|た|ます|ました)|きた|いて)"
    r"|(?:され|し|行われ|受け|出)(?:た|ました|ている|ています|ていた|ていました)[^。]{0,24}"
    r"(?:は|を|いつ|何|どれ|どこ|誰|ですか|でしたか|教え|抜き出|一覧|まとめ|列挙)"
    r"|いつ(?:から|まで|ごろ)?|抜き出|抽出|引用|要約|まとめて|一覧に"
)
# What a person is to decide: it stays declined even where the text is named.
_JUDGEMENT = re.compile(
    r"べき|(?:し)?たら(?:いい|よい|良い)|(?:す)?れば(?:いい|よい|良い|治|下が|改善)|ほうが(?:いい|よい|良い)"
    r"|方が(?:いい|よい|良い)|のが(?:いい|よい|良い)|(?:て|で)も(?:いい|よい|良い|大丈夫|問題|構)"
    r"|(?:最|適切|適当|妥当|最適|適応|有効|効果的)(?:な|で|が|は)|推奨|おすすめ|お勧め|オススメ|勧め(?:て|られる)"
    r"|望まし|ふさわし|提案|立案|助言|アドバイス|判断(?:し|を)|考えられ(?:る|ます)|考え(?:て|られ)|疑(?:う|われ|い)"
    r"|鑑別|推定|推測|予測|診断(?:し|を(?:つけ|下|お願|くだ|して|行|確定)|名をつけ|がつ)|見立て|どう(?:すれ|した|治|対応|"
    r"処置|管理|思|考)|どのように(?:治|対応|処置|管理|すれ)|可能性(?:は|が|の)|でしょうか|必要(?:です|は|が|な|でしょ)"
    r"|代わり(?:に|の|と)|選(?:ん|び|択|ぶ)|決め(?:て|る)|計算(?:し|を|する)|設計|処方(?:し|を(?:し|出|お願|考|"
    r"作|書|決|組)|案|例|内容を(?:考|決|作)|せん?を(?:作|書))|切り替え(?:る|た|て|先)|調整(?:し|を|する)"
)
# What to do, whatever it is about.
_DECISION = re.compile(
    r"べき(?!では)|(?:た|だ)ら(?:いい|よい|良い|よろしい)|ば(?:いい|よい|良い|よろしい)|(?:ほう|方)が(?:いい|よい|良い)"
    r"|(?:て|で)も?(?:いい|よい|良い|よろしい|大丈夫|構わ|問題な|平気|差し支え)|どう(?:すれば|したら|すべき|すると)"
    r"|(?:せて|して|めて|らして|やして|けて)大丈夫"
)
_DIAGNOSIS = re.compile(
    r"診断|病名|鑑別|(?:何|なん)の(?:病気|疾患|病)|(?:何|なん)という(?:病気|疾患)|どんな(?:病気|疾患)"
    r"|どの(?:病気|疾患)|疾患(?:は|が|を)|病気(?:は|が|を|です|でしょ|か)|原因(?:は|が|を|疾患)|(?:がん|癌|肺炎|梗塞|"
    r"結核|感染症|骨折|腫瘍|認知症|うつ病|糖尿病|脳卒中|虫垂炎|[一-龥ァ-ヶー]{2,8}(?:症|炎|病|癌|がん|腫|症候群))"
    r"(?:です(?:か|よね)|でしょうか|ではない|じゃない|の可能性|の疑い|と(?:診断|考え|思)|かどうか|なの)"
    r"|悪性(?:です|でしょ|か|の可能性)|(?:読影|判読|鑑定|診)(?:して|てくだ|てほし)|重症度|ステージ(?:は|を)|病期"
)
_TREATMENT = re.compile(
    r"治療|療法|治(?:し|す|る|せ)|処方|投薬|投与|薬(?!歴|局|剤師|手帳)|抗(?:菌|生|癌|がん|凝固|血小板|ウイルス|うつ|てんかん)"
    r"|手術|オペ|介入|処置|対応|管理|入院|退院|転院|輸血|輸液|点滴|透析|放射線|リハビリ|増量|減量|中止|休薬|再開|継続"
    r"|切り替え|変更|追加|開始|導入|併用|ステロイド|インスリン|ワクチン|注射|方針|使(?:う|え|い|って|用)|飲(?:む|ま|み|め|ん)"
    r"|服用|内服|検査"
)
_DOSE = re.compile(
    r"用量|投与量|投与速度|用法|用法用量|初期量|維持量|最大量|極量|負荷量|換算|(?:何|なん)\s?(?:mg|ミリ|g|グラム|錠|単位|mL|"
    r"ml|カプセル|包|滴|回|日間|時間おき|μg|mcg)|(?:どの|どれ)(?:くらい|ぐらい|程度|だけ)[^。]{0,12}"
    r"(?:投与|飲|服用|使|出|打|注射|増や|減ら|入れ)|(?:投与|飲|服用|使|打|注射)[^。]{0,10}(?:量|回数|間隔|速度|期間)"
    r"|量(?:は|を)(?:いくつ|いくら|どう|計算|決|教|何)|流量|(?:mg|ミリ)(?:/kg|毎キロ)"
)
_ORDER = re.compile(
    r"(?:診断|治療|処方|投与|鑑別|用量|投与量|方針|薬|抗菌薬|手術)[^。]{0,14}"
    r"(?:して(?:ください|下さい|ほしい|くれ|$)|(?:を|も)?(?:教え|示し|挙げ|列挙|出し|考え|決め|選|提案|作成|立て|計算|書い|"
    r"お願い|リスト)|は(?:何|なに|どう|どれ|いくら|$|[?？]))"
)
_ENGLISH = {
    "diagnosis": re.compile(r"\bdiagnos|\bdifferential\b|what (?:disease|condition|illness)"),
    "dose": re.compile(r"\bdos(?:e|age|ing)\b|how (?:much|many) (?:mg|tablets|units)|\bmg/kg\b"),
    "treatment": re.compile(
        r"\btreat|\bprescri|\btherap|\bmanage|which (?:drug|antibiotic)"
        r"|\bshould (?:i|we|he|she|the)"
    ),
}
_ENGLISH_WRITTEN = re.compile(
    r"\bwritten\b|\bstated\b|\bmentioned\b|\baccording to\b|\bin the text\b"
)


def declined(request: str) -> Declined | None:
    """Return what a request asks for that this program does not give, or None.

    >>> declined("この患者の診断は何ですか"), declined("書かれている診断名を抜き出してください")
    ('diagnosis', None)
    >>> declined("アムロジピンは何mgにすべきですか"), declined("入院日はいつですか")
    ('dose', None)
    """
    text = normalize(request)
    if (found := _declined_english(text.casefold())) is not None:
        return found
    wants_judgement = _JUDGEMENT.search(text) is not None
    if _WRITTEN.search(text) and not wants_judgement:
        return None
    orders = _ORDER.search(text) is not None
    if _DOSE.search(text) and (wants_judgement or not _WRITTEN.search(text)):
        return "dose"
    if _DIAGNOSIS.search(text) and (wants_judgement or orders or _asks(text)):
        return "diagnosis"
    if _DECISION.search(text) or (_TREATMENT.search(text) and (wants_judgement or orders)):
        return "treatment"
    return None


_ASKS = re.compile(r"[?？]|何|なに|なん|教え|どれ|どの|どんな|(?:です|ます|でしょう)か|のか|かな")


def _asks(text: str) -> bool:
    return _ASKS.search(text) is not None


def _declined_english(text: str) -> Declined | None:
    if _ENGLISH_WRITTEN.search(text):
        return None
    kinds: tuple[Declined, ...] = ("dose", "diagnosis", "treatment")
    return next((kind for kind in kinds if _ENGLISH[kind].search(text)), None)
