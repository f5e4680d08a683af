#include "test.h"

#include "base/hash.h"
#include "chunk_doc.h"

/* ---- texts ---- */

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static const char *const en_words[] = {
    "the",       "server", "starts",   "when",     "a",       "network",
    "of",        "and",    "settings", "is",       "written", "to",
    "disk",      "manual", "before",   "every",    "message", "connection",
    "describes", "in",     "which",    "password", "user",    "folder"};
static const char *const ko_words[] = {
    "서버를",   "시작하면", "설정",       "파일이",   "네트워크에", "그리고",
    "사용자는", "폴더에서", "비밀번호를", "확인한",   "다음",       "연결이",
    "끊어지면", "관리자가", "메시지를",   "설명서에", "따라",       "다시"};

static void add_sentence(rag_buf *b, bool korean)
{
    uint32_t n = 5 + rnd(16);

    for (uint32_t i = 0; i < n; i++) {
        rag_buf_addz(b, i != 0 ? " " : korean ? "" : "Then ");
        rag_buf_addz(b, korean ? ko_words[rnd(18)] : en_words[rnd(24)]);
    }
    rag_buf_addf(b, " %u", (unsigned)rnd(10000));
    rag_buf_addz(b, korean ? " 저장합니다." : ".");
}

/* Running text of about `bytes`: paragraphs of one sentence a line or of one
 * long line; marked: with headings, items, a table and code now and then. */
static void add_text(rag_buf *b, size_t bytes, bool korean, bool marked)
{
    while (b->len < bytes) {
        uint32_t what = marked ? rnd(40) : 0;
        uint32_t n = 1 + rnd(9);
        const char *sep = rnd(2) != 0 ? "\n" : " ";

        if (what == 39)
            rag_buf_addf(b, "%s Section %u\n\n", rnd(2) ? "##" : "###",
                         (unsigned)rnd(100000));
        for (uint32_t i = 0; i < n; i++) {
            if (what >= 33 && what < 38)
                rag_buf_addz(b, rnd(4) != 0 ? "- " : "  - ");
            add_sentence(b, korean);
            rag_buf_addz(b, i + 1 == n || what >= 33 ? "\n" : sep);
        }
        rag_buf_addz(b, "\n");
    }
}

/* ---- the estimate ---- */

