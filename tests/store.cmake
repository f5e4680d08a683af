rag_test(t_lex_codec)
rag_test(t_lexical)
