"""Every error rinsho raises on purpose, each with one stable code and a text in two languages.

    RinshoError
    ├── ConfigError       C…  the call, the run file or the installation is wrong (exit code 2)
    ├── DataError         D…  files and folders
    ├── CheckpointError   K…  weights, checkpoints, training
    ├── EvaluationError   E…  benchmarks, answers, scores
    └── ServingError      S…  the server and the one-shot commands

An error says what happened, where, and what to do next. Its fields hold names, counts, offsets and
hashes, never text of a document.
"""

from __future__ import annotations

import locale
import os
import re
from typing import ClassVar, Literal

from rinsho.error_words import in_japanese

Language = Literal["ja", "en"]
_JA = "[ぁ-んァ-ヶー一-龠々（）、。]"


def default_language() -> Language:
    """Return the language of the user's locale: Japanese or, for every other one, English."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return "ja" if value.startswith("ja") else "en"
    return "ja" if (locale.getlocale()[0] or "").startswith("ja") else "en"


class RinshoError(Exception):
    """The root of the tree; never raised itself.

    Args:
        where: The place: a file and line, a key, an id, a step.
        expected: What should have been there.
        found: What was there instead.
        hint: The next step, where it is more exact than the class's own.
    """

    code: ClassVar[str] = "R000"
    exit_code: ClassVar[int] = 1
    ja: ClassVar[str] = ""
    en: ClassVar[str] = ""
    hint_ja: ClassVar[str] = ""
    hint_en: ClassVar[str] = ""

    def __init__(
        self, *, where: object = "", expected: object = "", found: object = "", hint: str = ""
    ) -> None:
        self.where, self.expected, self.found = str(where), str(expected), str(found)
        self.hint = hint
        super().__init__(self.text("en"))

    def message(self, language: Language) -> str:
        """Return what happened and where, in one line."""
        return self._fill_ja(self.ja) if language == "ja" else self._fill(self.en)

    def next_step(self, language: Language) -> str:
        """Return what to do next."""
        if language == "ja":
            return in_japanese(self.hint) or self._fill_ja(self.hint_ja)
        return self.hint or self._fill(self.hint_en)

    def text(self, language: Language) -> str:
        """Return the two lines that a person reads."""
        error, step = ("エラー", "対処") if language == "ja" else ("Error", "Next step")
        return f"{error}[{self.code}]: {self.message(language)}\n{step}: {self.next_step(language)}"

    def _fill(self, template: str) -> str:
        return template.format(where=self.where, expected=self.expected, found=self.found)

    def _fill_ja(self, template: str) -> str:
        """Fill in Japanese: a field beside which no Latin letters stand has no space there."""
        filled = template
        for name, value in vars(self).items():
            if name in ("where", "expected", "found") and (words := in_japanese(value)) != value:
                before = f"(?:(?<={_JA}) )?" if re.match(_JA, words[:1]) else ""
                after = f"(?: (?={_JA}))?" if re.match(_JA, words[-1:]) else ""
                braced = words.replace("{", "{{").replace("}", "}}")
                place = f"{before}{{{name}}}{after}"
                filled = re.sub(place, lambda _, words=braced: words, filled)
        return self._fill(filled)


class ConfigError(RinshoError):
    """The call, the run file or the installation is wrong."""

    code, exit_code = "C000", 2


class UnknownKey(ConfigError):
    """A key that no config has."""

    code = "C001"
    ja = "設定に無いキーです: {where} の {found}"
    en = "unknown key: {found} in {where}"
    hint_ja = "もっとも近いキーは {expected} です。`rinsho STAGE --help` で一覧を見られます"
    hint_en = "the nearest known key is {expected}; `rinsho STAGE --help` lists them all"


class InvalidValue(ConfigError):
    """A value out of its range or of another type."""

    code = "C002"
    ja = "値が正しくありません: {where}（{found}）"
    en = "invalid value: {where} ({found})"
    hint_ja = "{expected} を指定してください"
    hint_en = "give {expected}"


class RunFileBroken(ConfigError):
    """A run file that is not TOML."""

    code = "C003"
    ja = "実行ファイルを TOML として読めません: {where}: {found}"
    en = "the run file is not valid TOML: {where}: {found}"
    hint_ja = "その行の書き方を直してください（例は runs/demo.toml）"
    hint_en = "mend that line (runs/demo.toml is an example)"


class UnknownStage(ConfigError):
    """A table or a --only/--from that names no stage."""

    code = "C004"
    ja = "そのような段階はありません: {where} の {found}"
    en = "no such stage: {found} in {where}"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class MissingInput(ConfigError):
    """A stage without the folder it reads."""

    code = "C005"
    ja = "入力フォルダがありません: {where} には {expected} が必要です"
    en = "an input folder is missing: {where} needs {expected}"
    hint_ja = "--{expected} DIR を付けるか、実行ファイルで先の段階を書いてください"
    hint_en = "give --{expected} DIR, or put the stage that makes it earlier in the run file"


class MissingDependency(ConfigError):
    """A package of an extra that is not installed."""

    code = "C006"
    ja = "パッケージが入っていません: {found}（{where} に必要）"
    en = "a package is not installed: {found} (needed by {where})"
    hint_ja = '`pip install "rinsho[{expected}]"` を実行してください'
    hint_en = 'run `pip install "rinsho[{expected}]"`'


class DataFolderMissing(ConfigError):
    """A stage that needs --data without it."""

    code = "C007"
    ja = "データフォルダが指定されていません: {where}"
    en = "no data folder was given: {where}"
    hint_ja = "--data DIR を付けるか、環境変数 RINSHO_DATA を設定してください"
    hint_en = "give --data DIR or set RINSHO_DATA"


class RemoteRefused(ConfigError):
    """An address that text must not go to."""

    code = "C008"
    ja = "この機械と構内の外にあるアドレスです: {where}（{found}）"
    en = "an address beyond this machine and the local network: {where} ({found})"
    hint_ja = "{expected} を使ってください。患者の文書でなければ --allow-remote で外へ送れます"
    hint_en = "use {expected}; if text may leave this place (patients' never), give --allow-remote"


class WrongCall(ConfigError):
    """A command, option or argument that the command line does not have, or without its value."""

    code = "C009"
    ja = "コマンドの書き方が正しくありません: {where}（{found}）"
    en = "a wrong call: {where} ({found})"
    hint_ja = "`{where} --help` で使い方を確かめてください"
    hint_en = "`{where} --help` shows how it is called"


class UnknownDataset(ConfigError):
    """A dataset or benchmark that the catalog does not list."""

    code = "C010"
    ja = "そのようなデータセットはありません: {found}"
    en = "no such dataset: {found}"
    hint_ja = "近い名前は {expected} です。`rinsho data list` で一覧を見られます"
    hint_en = "the nearest known name is {expected}; `rinsho data list` lists them all"


class ModelNeeded(ConfigError):
    """An option that says something about a model, where there is none."""

    code = "C011"
    ja = "モデルと一緒に使うオプションです: {where}"
    en = "an option that needs a model: {where}"
    hint_ja = "モデル（重みのフォルダ）も指定するか、{where} を外してください"
    hint_en = "name a model (a weights folder) too, or leave {where} out"


class DataError(RinshoError):
    """Files and folders."""

    code = "D000"


class PathMissing(DataError):
    """A file or folder that is not there."""

    code = "D001"
    ja = "ファイルまたはフォルダが見つかりません: {where}"
    en = "no such file or folder: {where}"
    hint_ja = "パスと、ファイルとフォルダのどちらが要るかを確かめてください"
    hint_en = "check the path, and whether a file or a folder belongs there"


class NothingToRead(DataError):
    """A folder or file without a single record."""

    code = "D002"
    ja = "読める文書がひとつもありません: {where}"
    en = "there is no record to read: {where}"
    hint_ja = "{expected} を置いてから再実行してください"
    hint_en = "put {expected} there and run again"


class NothingReadable(NothingToRead):
    """A source whose records are all broken: a wrong field, group, format or file."""

    code = "D042"
    ja = "情報源の文書がひとつも読めません: {where}"
    en = "not one record of the source can be read: {where}"
    hint_ja = "実行ファイルの {expected} とファイルの中身を見比べて再実行してください"
    hint_en = "compare {expected} of the run file with what the file holds, and run again"


class NotFinished(DataError):
    """A folder without a manifest."""

    code = "D003"
    ja = "完了したフォルダではありません（manifest.json がありません）: {where}"
    en = "not a finished folder (it has no manifest.json): {where}"
    hint_ja = "そのフォルダを作る段階をもう一度実行してください。途中から再開します"
    hint_en = "run the stage that makes it again; it resumes where it stopped"


class Corrupt(DataError):
    """A file whose bytes are not those of its manifest."""

    code = "D004"
    ja = "ファイルの内容が記録と異なります: {where}（記録 {expected}、実際 {found}）"
    en = "a file is not what its manifest says: {where} (recorded {expected}, found {found})"
    hint_ja = "写しから戻すか、そのフォルダを消して段階を再実行してください"
    hint_en = "restore it from a copy, or delete the folder and run its stage again"


class WrongKind(DataError):
    """A folder that holds something else than the stage reads."""

    code = "D005"
    ja = "フォルダの種類が違います: {where} は {found} で、{expected} ではありません"
    en = "wrong kind of folder: {where} holds {found}, not {expected}"
    hint_ja = "{expected} のフォルダを指定してください"
    hint_en = "give a folder that holds {expected}"


class OutputOccupied(DataError):
    """An output where something else is: the result of another run, or a file of that name."""

    code = "D006"
    ja = "出力先に別のものがあります: {where}\n{found}"
    en = "something else is where the output goes: {where}\n{found}"
    hint_ja = "別の --out を指定するか、不要ならそのフォルダを消してください"
    hint_en = "give another --out, or delete that folder if it is not needed"


class FolderLocked(DataError):
    """An output folder that another process is writing."""

    code = "D007"
    ja = "別のプロセスが書き込み中です: {where}"
    en = "another process is writing there: {where}"
    hint_ja = "終わるのを待つか、別の --out を指定してください"
    hint_en = "wait for it to end, or give another --out"


class DiskFull(DataError):
    """No space left, or a quota reached."""

    code = "D008"
    ja = "ディスクに空きがありません: {where}"
    en = "the disk is full: {where}"
    hint_ja = "空きを作って同じコマンドを再実行してください。完了した結果は残っています"
    hint_en = "free some space and run the same command again; what was finished is kept"


class FileRefused(DataError):
    """A file or folder that the operating system does not let be read or written."""

    code = "D043"
    ja = "ファイルまたはフォルダを読み書きできません: {where}（{found}）"
    en = "a file or folder cannot be read or written: {where} ({found})"
    hint_ja = "指定したパス（ファイルかフォルダか）、権限、ディスクの空きを確かめてください"
    hint_en = "check the paths that were given (file or folder), the permissions and the free space"


class WorkerDied(DataError):
    """A worker process that was killed again and again."""

    code = "D040"
    ja = "{where}: ワーカーが {expected} 回続けて強制終了されました（未完了の部分 {found}）"
    en = "{where}: workers were killed {expected} times in a row (parts left: {found})"
    hint_ja = (
        "メモリを増やすか --workers を減らし、同じコマンドを再実行してください。"
        "完了した部分は残っています"
    )
    hint_en = "give more memory or fewer --workers and run again; the parts that are done are kept"


class PartMissing(DataError):
    """A merge without all of the parts."""

    code = "D041"
    ja = "{expected} 個のうち {where} 番目の部分がまだありません"
    en = "part {where} of {expected} is not there yet"
    hint_ja = (
        "すべての --shard が終わってから --merge を実行してください。"
        "--merge なしの実行は残りを自分で作ります"
    )
    hint_en = "run every --shard first, then --merge; without --merge the run makes what is missing"


class LicenseRefused(DataError):
    """A license that the run does not allow."""

    code = "D009"
    ja = "許可されていないライセンスです: {where}（{found}）"
    en = "a license that is not allowed: {where} ({found})"
    hint_ja = "使ってよい資料なら allow_licenses に加えるか、--noncommercial を付けてください"
    hint_en = "if you may use it, add it to allow_licenses or give --noncommercial"


class DictionaryMissing(DataError):
    """A morphological dictionary that is not there."""

    code = "D010"
    ja = "辞書が見つかりません: {where}"
    en = "a dictionary is missing: {where}"
    hint_ja = '`pip install "rinsho[corpus]"` を実行するか、辞書のパスを直してください'
    hint_en = 'run `pip install "rinsho[corpus]"` or mend the path of the dictionary'


class DictionaryMismatch(DataError):
    """Another dictionary than the one a tokenizer was trained with."""

    code = "D020"
    ja = "形態素解析の辞書が学習時と異なります: {where}（学習時 {expected}、ここ {found}）"
    en = "not the dictionary of the training: {where} (trained with {expected}, found {found})"
    hint_ja = "morphology.json に書かれた版の ipadic を入れ、フォルダを写し直してください"
    hint_en = "install the ipadic that morphology.json names, and copy the folder again"


class NotText(DataError):
    """A file that is not text in the encoding it should have."""

    code = "D012"
    ja = "文書の文字コードが {expected} ではありません: {where}"
    en = "not {expected} text: {where}"
    hint_ja = (
        "正しい文字コード（utf-8, cp932 など）を --encoding"
        "（実行ファイルでは encoding）に指定してください"
    )
    hint_en = "name the right one (utf-8, cp932, …) with --encoding, in a run file with `encoding`"


class BrokenRecord(DataError):
    """A record that cannot be read where every one has to be."""

    code = "D013"
    ja = "読めないレコードです: {where}（{found}）"
    en = "a broken record: {where} ({found})"
    hint_ja = "{expected} の形に直してください"
    hint_en = "mend it to be {expected}"


class SplitOverlap(DataError):
    """One group in two splits."""

    code = "D014"
    ja = "同じグループが複数の分割に入っています: {where}（{found}）"
    en = "one group stands in two splits: {where} ({found})"
    hint_ja = "グループ単位で分け直してください"
    hint_en = "split by group again"


class UnknownFormat(DataError):
    """A file that no reader reads."""

    code = "D015"
    ja = "読めない形式です: {where}（{found}）"
    en = "a format that no reader reads: {where} ({found})"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class NothingLeft(DataError):
    """A stage whose rules rejected everything."""

    code = "D016"
    ja = "すべての文書が除外されました: {where}（{found}）"
    en = "every document was rejected: {where} ({found})"
    hint_ja = "名前の挙がった規則の上限・下限か、元の文書を直してください"
    hint_en = "mend the limits of the rules that are named, or what they judge"


class TextTooLong(DataError):
    """A text longer than a command takes."""

    code = "D017"
    ja = "文書が長すぎます: {where}（{found} 文字、上限 {expected}）"
    en = "a text is too long: {where} ({found} characters, at most {expected})"
    hint_ja = "分割してから渡してください"
    hint_en = "split it and try again"


class ReadOnly(DataError):
    """A place that cannot be written."""

    code = "D018"
    ja = "書き込めません: {where}"
    en = "cannot write there: {where}"
    hint_ja = "権限を確かめるか、別の --out を指定してください"
    hint_en = "check the permissions, or give another --out"


class IdUnknown(DataError):
    """A document or group that no folder knows."""

    code = "D019"
    ja = "その文書・グループはどのフォルダにもありません: {where}"
    en = "no folder knows that document or group: {where}"
    hint_ja = "documents フォルダの id か group をそのまま指定してください"
    hint_en = "give an id or a group as it stands in a documents folder"


class DownloadFailed(DataError):
    """A file that its publisher's host did not send whole."""

    code = "D030"
    ja = "ダウンロードできません: {where}（{found}）"
    en = "cannot download: {where} ({found})"
    hint_ja = (
        "ネットワークとプロキシ（HTTPS_PROXY）を確かめて同じコマンドを再実行してください。"
        "済んだファイルは取り直しません。院内の写しがあれば --mirror URL で指定できます"
    )
    hint_en = (
        "check the network and the proxy (HTTPS_PROXY) and run the same command again: finished "
        "files are not fetched twice; --mirror URL names a copy inside your building"
    )
    may_pass = True  # whether another try can help: a cut connection, not a missing file


