store
printf "how do I reset the device?\nwho wrote Carmen?\n" | rag ask - | cut -c1-90; printf "who wrote Carmen?\n" | rag ask - >/dev/null; echo $?
