# what is no model, or no file at all: said, and nothing is waited for
D=$CASES/../data/import
mkfifo pipe
rag model add pipe; echo $?
rag model add /dev/zero; echo $?
mkdir empty
rag model add empty; echo $?
cp "$D/modern.gguf" empty/one.gguf
rag model add empty --name one >/dev/null; echo $?
cp "$D/modern.gguf" empty/two.gguf
rag model add empty; echo $?
for f in config.json tokenizer.json model.safetensors; do
    cp -r "$D/hf-e5-base" m
    rm -f "m/$f"
    mkfifo "m/$f"
    rag model add m; echo $?
    rm -r m
done
cp -r "$D/hf-e5-base" m
rm m/model-*-of-*.safetensors
rag model add m; echo $?
rm -r m
cp -r "$D/hf-e5-base" m
for f in m/*.safetensors; do printf x >>"$f"; done
rag model add m; echo $?
rm -r m
# more than is ever read of a file of settings
cp -r "$D/hf-e5-base" m
truncate -s 2M m/config.json
rag model add m; echo $?
rag model ls
# what is wrong with the command line is no damage
rag model add "$D/modern.gguf" --name two --query-prefix "$(printf 'a\001b')"; echo $?
rag model add "$D/modern.gguf" --name two --passage-prefix "$(printf '%300s' x)"; echo $?