class DownloadDiffers(DataError):
    """A downloaded file whose bytes are not those of the catalog."""

    code = "D031"
    ja = "取得したファイルが目録と異なるため保存しません: {where}（目録 {expected}、実際 {found}）"
    en = (
        "a downloaded file is not what the catalog says: {where} (recorded {expected}, found "
        "{found}); it was not kept"
    )
    hint_ja = "--mirror を使っているなら写しを確かめ、そうでなければ発行元の変更を報告してください"
    hint_en = "with --mirror check the copy; without it, report that the publisher changed the file"


class RedirectRefused(DataError):
    """A host that sends the download to another one."""

    code = "D032"
    ja = "別のホストへの転送は拒否しました: {where}（{expected} から {found} へ）"
    en = "a redirect to another host is refused: {where} (from {expected} to {found})"
    hint_ja = "プロキシの認証かもしれません。ブラウザで確かめるか、--mirror URL を指定してください"
    hint_en = "a proxy may ask for a login: look in a browser, or give --mirror URL"


class CannotConvert(DataError):
    """A file that a person has to make from the publisher's files."""

    code = "D033"
    ja = "自動では作れないファイルです: {where}（必要な加工: {found}）"
    en = "a file that cannot be made automatically: {where} (it needs: {found})"
    hint_ja = (
        "{expected} を取得して加工し、その場所に置いてください。"
        "または data check が通るフォルダから写してください"
    )
    hint_en = (
        "get {expected}, do that by hand and put the result there, or copy the file from a data "
        "folder that passes `rinsho data check`"
    )


