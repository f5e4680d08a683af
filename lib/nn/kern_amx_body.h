/*
 * The product on tiles of 16 x 64 bytes. Written against six operations that
 * the including file defines before: kern_amx.c by the instructions, t_kern_amx
 * by a model of them in plain C, so that this code is tested where no AMX is.
 *
 *   tile_config(c)          shapes of the tiles; all become zero
 *   tile_zero(t)
 *   tile_load(t, from, stride)  tile_store(t, to, stride)
 *   tile_dot(c, a, b)       c += a b, signed bytes
 *   tile_release()
 *   tile_ask(p)             the line at p will be wanted
 *
 * A panel's [n_quads][32][4] is what the instruction wants of its second
 * operand: row k holds four inputs of 16 outputs, twice.
 *
 * Setting shapes clears all eight tiles and is no instruction for inner loops.
 * So a product sets them at most once: what is left of rows or inputs behind
 * whole tiles is taken as a whole tile that begins earlier, its rows computed
 * anew, its inputs of weight 0. And the shapes stay for the next product of the
 * thread, until gemm_end().
 */

#define TILE_ROWS ((size_t)16)
/* quads that a row of a tile holds */
#define TILE_QUADS ((size_t)16)
/* bytes of a panel's row, of one tile's part of it */
#define W_ROW ((size_t)RAG_KERN_PANEL * RAG_KERN_QUAD)
#define W_TILE (W_ROW / 2)

/* Sums of both halves of two blocks of rows, those rows, the weights. */
#define C00 0
#define C01 1
#define C10 2
#define C11 3
#define A0 4
#define A1 5
#define B0 6
#define B1 7

