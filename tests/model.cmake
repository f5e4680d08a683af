rag_fake_test(t_embed fake/fakenn.c)
rag_fake_test(t_rerank fake/fakenn.c)
rag_fake_test(t_chat)
rag_fake_test(t_recorded fake/fakenn.c)