class OutsideFolder(DataError):
    """A path that leads out of the folder it belongs to."""

    code = "D034"
    ja = "フォルダの外を指すパスです: {where}"
    en = "a path that leads out of its folder: {where}"
    hint_ja = "フォルダの中のリンクを消すか、別の --to を指定してください"
    hint_en = "remove the link inside the folder, or give another --to"


class EndpointFailed(DataError):
    """A server that gives no answers."""

    code = "D050"
    ja = "モデルのサーバから答えが得られません: {where}（{found}）"
    en = "the endpoint gives no answers: {where} ({found})"
    hint_ja = "{expected} を確かめて同じコマンドを再実行してください。届いた答えは残っています"
    hint_en = "check {expected} and run the same command again; answers that arrived are kept"


class TooFewLabels(DataError):
    """Labels that a scorer cannot be fitted to."""

    code = "D051"
    ja = "ラベルが足りません: {where}（{found}、必要 {expected}）"
    en = "too few labels: {where} ({found}, needs {expected})"
    hint_ja = "ラベルの id が documents の id と同じか確かめ、2 種類以上の点を付けてください"
    hint_en = "check that the ids are those of the documents, and label with two scores at least"


class CheckpointError(RinshoError):
    """Weights, checkpoints and training."""

    code = "K000"


