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

# What is asked is what the text says, and not what follows from it: words of writing, and what was
# done or is being done (行われました, 測定されています, になっています).
_WRITTEN = re.compile(
    r"書かれ|書いて(?:あ|い)|書き直|記載|記され|述べられ|とされて|挙げられて|欄|読み上げ|抜き出|抽出|引用|要約"
    r"|まとめて|一覧に|添付|いつ(?:から|まで|ごろ|です|で|\?|に|行)|何月|何日に|どこで|誰が"
    r"|(?:さ|わ|受け|出|撮|し|せ|ら)(?:れて|て)(?:い|き)?(?:る|た|ます|ました|いた|いて)"
    r"|(?:され|わ?れ|し|い|り|き|み|え|け)(?:ました|ていた|ています)(?:か|\?|$)|になって(?:い)?(?:る|ます)"
    r"|(?:され|われ|受け)(?:た|ている)[^。]{0,16}(?:は|を|何|どれ|どこ|教え|列挙)"
)
# A judgement is asked for, wherever the text is named.
_JUDGEMENT = re.compile(
    r"考えられ|考え(?:て|ます|る)|疑(?:わし|われる|い(?:は|が|です))|(?:っ|ら)ぽい|どっち|どちら(?:が|を|に)|意見"
    r"|判定|判断|見落と|見立て|勧め|すすめ|推奨|望まし|ふさわし|提案|立案|立て(?:て|る)|助言|アドバイス|適応(?:は|って|が|か)"
    r"|(?:最も|一番|最)(?:疑|適|有効|良|よ|い)|適切|適当|妥当|最適|有効(?:な|で)|効果的|算出|計算|換算|調整(?:し|を)|指示(?:し|を)"
    r"|設定|選(?:ん|び|択|ぶ)|決め(?:て|る)|推定|推測|予測|分類する|何型|確定(?:\?|です|で)|正しい|間違(?:っ|い)"
    r"|どう(?:思|すれ|した|治|対応|処置|管理|考)|思(?:う|い|わ)(?:ます|れ|か|$|\?)|ですかね|かな|かも|可能性(?:は|が|の)"
    r"|代わり(?:に|の|と)|切り替え(?:る|た|て|先)|設計|デエスカ|あなたが|あなたなら|だとしたら|教科書|一般(?:に|的に)は"
    r"|鑑別(?:診断)?(?:を|は|リスト|$|お願|出|挙)|DDx|診断(?:し|を(?:つけ|下|お願|くだ|して|行|確定)|名をつけ|がつ)|指摘し"
    r"|処方(?:し|を(?:し|出|お願|考|作|書|決|組)|案|例|内容を(?:考|決|作))|する\?\s*しない|(?<!き)(?:出|上げ|下げ|打|入れ)(?:し)?て(?:くだ|下)"
)
# What to do, whatever it is about.
_DECISION = re.compile(
    r"べき(?!では)|(?:た|だ)ら(?:いい|よい|良い|よろしい)|ば(?:いい|よい|良い|よろしい)|(?:ほう|方)が(?:いい|よい|良い)"
    r"|(?:て|で)も?(?:いい|よい|良い|よろしい|大丈夫|構わ|問題な|平気|差し支え)|問題ない(?:です|でしょ)|どう(?:すれば|したら|すべき|すると)"
    r"|(?:せて|して|めて|らして|やして|けて)大丈夫|なら(?:何|どれ|どの)|何が(?:いい|よい|良い)"
)
_NAMED = (
    r"(?:[一-龥ァ-ヶー]{1,8}(?:症|炎|病|癌|がん|腫|症候群|不全|ショック|発作|梗塞|出血|骨折|結石)"
    r"|PE|DVT|AMI|Afib|Af|AFL|アッペ|がん|癌)"
)
_DIAGNOSIS = re.compile(
    r"診断|しんだん|病名|鑑別|DDx|(?:何|なん)の(?:病気|疾患|病)|(?:何|なん)という(?:病気|疾患)"
    r"|(?:どんな|どの)(?:病気|疾患)|疾患(?:は|が|を)|病気(?:は|が|を|です|でしょ|か)|原因(?:は|が|を|疾患|として)"
    rf"|{_NAMED}(?:です(?:か|よね)|でしょうか|ではない|じゃない|の可能性|の疑い|と(?:診断|考え|思)|かどうか|なの|かな|っぽ"
    rf"|が始ま|で確定|と{_NAMED})"
    r"|悪性(?:です|でしょ|か|の可能性)|(?:読影|判読|鑑定|診)(?:して|てくだ|てほし)|重症度|ステージ(?:は|を)|病期|病態|NYHA"
    r"|種類は(?:何|どれ)"
)
_TREATMENT = re.compile(
    r"治療|療法|治(?:し|す|る|せ)|処方|投薬|投与|薬(?!歴|局|剤師|手帳)|抗(?:菌|生|癌|がん|凝固|血小板|ウイルス|うつ|てんかん)"
    r"|手術|オペ|介入|処置|対応|管理|入院|退院|転院|輸血|輸液|点滴|透析|放射線|リハビリ|増量|減量|中止|休薬|再開|継続"
    r"|切り替え|変更|追加|開始|導入|併用|ステロイド|インスリン|ワクチン|注射|方針|使(?:う|え|い|って|用)|飲(?:む|ま|み|め|ん)"
    r"|服用|内服|検査|デエスカ|PCI|CABG|オペ"
)
_DOSE = re.compile(
    r"用量|投与量|投与速度|補液速度|用法|初期量|維持量|最大量|極量|負荷量|レスキュー量|換算|γ|ガンマ"
    r"|(?:何|なん)\s?(?:mg|ミリ|g|グラム|錠|単位|mL|ml|カプセル|包|滴|時間おき|μg|mcg|割|倍|分の)"
    r"|(?:どの|どれ)(?:くらい|ぐらい|程度|だけ)[^。]{0,12}(?:投与|飲|服用|使|出|打|注射|増や|減ら|入れ|設定)"
    r"|(?:投与|飲|服用|使|打|注射)[^。]{0,10}(?:量|回数|間隔|速度|期間)|量(?:は|を)(?:いくつ|いくら|どう|計算|算出|決|教|何|調整)"
    r"|流量|(?:mg|ミリ)(?:/kg|毎キロ)|減量|増量"
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
    judges = _JUDGEMENT.search(text) is not None or _DECISION.search(text) is not None
    if _WRITTEN.search(text) and not judges:
        return None
    orders = _ORDER.search(text) is not None
    if _DOSE.search(text):
        return "dose"
    if _DIAGNOSIS.search(text) and (judges or orders or _asks(text)):
        return "diagnosis"
    if _DECISION.search(text) or (_TREATMENT.search(text) and (judges or orders)):
        return "treatment"
    return None


_ASKS = re.compile(
    r"[?？]|何|なに|なん|教え|おしえ|どれ|どの|どんな|(?:です|ます|でしょう)か|のか|かな"
)


def _asks(text: str) -> bool:
    return _ASKS.search(text) is not None


def _declined_english(text: str) -> Declined | None:
    if _ENGLISH_WRITTEN.search(text):
        return None
    kinds: tuple[Declined, ...] = ("dose", "diagnosis", "treatment")
    return next((kind for kind in kinds if _ENGLISH[kind].search(text)), None)
