store
echo "the device is a kettle" | rag ask "how do I reset the device?" --dry-run -k1 | tail -12
