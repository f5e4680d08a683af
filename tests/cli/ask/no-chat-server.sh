store
rag config set -q chat.model openai:x
OPENAI_BASE_URL=http://127.0.0.1:9/v1 rag ask "how do I reset the device?" --json 2>/dev/null | sed "s/.message.:.*//"
OPENAI_BASE_URL=http://127.0.0.1:9/v1 rag ask "how do I reset the device?" 2>/dev/null; echo $?
OPENAI_BASE_URL=http://127.0.0.1:9/v1 rag ask "how do I reset the device?" --extract; echo $?