static void estimate_is_near_the_tokenizer(void **state)
{
    /* counted with the model's own SentencePiece vocabulary */
    static const struct {
        uint32_t n_tokens;
        const char *text;
    } samples[] = {
        {130, "The installer copies the program into a folder of your choice "
              "and writes a short log while it works. When the disk is full, "
              "it stops, removes what it had copied and prints the path of the "
              "log. Before you start, close every window of the older version, "
              "because open files cannot be replaced. A restart is needed only "
              "when the driver changes. If the network asks for a password, "
              "type the one that your administrator gave you, not the password "
              "of the computer itself. The whole procedure takes about ten "
              "minutes on a machine with a fast disk, and up to an hour on an "
              "old laptop."},
        {146, "설치 프로그램은 사용자가 고른 폴더에 파일을 "
              "복사하고, 진행 상황을 짧은 로그로 남깁니다. "
              "디스크 공간이 부족하면 작업을 멈추고 이미 "
              "복사한 파일을 지운 뒤 로그의 위치를 알려 "
              "줍니다. 시작하기 전에 이전 버전의 창을 모두 "
              "닫아 주세요. 열려 있는 파일은 바꿀 수 없기 "
              "때문입니다. 드라이버가 바뀔 때만 컴퓨터를 "
              "다시 시작하면 됩니다. 네트워크에서 "
              "비밀번호를 물으면 컴퓨터의 비밀번호가 "
              "아니라 관리자가 알려 준 비밀번호를 "
              "입력하십시오. 빠른 디스크를 쓰는 "
              "컴퓨터에서는 전체 과정이 10분쯤 걸리고, "
              "오래된 노트북에서는 한 시간까지 걸릴 수 "
              "있습니다."},
        {118, "회사는 2019년 3월에 새 규정을 시행하였다. 이 "
              "규정에 따르면 출장비는 영수증을 첨부하여 7일 "
              "안에 신청해야 하며, 늦게 신청한 금액은 다음 "
              "분기에 지급된다. 해외 출장의 경우 환율은 "
              "신청일이 아니라 지출일을 기준으로 계산한다. "
              "부서장은 신청 내용을 확인한 뒤 승인하거나 "
              "이유를 적어 돌려보낸다. 승인된 금액은 매월 "
              "25일에 급여 계좌로 입금되고, 그 내역은 사내 "
              "시스템에서 조회할 수 있다."},
        {106, "Set `max_connections = 200` in the file server.conf and restart "
              "the service with `systemctl restart server`. The default of 100 "
              "is enough for most sites; raise it only when the log says \"too "
              "many clients\". Each connection needs about 10 MB of memory, so "
              "200 of them take 2 GB. See section 4.2.1 for the other limits "
              "(open files, locks, workers), and "
              "https://example.org/docs/tuning for the whole list."},
        {110, "API 서버를 실행하려면 먼저 `pip install server` "
              "명령으로 패키지를 설치한 뒤 `server --port 8080` "
              "을 실행합니다. 설정 파일(config.yaml)의 `log_level` "
              "값을 DEBUG로 바꾸면 요청마다 자세한 로그가 "
              "남습니다. HTTP 상태 코드 404는 주소가 "
              "잘못되었다는 뜻이고, 500은 서버 안에서 오류가 "
              "났다는 뜻입니다. 자세한 내용은 "
              "https://example.org/ko/docs 문서를 참고하세요."},
        {106,
         "static int add(struct list *list, const char *name, size_t len)\n"
         "{\n    struct item *item = malloc(sizeof *item + len + 1);\n\n    "
         "if (item == NULL)\n        return -1;\n    memcpy(item->name, "
         "name, len);\n    item->name[len] = '\\0';\n    item->next = "
         "list->first;\n    list->first = item;\n    list->count++;\n    "
         "return 0;\n"
         "}\n"}};

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        uint32_t got = rag_chunk_tokens(rag_str_of(samples[i].text));

        if (got * 100 < samples[i].n_tokens * 80 ||
            got * 100 > samples[i].n_tokens * 120)
            fail_msg("sample %zu: %u tokens, the tokenizer says %u", i, got,
                     samples[i].n_tokens);
    }
    assert_int_equal(rag_chunk_tokens(rag_str_n(NULL, 0)), 0);
    /* decomposed Hangul counts as composed */
    assert_int_equal(
        rag_chunk_tokens(rag_str_of("한글")),
        rag_chunk_tokens(rag_str_of("\u1112\u1161\u11AB\u1100\u1173\u11AF")));
}

/* ---- what must always hold ---- */

static rag_chunks *chunk(made_doc *m)
{
    rag_chunks *c;
    rag_error err;
    const char *wrong;

    OK(rag_chunk_doc(&c, &m->doc, NULL, &err), &err);
    wrong = made_wrong(&m->doc, c);
    if (wrong != NULL)
        fail_msg("%s", wrong);
    return c;
}

static void sizes_are_in_range(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        rag_buf b;
        made_doc *m;
        rag_chunks *c;
        size_t n_good = 0;

        rag_buf_init(&b, 1 << 24);
        add_text(&b, 300000, k & 1, false);
        m = made_new(rag_buf_str(&b), k & 2 ? RAG_DOC_MARKDOWN : RAG_DOC_TEXT,
                     k & 2);
        c = chunk(m);
        for (size_t i = 0; i < c->n_chunks; i++) {
            uint32_t n = c->chunks[i].n_tokens;

            assert_in_range(n, 150, 441);
            n_good += n >= 250 && n <= 400;
        }
        assert_true(n_good * 100 >= c->n_chunks * 75);
        rag_chunks_free(c);
        made_free(m);
        rag_buf_dispose(&b);
    }
}

