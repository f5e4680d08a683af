store
rag ask "장치를 다시 시작하려면 어떻게 하나요?"