class TokenizerMismatch(CheckpointError):
    """Tokens or a template of another tokenizer than the weights have."""

    code = "K001"
    ja = "トークナイザが重みと合いません: {where}（重み {expected}、入力 {found}）"
    en = "the tokenizer is not that of the weights: {where} (weights {expected}, found {found})"
    hint_ja = "重みと同じトークナイザで encode をやり直してください"
    hint_en = "encode again with the tokenizer that the weights were trained with"


class WeightsMismatch(CheckpointError):
    """A weights folder whose tensors do not fit its config."""

    code = "K002"
    ja = "重みが設定と合いません: {where}（期待 {expected}、実際 {found}）"
    en = "the weights do not fit their config: {where} (expected {expected}, found {found})"
    hint_ja = "重みのフォルダを写し直してください"
    hint_en = "copy the weights folder again"


class NothingToLearn(CheckpointError):
    """Tokens without one that the loss counts."""

    code = "K004"
    ja = "学習する対象がありません: {where}（{found}）"
    en = "there is nothing to learn: {where} ({found})"
    hint_ja = "{expected} を確かめてください"
    hint_en = "check {expected}"


class OutOfMemory(CheckpointError):
    """No memory left."""

    code = "K005"
    ja = "メモリが足りません: {where}（{found}）"
    en = "out of memory: {where} ({found})"
    hint_ja = "次を小さくするか設定してください: {expected}。`rinsho plan` が必要量を示します"
    hint_en = "lower or set {expected}; `rinsho plan` tells what is needed"