static void boundaries_keep_sentences_whole(void **state)
{
    rag_buf b;
    made_doc *m;
    rag_chunks *c;

    (void)state;
    rag_buf_init(&b, 1 << 24);
    add_text(&b, 200000, true, false);
    add_text(&b, 400000, false, false);
    m = made_new(rag_buf_str(&b), RAG_DOC_TEXT, false);
    c = chunk(m);
    assert_true(c->n_chunks > 100);
    for (size_t i = 0; i < c->n_chunks; i++) {
        assert_int_equal(b.ptr[c->chunks[i].end - 1], '.');
        if (c->chunks[i].start != 0) {
            assert_true(b.ptr[c->chunks[i].start - 1] == ' ' ||
                        b.ptr[c->chunks[i].start - 1] == '\n');
            /* overlap is one sentence at most */
            assert_true(i == 0 ||
                        c->chunks[i - 1].end < c->chunks[i].start + 400);
        }
    }
    rag_chunks_free(c);
    made_free(m);
    rag_buf_dispose(&b);
}

/* ---- structure ---- */

static void tables_and_code_are_cut_at_lines(void **state)
{
    rag_buf b;
    made_doc *m;
    rag_chunks *c;
    size_t n_context = 0;

    (void)state;
    rag_buf_init(&b, 1 << 24);
    rag_buf_addz(&b, "# Ports\n\nAll of them:\n\n| port | what for |\n");
    for (unsigned i = 0; i < 300; i++)
        rag_buf_addf(&b, "| %u | The service number %u. It listens. |\n", i,
                     i * 7);
    rag_buf_addz(&b, "\n```c\n");
    for (unsigned i = 0; i < 300; i++)
        rag_buf_addf(&b, "    call_number(%u); /* Old. New. */\n", i);
    rag_buf_addz(&b, "```\n");
    m = made_new(rag_buf_str(&b), RAG_DOC_MARKDOWN, true);
    c = chunk(m);
    assert_true(c->n_chunks > 10);
    for (size_t i = 0; i < c->n_chunks; i++) {
        const rag_chunk *k = &c->chunks[i];
        rag_str body = rag_str_n(b.ptr + k->start, k->end - k->start);

        /* whole lines */
        assert_true(k->start == 0 || strchr("\n ", b.ptr[k->start - 1]));
        assert_true(b.ptr[k->end] == '\n' || b.ptr[k->end] == '\0');
        assert_int_equal(k->section, 0);
        if (body.ptr[0] == '|' && !rag_str_starts(body, "| port")) {
            rag_buf in;

            n_context++;
            rag_buf_init(&in, 1 << 20);
            made_input(&in, &m->doc, c, i);
            assert_memory_equal(in.ptr, "Ports\n| port | what for |\n| ", 28);
            rag_buf_dispose(&in);
        }
    }
    assert_true(n_context > 5);
    rag_chunks_free(c);
    made_free(m);
    rag_buf_dispose(&b);
}

static void rows_of_records_carry_their_names(void **state)
{
    static const char csv[] = "name;price;note\n"
                              "bolt;0,20;\"steel; \"\"M4\"\"\"\n"
                              "nut;;\n";
    made_doc m = {.doc = {.type = RAG_DOC_CSV, .text_len = sizeof csv - 1}};
    rag_block blocks[] = {
        {.start = 0, .end = 15, .kind = RAG_BLOCK_TABLE_HEAD, .head = ~0u},
        {.start = 16, .end = 43, .kind = RAG_BLOCK_TABLE_ROW, .head = 0},
        {.start = 44, .end = 49, .kind = RAG_BLOCK_TABLE_ROW, .head = 0}};
    rag_chunks *c;
    rag_buf b;

    (void)state;
    m.doc.text = rag_strndup(csv, sizeof csv - 1);
    m.doc.blocks = blocks;
    m.doc.n_blocks = 3;
    c = chunk(&m);
    assert_int_equal(c->n_chunks, 1);
    assert_int_equal(c->chunks[0].start, 16);
    assert_int_equal(c->chunks[0].context_end, 15);
    rag_buf_init(&b, 1000);
    made_input(&b, &m.doc, c, 0);
    assert_string_equal(
        b.ptr, "name: bolt; price: 0,20; note: steel; \"M4\"\nname: nut");
    rag_buf_dispose(&b);
    rag_chunks_free(c);
    rag_free(m.doc.text);
}

