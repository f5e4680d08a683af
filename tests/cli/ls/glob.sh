store
rag ls "*.md"; rag ls "docs/sub/**"; rag ls docs/sub; rag ls "*.nothing"; echo $?