class LossNotFinite(CheckpointError):
    """A loss that is not a number."""

    code = "K006"
    ja = "損失が有限の数ではありません: {where}（{found}）"
    en = "the loss is not finite: {where} ({found})"
    hint_ja = "学習率を下げて再実行してください。最後の正常なチェックポイントから再開します"
    hint_en = "lower the learning rate and run again; it resumes from the last good checkpoint"


class PickleRefused(CheckpointError):
    """Weights in a format that can run code."""

    code = "K007"
    ja = "pickle 形式の重みは読みません: {where}"
    en = "weights in a pickle are refused: {where}"
    hint_ja = (
        "safetensors 形式の重みを使うか、出所を信頼できるなら変換してください: "
        "transformers の AutoModelForCausalLM.from_pretrained(A).save_pretrained(B)"
    )
    hint_en = (
        "use weights in safetensors form, or convert them if you trust their origin: "
        "AutoModelForCausalLM.from_pretrained(A).save_pretrained(B) of transformers"
    )


class UnknownArchitecture(CheckpointError):
    """A model that the decoder cannot be."""

    code = "K008"
    ja = "対応していないモデルです: {where}（{found}）"
    en = "an architecture that is not supported: {where} ({found})"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class SequenceTooLong(CheckpointError):
    """More tokens than the context holds."""

    code = "K009"
    ja = "文脈長を超えています: {where}（{found} トークン、上限 {expected}）"
    en = "longer than the context: {where} ({found} tokens, at most {expected})"
    hint_ja = "短くするか、文脈長の大きいモデルを使ってください"
    hint_en = "shorten it, or use a model with a longer context"