static void breadcrumb_joins_title_and_headings(void **state)
{
    rag_str path[] = {RAG_STR_LIT("Guide"), RAG_STR_LIT("Net\n work"),
                      RAG_STR_LIT("")};
    rag_chunk_parts p = {.title = RAG_STR_LIT("Guide"),
                         .headings = path,
                         .n_headings = 3,
                         .body = RAG_STR_LIT("text")};
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 10000);
    rag_chunk_input(&b, &p);
    assert_string_equal(b.ptr, "Guide > Net work\ntext");
    rag_buf_clear(&b);
    p.title = RAG_STR_LIT("Manual");
    rag_chunk_input(&b, &p);
    assert_string_equal(b.ptr, "Manual > Guide > Net work\ntext");
    rag_buf_clear(&b);
    p.n_headings = 0;
    p.title = RAG_STR_LIT("");
    rag_chunk_input(&b, &p);
    assert_string_equal(b.ptr, "text");
    rag_buf_dispose(&b);
}

static void small_sections_stay_with_their_siblings(void **state)
{
    rag_buf b;
    made_doc *m;
    rag_chunks *c;

    (void)state;
    rag_buf_init(&b, 1 << 20);
    rag_buf_addz(&b, "---\ntitle: x\n---\n# Book\n\n");
    for (unsigned i = 0; i < 40; i++) {
        rag_buf_addf(&b, "## Entry %u\n\n", i);
        add_sentence(&b, false);
        rag_buf_addz(&b, "\n\n");
    }
    rag_buf_addz(&b, "# Other book\n\n## Long\n\n");
    add_text(&b, b.len + 4000, false, false);
    m = made_new(rag_buf_str(&b), RAG_DOC_MARKDOWN, true);
    c = chunk(m);
    assert_int_equal(c->n_sections, 43);
    assert_int_equal(c->chunks[0].start, 17); /* front matter is no text */
    for (size_t i = 0; i < c->n_chunks; i++) {
        const rag_section *s = &c->sections[c->chunks[i].section];
        bool first = c->chunks[i].start < c->sections[41].start;

        assert_true(c->chunks[i].section != UINT32_MAX);
        assert_true(rag_str_eqz(s->heading, first ? "Book" : "Long"));
        /* a chunk of small sections begins with a heading */
        assert_true(!first || b.ptr[c->chunks[i].start] == '#');
        assert_true(!first || c->chunks[i].n_tokens >= 90);
    }
    rag_chunks_free(c);
    made_free(m);
    rag_buf_dispose(&b);
}

/* ---- boundaries come back after an edit ---- */

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The hashes of all inputs, sorted; the caller frees them. */
static uint64_t *inputs_of(size_t *n, rag_str text, bool blocks)
{
    made_doc *m =
        made_new(text, blocks ? RAG_DOC_MARKDOWN : RAG_DOC_TEXT, blocks);
    rag_chunks *c;
    uint64_t *all;
    rag_error err;
    rag_buf in;

    OK(rag_chunk_doc(&c, &m->doc, NULL, &err), &err);
    all = rag_calloc(c->n_chunks + 1, sizeof *all);
    rag_buf_init(&in, 1 << 20);
    for (size_t i = 0; i < c->n_chunks; i++) {
        rag_buf_clear(&in);
        made_input(&in, &m->doc, c, i);
        all[i] = rag_hash_fast(in.ptr, in.len);
    }
    *n = c->n_chunks;
    qsort(all, *n, sizeof *all, by_value);
    rag_buf_dispose(&in);
    rag_chunks_free(c);
    made_free(m);
    return all;
}

