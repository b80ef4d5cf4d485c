#!/bin/sh
# Installs rinsho from this folder into a folder of this machine; nothing is downloaded.
#   sh install.sh /opt/rinsho
set -eu
umask 022 # the service's own account has to read what the administrator installs
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
target=${1:?"どこに入れますか / where to: sh install.sh /opt/rinsho"}
python=${PYTHON:-python3.11}

command -v "$python" >/dev/null 2>&1 || {
    echo "$python がありません。PYTHON=/path/to/python を指定してください。" >&2
    echo "$python is not installed; set PYTHON=/path/to/python" >&2
    exit 2
}
wanted=$(cat "$here/PYTHON_VERSION")
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
if [ "$wanted" != "$found" ]; then
    echo "Python $wanted が必要です（見つかったのは $found）。/ needs Python $wanted, found $found" >&2
    exit 2
fi
echo "チェックサムを確かめています / checking the files"
(cd "$here" && sha256sum --quiet --strict -c SHA256SUMS) || {
    echo "ファイルが壊れているか、足りません。もう一度コピーしてください。" >&2
    echo "a file is damaged or missing: copy the folder again" >&2
    exit 1
}
"$python" -m venv "$target/venv"
"$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index \
    --require-hashes --no-deps --find-links "$here/wheels" -r "$here/requirements.txt"
mkdir -p "$target/models" "$target/docs"
for model in "$here"/models/*/; do
    [ -d "$model" ] || continue
    name=$(basename "$model")
    if [ ! -e "$target/models/$name" ]; then cp -R "$model" "$target/models/$name"; fi
    [ ! -f "$model/manifest.json" ] || "$target/venv/bin/rinsho" verify "$target/models/$name"
done
cp "$here"/docs/*.md "$target/docs/"
cp "$here/rinsho.service" "$target/"
echo "入りました / installed: $target/venv/bin/rinsho serve"