class ResumeRefused(CheckpointError):
    """A checkpoint made under other threads, versions or processors: the bytes would differ."""

    code = "K010"
    ja = "別の環境で作られたチェックポイントです: {where}（記録 {expected}、実際 {found}）"
    en = "a checkpoint of another environment: {where} (made under {expected}, here {found})"
    hint_ja = "同じ環境（threads など）で再開するか、.partial フォルダを消して実行し直してください"
    hint_en = "resume under the same one (threads, …), or delete the .partial folder and start anew"


class RankLost(CheckpointError):
    """A process of a run on many devices is gone, or does not answer."""

    code = "K011"
    ja = "ほかのランクの応答がなくなりました: {where}（{found}）"
    en = "another rank is gone: {where} ({found})"
    hint_ja = (
        "止まったランクのログを確かめ、同じコマンドを再実行してください。"
        "最後のチェックポイントから再開します"
    )
    hint_en = (
        "look into the log of the rank that ended, and run the same command again; "
        "it resumes from the last checkpoint"
    )


class ModelNotHere(CheckpointError):
    """A model that is neither a folder nor in the hub's cache."""

    code = "K020"
    ja = "モデルのフォルダがなく、hub のキャッシュにもありません: {where}"
    en = "no folder of that name, and no such model in the hub's cache: {where}"
    hint_ja = "パスを確かめるか、接続できる計算機で `{expected}` を実行して持ち込んでください"
    hint_en = "check the path, or run `{expected}` on a connected machine and bring the result"


class ProgramRefused(CheckpointError):
    """A model folder that asks for a program of its own to be run."""

    code = "K021"
    ja = "独自のプログラムを実行させるモデルは読みません: {where}（{found}）"
    en = "a model that brings its own program is refused: {where} ({found})"
    hint_ja = (
        "実行はしません。transformers 自身が対応する種類なら {expected} の {found} を消してください"
    )
    hint_en = (
        "it is never run; if transformers itself knows the model, delete {found} from {expected}"
    )


class AdapterMismatch(CheckpointError):
    """An adapter that was not made for the base it is put on."""

    code = "K030"
    ja = "アダプターが土台のモデルと合いません: {where}（必要 {expected}、実際 {found}）"
    en = "the adapter does not fit the base: {where} (needs {expected}, found {found})"
    hint_ja = "アダプターを学習したときの土台を --base で指定してください"
    hint_en = "give the base that the adapter was trained on with --base"


class TemplateRefused(CheckpointError):
    """A chat template that cannot be rendered, or whose answers cannot be told apart."""

    code = "K031"
    ja = "チャットテンプレートを使えません: {where}（{found}）"
    en = "the chat template cannot be used: {where} ({found})"
    hint_ja = "{expected} を満たすテンプレートに直すか、別のモデルを使ってください"
    hint_en = "mend the template ({expected}) or use another model"


class EvaluationError(RinshoError):
    """Benchmarks, answers and scores."""

    code = "E000"


class UnknownBenchmark(EvaluationError):
    """A benchmark that rinsho does not know."""

    code, exit_code = "E001", 2
    ja = "そのようなベンチマークはありません: {found}"
    en = "no such benchmark: {found}"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class BenchmarkMissing(EvaluationError):
    """A benchmark file that the data folder lacks."""

    code = "E002"
    ja = "ベンチマークのファイルがありません: {where}"
    en = "a benchmark file is missing: {where}"
    hint_ja = "--data でデータフォルダを指定してください（必要なファイル: {expected}）"
    hint_en = "give the data folder with --data (it must hold {expected})"


class NoncommercialRefused(EvaluationError):
    """Non-commercial data without the switch."""

    code = "E003"
    ja = "非商用ライセンスのデータです: {where}（{found}）"
    en = "data under a non-commercial license: {where} ({found})"
    hint_ja = "非商用の用途なら --noncommercial を付けてください"
    hint_en = "for a non-commercial purpose give --noncommercial"


class ModelCannot(EvaluationError):
    """A model or engine asked for what it cannot do."""

    code = "E004"
    ja = "このモデルではできません: {where}（{found}）"
    en = "this model cannot do that: {where} ({found})"
    hint_ja = "{expected} を使ってください"
    hint_en = "use {expected}"


class AnswersIncomplete(EvaluationError):
    """Answers that do not fit their benchmark."""

    code = "E005"
    ja = "回答がベンチマークと合いません: {where}（期待 {expected}、実際 {found}）"
    en = "the answers do not fit their benchmark: {where} (expected {expected}, found {found})"
    hint_ja = "`rinsho answer` を再実行してください"
    hint_en = "run `rinsho answer` again"