static size_t count_new(const uint64_t *was, size_t n_was, const uint64_t *is,
                        size_t n_is)
{
    size_t n = 0;
    size_t k = 0;

    for (size_t i = 0; i < n_is; i++) {
        while (k < n_was && was[k] < is[i])
            k++;
        n += (k == n_was || was[k] != is[i]) && (i == 0 || is[i] != is[i - 1]);
    }
    return n;
}

/* One line of running text is inserted, taken out or changed. */
static void edit(rag_buf *to, rag_str text, bool korean)
{
    size_t at;
    size_t end;
    uint32_t how = rnd(3);

    do { /* a line's begin, of running text */
        at = rnd((uint32_t)text.len);
        while (at != 0 && text.ptr[at - 1] != '\n')
            at--;
        end = at + rag_str_find_char(rag_str_cut(text, at, text.len), '\n');
    } while (text.ptr[at] == '#' || text.ptr[at] == '\n');
    rag_buf_clear(to);
    rag_buf_add(to, text.ptr, at);
    if (how == 0) {
        add_sentence(to, korean);
        rag_buf_addz(to, "\n");
        rag_buf_adds(to, rag_str_cut(text, at, text.len));
    } else if (how == 1) {
        rag_buf_adds(to, rag_str_cut(text, end + 1, text.len));
    } else {
        rag_buf_addz(to, "Changed ");
        rag_buf_adds(to, rag_str_cut(text, at, end));
        rag_buf_addz(to, " today.");
        rag_buf_adds(to, rag_str_cut(text, end, text.len));
    }
}

static void a_line_costs_six_chunks_at_most(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        bool korean = k & 1;
        bool blocks = k & 2;
        rag_buf b;
        rag_buf changed;
        uint64_t *was;
        size_t n_was;
        size_t sum = 0;

        seed = 20 + (uint32_t)k;
        rag_buf_init(&b, 1 << 24);
        rag_buf_init(&changed, 1 << 24);
        add_text(&b, korean ? 1500000 : 1260000, korean, blocks);
        was = inputs_of(&n_was, rag_buf_str(&b), blocks);
        assert_in_range(n_was, 900, 1300);
        for (int i = 0; i < 60; i++) {
            uint64_t *is;
            size_t n_is;
            size_t n;

            edit(&changed, rag_buf_str(&b), korean);
            is = inputs_of(&n_is, rag_buf_str(&changed), blocks);
            n = count_new(was, n_was, is, n_is);
            sum += n;
            if (n > 6)
                fail_msg("document %d, edit %d: %zu new chunks", k, i, n);
            rag_free(is);
        }
        assert_in_range(sum, 30, 150); /* two and a half on average */
        rag_free(was);
        rag_buf_dispose(&b);
        rag_buf_dispose(&changed);
    }
}

