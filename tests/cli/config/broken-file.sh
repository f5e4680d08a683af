mkdir -p "$HOME/.config/rag"
printf "[retrieve]\nk = 4\nnonsense here\n" > "$HOME/.config/rag/config"
rag config; echo $?
printf "[retreive]\nk = 4\n" > "$HOME/.config/rag/config"
rag config