class BenchmarkChanged(EvaluationError):
    """A benchmark file that is not the one its figures were published on."""

    code = "E006"
    ja = (
        "ベンチマークのファイルが公開版と異なります: {where}"
        "（SHA-256 期待 {expected}、実際 {found}）"
    )
    en = "a benchmark file is not the published one: {where} (SHA-256 {expected}, found {found})"
    hint_ja = "`rinsho data check` で確かめ、`rinsho data fetch` で取り直してください"
    hint_en = "check it with `rinsho data check`, get it again with `rinsho data fetch`"


class ShotsMissing(EvaluationError):
    """Fewer demonstrations than were asked for."""

    code, exit_code = "E007", 2
    ja = "例示に使える問題が足りません: {where}（必要 {expected}、あるのは {found}）"
    en = "too few questions to show as examples: {where} (needed {expected}, there are {found})"
    hint_ja = "NAME@{found}-shot 以下にしてください。試験の問題は例示に使いません"
    hint_en = "ask for NAME@{found}-shot or fewer: questions of a test are never shown"


class TrainingHoldsTest(EvaluationError):
    """Training data that hold documents of a test."""

    code = "E008"
    ja = (
        "学習データにテストの文書が入っています: {where}（テスト {found} 件、学習側 {expected} 件）"
    )
    en = (
        "training data hold documents of a test: {where} "
        "({found} rows of the test, {expected} records of the training data)"
    )
    hint_ja = "挙げた記録を除くか、`rinsho data splits` の disjoint か grouped を使ってください"
    hint_en = "take the listed records out, or use disjoint or grouped of `rinsho data splits`"


class RelationsNotLearned(EvaluationError):
    """Weights that were to relate mentions, and were not tuned for it."""

    code = "E009"
    ja = "語と語の関係を学習していない重みです: {where}（{found}）"
    en = "these weights were not tuned for relations: {where} ({found})"
    hint_ja = '`rinsho finetune` を form = "relation" で実行した重みを渡してください'
    hint_en = 'give weights of `rinsho finetune` with form = "relation"'


class ServingError(RinshoError):
    """The server and the one-shot commands."""

    code = "S000"


class PortInUse(ServingError):
    """A port that another program has."""

    code, exit_code = "S001", 2
    ja = "ポートは使用中です: {where}"
    en = "the port is in use: {where}"
    hint_ja = "--port で別の番号を指定してください"
    hint_en = "give another one with --port"


class NotLoopback(ServingError):
    """An address that other machines reach, without what protects it there."""

    code, exit_code = "S002", 2
    ja = "この機械の外から届くアドレスには保護が足りません: {where}（足りないもの: {found}）"
    en = "an address that other machines reach needs more protection: {where} (missing: {found})"
    hint_ja = "{expected} を付けるか、127.0.0.1 を指定してください"
    hint_en = "add {expected}, or give 127.0.0.1"


class RequestTooLarge(ServingError):
    """A request over a limit."""

    code = "S003"
    ja = "要求が大きすぎます: {where}（{found}、上限 {expected}）"
    en = "the request is too large: {where} ({found}, at most {expected})"
    hint_ja = "分割して送ってください"
    hint_en = "split it and send the parts"


class Busy(ServingError):
    """A queue that is full."""

    code = "S004"
    ja = "混み合っています: {where}（待ち {found} 件、上限 {expected}）"
    en = "the server is busy: {where} ({found} waiting, at most {expected})"
    hint_ja = "少し待ってからもう一度送ってください"
    hint_en = "wait a moment and send it again"


class BadRequest(ServingError):
    """A request that is not of the API's form."""

    code = "S005"
    ja = "要求の形が正しくありません: {where}（{found}）"
    en = "a request that is not of the API's form: {where} ({found})"
    hint_ja = "{expected} を送ってください"
    hint_en = "send {expected}"


class NoModel(ServingError):
    """A question to a server that has no model for it."""

    code = "S006"
    ja = "この操作のためのモデルがありません: {where}"
    en = "there is no model for that: {where}"
    hint_ja = "`rinsho serve WEIGHTS` のように重みのフォルダを付けて起動してください"
    hint_en = "start with a weights folder: `rinsho serve WEIGHTS`"


class ModelUnknown(ServingError):
    """A request that names a model which the server does not have."""

    code = "S007"
    ja = "そのモデルはこのサーバにありません: {where}"
    en = "this server has no such model: {where}"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class OriginRefused(ServingError):
    """A request that another site's page sent, or that came under another host name."""

    code = "S008"
    ja = "別のサイトまたは別のホスト名からの要求は受け付けません: {where}"
    en = "a request of another site or under another host name is refused: {where}"
    hint_ja = "{expected} から開いてください"
    hint_en = "open it as {expected}"