static void a_heading_costs_its_own_chunks(void **state)
{
    rag_buf b;
    rag_buf changed;
    size_t n_was;
    uint64_t *was;
    made_doc *m;
    rag_chunks *c;

    (void)state;
    seed = 5;
    rag_buf_init(&b, 1 << 24);
    rag_buf_init(&changed, 1 << 24);
    add_text(&b, 400000, false, true);
    was = inputs_of(&n_was, rag_buf_str(&b), true);
    m = made_new(rag_buf_str(&b), RAG_DOC_MARKDOWN, true);
    c = chunk(m);
    assert_true(c->n_sections > 10);
    for (uint32_t s = 0; s < c->n_sections; s++) {
        size_t at = c->sections[s].start;
        size_t under = 0;
        size_t n_is;
        uint64_t *is;

        for (size_t i = 0; i < c->n_chunks; i++)
            under += c->chunks[i].start < c->sections[s].end &&
                     c->chunks[i].end > at;
        rag_buf_clear(&changed);
        rag_buf_add(&changed, b.ptr, at);
        rag_buf_addz(&changed, c->sections[s].level == 2 ? "##" : "###");
        rag_buf_addz(&changed, " A heading with other words, and more of them");
        at += rag_str_find_char(rag_str_cut(rag_buf_str(&b), at, b.len), '\n');
        rag_buf_adds(&changed, rag_str_cut(rag_buf_str(&b), at, b.len));
        is = inputs_of(&n_is, rag_buf_str(&changed), true);
        assert_int_equal(n_is, n_was);
        assert_in_range(count_new(was, n_was, is, n_is), 1, under);
        rag_free(is);
    }
    rag_chunks_free(c);
    made_free(m);
    rag_free(was);
    rag_buf_dispose(&b);
    rag_buf_dispose(&changed);
}

/* ---- hostile text ---- */

static void survives(rag_buf *b, bool blocks, uint32_t most_tokens)
{
    made_doc *m;
    rag_chunks *c;

    assert_int_equal(b->failed, RAG_OK);
    m = made_new(rag_buf_str(b), blocks ? RAG_DOC_MARKDOWN : RAG_DOC_TEXT,
                 blocks);
    c = chunk(m);
    for (size_t i = 0; i < c->n_chunks; i++)
        if (c->chunks[i].n_tokens > most_tokens)
            fail_msg("chunk %zu of %zu: %u tokens", i, c->n_chunks,
                     c->chunks[i].n_tokens);
    rag_chunks_free(c);
    made_free(m);
    rag_buf_clear(b);
}

static void repeat(rag_buf *b, size_t n, const char *text)
{
    for (size_t i = 0; i < n; i++)
        rag_buf_addz(b, text);
}

static void hostile_texts_are_cut_too(void **state)
{
    rag_buf b;

    (void)state;
    rag_buf_init(&b, 1 << 24);
    survives(&b, false, 0);
    rag_buf_addz(&b, "\xEF\xBB\xBF \n\t ");
    survives(&b, false, 0);
    rag_buf_addz(&b, "\n\u0301x \u0301y");
    survives(&b, false, 500);
    repeat(&b, 1 << 20, "a");
    survives(&b, false, 520);
    repeat(&b, 200000, "word ");
    survives(&b, false, 520);
    repeat(&b, 200000, "한국어");
    survives(&b, false, 520);
    for (int i = 0; i < 100000; i++) /* no spaces, no full stops */
        rag_buf_addf(&b, "%c%c", 'a' + (int)rnd(26), '0' + (int)rnd(10));
    survives(&b, true, 520);
    repeat(&b, 60000, "\u1112\u1161\u11AB"); /* NFD */
    survives(&b, false, 520);
    repeat(&b, 20000,
           "\U0001F469\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466");
    survives(&b, false, 520);
    repeat(&b, 20000, "\U0001F1F0\U0001F1F7");
    survives(&b, false, 520);
    for (int i = 0; i < 200; i++) { /* zalgo */
        rag_buf_addz(&b, "z");
        repeat(&b, 500, "\u0300\u0323");
    }
    survives(&b, false, UINT32_MAX);
    repeat(&b, 300000, "a\n");
    survives(&b, false, 520);
    repeat(&b, 300000, ".\n");
    survives(&b, false, 520);
    repeat(&b, 100000, "# h\n\n");
    survives(&b, true, 520);
    for (int i = 0; i < 20000; i++)
        rag_buf_addf(&b, "%.*s h\n\nx\n\n", 1 + i % 6, "######");
    survives(&b, true, 700);
    rag_buf_addz(&b, "# ");
    repeat(&b, 100000, "long heading ");
    survives(&b, true, 520);
    rag_buf_addz(&b, "| h |\n| ");
    repeat(&b, 100000, "cell ");
    survives(&b, true, 520);
    rag_buf_dispose(&b);
}