typedef struct tile_shapes {
    uint8_t palette;
    uint8_t start_row;
    uint8_t zero[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tile_shapes;

/* rows of both blocks and quads as the tiles of this thread are shaped; all 0:
 * they are not. For one thread: no signal handler may use gemm. */
typedef struct tile_shape {
    size_t r0;
    size_t r1;
    size_t n_quads;
} tile_shape;

static _Thread_local tile_shape shaped;

static void shape(size_t r0, size_t r1, size_t n_quads)
{
    tile_shapes s = {.palette = 1};

    if (shaped.r0 == r0 && shaped.r1 == r1 && shaped.n_quads == n_quads)
        return;
    for (size_t t = 0; t < 8; t++) {
        bool is_weights = t >= B0;
        bool is_row = t == A0 || t == A1;

        s.row_bytes[t] = (uint16_t)(is_row ? n_quads * RAG_KERN_QUAD : W_TILE);
        s.rows[t] = (uint8_t)(is_weights                        ? n_quads
                              : t == C00 || t == C01 || t == A0 ? r0
                                                                : r1);
    }
    tile_config(&s);
    shaped = (tile_shape){r0, r1, n_quads};
}

static void gemm_end(void)
{
    if (shaped.n_quads == 0)
        return;
    shaped = (tile_shape){0, 0, 0};
    tile_release();
}

/* What a product works on. */
typedef struct tile_job {
    int32_t *acc;
    const int8_t *a;
    size_t a_stride;
    const int8_t *w;
    const int8_t *w_rest; /* the weights of the last, earlier tile, or NULL */
    size_t n_quads;
} tile_job;

/* One step: a0 and a1 by the tile's quads of weights. */
static void step_2(const int8_t *a0, const int8_t *a1, size_t a_stride,
                   const int8_t *w)
{
    tile_load(B0, w, W_ROW);
    tile_load(A0, a0, a_stride);
    tile_dot(C00, A0, B0);
    tile_load(B1, w + W_TILE, W_ROW);
    tile_dot(C01, A0, B1);
    tile_load(A1, a1, a_stride);
    tile_dot(C10, A1, B0);
    tile_dot(C11, A1, B1);
}

static void step_1(const int8_t *a0, size_t a_stride, const int8_t *w)
{
    tile_load(B0, w, W_ROW);
    tile_load(A0, a0, a_stride);
    tile_dot(C00, A0, B0);
    tile_load(B1, w + W_TILE, W_ROW);
    tile_dot(C01, A0, B1);
}

/* The panel behind this one comes from afar: asks for a step's part of it. */
static void ask_for_next(const tile_job *j, size_t k)
{
    const int8_t *next = j->w + (j->n_quads + k) * W_ROW;

    for (size_t i = 0; i < TILE_QUADS * W_ROW; i += 64)
        tile_ask(next + i);
}

static void store(int32_t *acc, int at)
{
    size_t stride = RAG_KERN_PANEL * sizeof *acc;

    if (at == 0) {
        tile_store(C00, acc, stride);
        tile_store(C01, acc + RAG_KERN_PANEL / 2, stride);
    } else {
        tile_store(C10, acc, stride);
        tile_store(C11, acc + RAG_KERN_PANEL / 2, stride);
    }
}

/* Two blocks of rows, from r0 and from r1. */
static void rows_2(const tile_job *j, size_t r0, size_t r1, bool is_first)
{
    const int8_t *a0 = j->a + r0 * j->a_stride;
    const int8_t *a1 = j->a + r1 * j->a_stride;
    size_t k = 0;

    tile_zero(C00);
    tile_zero(C01);
    tile_zero(C10);
    tile_zero(C11);
    for (; k + TILE_QUADS <= j->n_quads; k += TILE_QUADS) {
        if (is_first)
            ask_for_next(j, k);
        step_2(a0 + k * RAG_KERN_QUAD, a1 + k * RAG_KERN_QUAD, j->a_stride,
               j->w + k * W_ROW);
    }
    if (k != j->n_quads) {
        k = j->w_rest != NULL ? j->n_quads - TILE_QUADS : 0;
        step_2(a0 + k * RAG_KERN_QUAD, a1 + k * RAG_KERN_QUAD, j->a_stride,
               j->w_rest != NULL ? j->w_rest : j->w);
    }
    store(j->acc + r0 * RAG_KERN_PANEL, 0);
    store(j->acc + r1 * RAG_KERN_PANEL, 1);
}

/* One block of rows, from r0. */
static void rows_1(const tile_job *j, size_t r0, bool is_first)
{
    const int8_t *a0 = j->a + r0 * j->a_stride;
    size_t k = 0;

    tile_zero(C00);
    tile_zero(C01);
    for (; k + TILE_QUADS <= j->n_quads; k += TILE_QUADS) {
        if (is_first)
            ask_for_next(j, k);
        step_1(a0 + k * RAG_KERN_QUAD, j->a_stride, j->w + k * W_ROW);
    }
    if (k != j->n_quads) {
        k = j->w_rest != NULL ? j->n_quads - TILE_QUADS : 0;
        step_1(a0 + k * RAG_KERN_QUAD, j->a_stride,
               j->w_rest != NULL ? j->w_rest : j->w);
    }
    store(j->acc + r0 * RAG_KERN_PANEL, 0);
}

/* Fewer rows than two blocks: shapes that fit them. */
static void few_rows(const tile_job *j, size_t n_rows, size_t n_quads)
{
    size_t r0 = n_rows < TILE_ROWS ? n_rows : TILE_ROWS;
    size_t r1 = n_rows - r0;

    /* a block that is not there still needs a valid shape */
    shape(r0, r1 != 0 ? r1 : 1, n_quads);
    if (r1 != 0)
        rows_2(j, 0, r0, true);
    else
        rows_1(j, 0, true);
}

static void many_rows(const tile_job *j, size_t n_rows, size_t n_quads)
{
    size_t r = 0;

    shape(TILE_ROWS, TILE_ROWS, n_quads);
    for (; r + 2 * TILE_ROWS <= n_rows; r += 2 * TILE_ROWS)
        rows_2(j, r, r + TILE_ROWS, r == 0);
    if (n_rows - r > TILE_ROWS)
        rows_2(j, n_rows - 2 * TILE_ROWS, n_rows - TILE_ROWS, false);
    else if (n_rows != r)
        rows_1(j, n_rows - TILE_ROWS, false);
}

static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                 const int32_t *a_sum, size_t n_rows, const int8_t *w,
                 size_t n_quads)
{
    _Alignas(64) int8_t w_rest[TILE_QUADS * RAG_KERN_PANEL * RAG_KERN_QUAD];
    size_t n = n_quads % TILE_QUADS;
    tile_job j = {acc, a, a_stride, w, NULL, n_quads};

    (void)a_sum; /* the tiles multiply signed by signed */
    if (n_rows == 0)
        return;
    if (n_quads == 0) {
        memset(acc, 0, n_rows * RAG_KERN_PANEL * sizeof *acc);
        return;
    }
    if (n != 0 && n_quads > TILE_QUADS) {
        memset(w_rest, 0, (TILE_QUADS - n) * W_ROW);
        memcpy(w_rest + (TILE_QUADS - n) * W_ROW, w + (n_quads - n) * W_ROW,
               n * W_ROW);
        j.w_rest = w_rest;
    }
    if (n_quads > TILE_QUADS)
        n_quads = TILE_QUADS;
    if (n_rows < 2 * TILE_ROWS)
        few_rows(&j, n_rows, n_quads);
    else
        many_rows(&j, n_rows, n_quads);
}
