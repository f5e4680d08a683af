rag config set retrieve.k 5
rag config set chat.model ollama:x
rag config set retrieve.dense_weight 0.5
cat "$HOME/.config/rag/config"
rag config get retrieve.k
rag config unset retrieve.k
rag config get retrieve.k
cat "$HOME/.config/rag/config"
rag config get chat.url; echo $?