static rag_status chunk_once(const rag_doc *d)
{
    rag_chunks *c;
    rag_error err;
    rag_status st = rag_chunk_doc(&c, d, NULL, &err);

    rag_chunks_free(c);
    return st;
}

static void memory_may_run_out_anywhere(void **state)
{
    rag_buf b;
    made_doc *m;

    (void)state;
    rag_buf_init(&b, 1 << 20);
    add_text(&b, 20000, false, true);
    m = made_new(rag_buf_str(&b), RAG_DOC_MARKDOWN, true);
    CHECK_OOM(chunk_once(&m->doc));
    made_free(m);
    rag_buf_dispose(&b);
}

/* A model that reads 700 bytes, headings and table header counted. */
static bool fits_700(void *ctx, const struct rag_chunk_parts *parts)
{
    rag_buf b;
    bool yes;

    (*(size_t *)ctx)++;
    rag_buf_init(&b, 1 << 20);
    rag_chunk_input(&b, parts);
    yes = b.failed == RAG_OK && b.len <= 700;
    rag_buf_dispose(&b);
    return yes;
}

/* What the model does not read at once is halved, and nothing else changes:
 * the same text is covered, graphemes stay whole, rows keep their header. */
static void what_does_not_fit_is_halved(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        size_t n_asked = 0;
        rag_chunk_opts o = {0, 0, fits_700, &n_asked};
        rag_chunks *plain;
        rag_chunks *c;
        made_doc *m;
        size_t covered = 0;
        rag_error err;
        rag_buf b;

        rag_buf_init(&b, 1 << 24);
        add_text(&b, 60000, k & 1, false);
        if (k & 2) { /* no place to cut at but between graphemes */
            rag_buf_clear(&b);
            for (int i = 0; i < 3000; i++)
                rag_buf_addz(&b, "\xE1\x84\x80\xE1\x85\xA1\xE1\x86\xA8");
        }
        m = made_new(rag_buf_str(&b), RAG_DOC_TEXT, false);
        plain = chunk(m);
        OK(rag_chunk_doc(&c, &m->doc, &o, &err), &err);
        assert_true(c->n_chunks > plain->n_chunks);
        assert_true(n_asked >= c->n_chunks);
        for (size_t i = 0; i < c->n_chunks; i++) {
            rag_str all = {m->doc.text, m->doc.text_len};
            const rag_chunk *x = &c->chunks[i];

            assert_true(x->end > x->start && x->end - x->start <= 700);
            assert_true(i == 0 || x->start > c->chunks[i - 1].start);
            assert_true(rag_utf8_is_grapheme_break(all, x->start));
            assert_true(rag_utf8_is_grapheme_break(all, x->end));
            for (size_t at = covered; at < x->start; at++)
                assert_true(m->doc.text[at] == ' ' || m->doc.text[at] == '\n');
            covered = x->end;
        }
        assert_true(covered + 2 >= m->doc.text_len);
        rag_chunks_free(plain);
        rag_chunks_free(c);
        made_free(m);
        rag_buf_dispose(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimate_is_near_the_tokenizer),
        cmocka_unit_test(sizes_are_in_range),
        cmocka_unit_test(boundaries_keep_sentences_whole),
        cmocka_unit_test(tables_and_code_are_cut_at_lines),
        cmocka_unit_test(rows_of_records_carry_their_names),
        cmocka_unit_test(breadcrumb_joins_title_and_headings),
        cmocka_unit_test(small_sections_stay_with_their_siblings),
        cmocka_unit_test(a_line_costs_six_chunks_at_most),
        cmocka_unit_test(a_heading_costs_its_own_chunks),
        cmocka_unit_test(hostile_texts_are_cut_too),
        cmocka_unit_test(what_does_not_fit_is_halved),
        cmocka_unit_test(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
