#!/bin/sh
# From nothing to the first answer: sh cli/quickstart.sh [FOLDER] ["QUESTION"]
# Installs what is missing (as root or with sudo), builds, fetches the default
# model, ingests FOLDER (default: this project's docs) and answers. The second
# run takes seconds and needs no network.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=cli/setup.sh
. "$root/cli/setup.sh"

folder=${1:-$root/docs}
question=${2:-"Which exit code says that nothing was found?"}
[ -e "$folder" ] || die "looking for $folder" "there is no such file or folder"
folder=$(cd "$(dirname "$folder")" && pwd)/$(basename "$folder")

# shellcheck disable=SC2086 # one word a package
install_packages $RAG_PACKAGES
build release
rag=$root/build/release/rag
if ! "$rag" model show e5-small >/dev/null 2>&1; then
    fetch_model
    "$rag" model add "$model" --name e5-small >/dev/null || die "adding the model" "see the line above"
fi

say "ingesting $folder"
set +e
"$rag" ingest "$folder" >/dev/null
rc=$?
set -e
case $rc in
0) ;;
3) say "(some files could not be read, the rest is stored)" ;;
*) die "ingesting $folder" "exit code $rc: see the line above, and '$rag doctor'" ;;
esac

say ""
say "$question"
say ""
set +e
"$rag" ask "$question"
rc=$?
set -e
[ "$rc" -le 1 ] || die "asking" "exit code $rc: see the line above, and '$rag doctor'"

say ""
say "Go on with:"
say "  $rag ask \"another question\""
say "  $rag search \"words\" --json | jq ."
say "  $rag ingest ANOTHER-FOLDER"