class RouteUnknown(ServingError):
    """A path or method that the API does not have."""

    code = "S009"
    ja = "そのような URL はありません: {where}"
    en = "there is no such URL: {where}"
    hint_ja = "使えるのは {expected} です"
    hint_en = "use one of: {expected}"


class ServerFault(ServingError):
    """A defect of the server itself; the request and its text are not shown."""

    code = "S010"
    ja = "サーバの内部エラーです: {where}"
    en = "an error inside the server: {where}"
    hint_ja = "同じ要求で繰り返す場合は、この番号と {where} を添えて報告してください"
    hint_en = "if the same request repeats it, report this code and {where}"


class ConstraintRefused(ServingError):
    """A schema, expression or list that no answer can meet, or that is too large."""

    code = "S011"
    ja = "出力の制約を使えません: {where}（{found}）"
    en = "a constraint that cannot be used: {where} ({found})"
    hint_ja = "制約を直すか、簡単にしてください"
    hint_en = "correct it, or make it simpler"


class KeyRefused(ServingError):
    """A request without a key, or with a wrong one."""

    code = "S012"
    ja = "鍵がないか、正しくありません: {where}"
    en = "the key is missing or wrong: {where}"
    hint_ja = "管理者から受け取った鍵を Authorization: Bearer の後に付けて送ってください"
    hint_en = "send the key that the administrator gave you, after Authorization: Bearer"


class RoleRefused(ServingError):
    """A request for which the key's role is not enough."""

    code = "S013"
    ja = "この鍵ではできない操作です: {where}（役割 {found}、必要 {expected}）"
    en = "this key may not do that: {where} (its role is {found}, needed is {expected})"
    hint_ja = "役割が {expected} の鍵を使うか、管理者に頼んでください"
    hint_en = "use a key with the role {expected}, or ask the administrator"


class KeyLimit(ServingError):
    """A request over what its key may use."""

    code = "S014"
    ja = "この鍵の上限を超えます: {where}（{found}、上限 {expected}）"
    en = "over the limit of this key: {where} ({found}, at most {expected})"
    hint_ja = "間を置くか、要求を小さくしてください。上限は鍵のファイルにあります"
    hint_en = "wait, or ask for less; the limit stands in the file of keys"


class AuditFailed(ServingError):
    """An audit log that cannot be written; a request that it lacks is not answered."""

    code = "S015"
    ja = "監査記録に書けません: {where}（{found}）"
    en = "the audit log cannot be written: {where} ({found})"
    hint_ja = (
        "記録できない間は要求に応じません。管理者に知らせてください。"
        "ディスクの空きと書き込み権限を直せば、そのまま再開します"
    )
    hint_en = (
        "nothing is answered meanwhile: tell the administrator; with space and the right to write, "
        "it goes on by itself"
    )


class AuditBroken(ServingError):
    """An audit log whose chain does not hold."""

    code = "S016"
    ja = "監査記録がつながっていません: {where}（{found}）"
    en = "the audit log's chain does not hold: {where} ({found})"
    hint_ja = "そのファイルを調査のために保管し、--audit に別のファイルを指定してください"
    hint_en = "keep that file for an inquiry, and give another one with --audit"


class KeysUnusable(ServingError):
    """A file of keys or of a certificate that cannot be used."""

    code, exit_code = "S017", 2
    ja = "鍵または証明書のファイルを使えません: {where}（{found}）"
    en = "a file of keys or of a certificate cannot be used: {where} ({found})"
    hint_ja = "{expected} にしてください"
    hint_en = "make it {expected}"


class BatchUnknown(ServingError):
    """A batch that the caller does not have."""

    code = "S018"
    ja = "その一括処理はありません: {where}"
    en = "there is no such batch: {where}"
    hint_ja = "GET /v1/batch で一覧を見てください。結果は終了の 1 時間後に消えます"
    hint_en = "GET /v1/batch lists yours; results are forgotten an hour after the end"


class TooManyConnections(ServingError):
    """A request over one connection more than the server serves."""

    code = "S019"
    ja = "接続が多すぎます: {where}（{found} 本、上限 {expected}）"
    en = "there are too many connections: {where} ({found}, at most {expected})"
    hint_ja = "少し待ってからもう一度送ってください"
    hint_en = "wait a moment and send it again"
