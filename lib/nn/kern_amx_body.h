/*
 * The product on tiles of 16 x 64 bytes. Written against five operations that
 * the including file defines before: kern_amx.c by the instructions, t_kern_amx
 * by a model of them in plain C, so that this code is tested where no AMX is.
 *
 *   tile_config(c)          shapes of the tiles; all become zero
 *   tile_load(t, from, stride)  tile_store(t, to, stride)
 *   tile_dot(c, a, b)       c += a b, signed bytes
 *   tile_release()
 *
 * A panel's [n_quads][32][4] is what the instruction wants of its second
 * operand: row k holds four inputs of 16 outputs, twice.
 */

#define TILE_ROWS ((size_t)16)
/* quads that a row of a tile holds */
#define TILE_QUADS ((size_t)16)

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

/* Shapes for blocks of r0 and r1 rows of n_quads. */
static void set_shapes(size_t r0, size_t r1, size_t n_quads)
{
    tile_shapes s = {.palette = 1};

    for (size_t t = 0; t < 8; t++) {
        bool is_weights = t >= B0;
        bool is_row = t == A0 || t == A1;

        s.row_bytes[t] = (uint16_t)(is_row ? n_quads * RAG_KERN_QUAD : 64);
        s.rows[t] = (uint8_t)(is_weights                        ? n_quads
                              : t == C00 || t == C01 || t == A0 ? r0
                                                                : r1);
    }
    tile_config(&s);
}

/* One step of n_quads, as the tiles are shaped. */
static void tile_step(const int8_t *a, size_t a_stride, size_t n_blocks,
                      const int8_t *w)
{
    tile_load(B0, w, RAG_KERN_PANEL * RAG_KERN_QUAD);
    tile_load(B1, w + 64, RAG_KERN_PANEL * RAG_KERN_QUAD);
    tile_load(A0, a, a_stride);
    tile_dot(C00, A0, B0);
    tile_dot(C01, A0, B1);
    if (n_blocks == 2) {
        tile_load(A1, a + TILE_ROWS * a_stride, a_stride);
        tile_dot(C10, A1, B0);
        tile_dot(C11, A1, B1);
    }
}

static void load_sums(const int32_t *acc, size_t n_blocks)
{
    size_t stride = RAG_KERN_PANEL * sizeof *acc;

    tile_load(C00, acc, stride);
    tile_load(C01, acc + 16, stride);
    if (n_blocks == 2) {
        tile_load(C10, acc + TILE_ROWS * RAG_KERN_PANEL, stride);
        tile_load(C11, acc + TILE_ROWS * RAG_KERN_PANEL + 16, stride);
    }
}

static void store_sums(int32_t *acc, size_t n_blocks)
{
    size_t stride = RAG_KERN_PANEL * sizeof *acc;

    tile_store(C00, acc, stride);
    tile_store(C01, acc + 16, stride);
    if (n_blocks == 2) {
        tile_store(C10, acc + TILE_ROWS * RAG_KERN_PANEL, stride);
        tile_store(C11, acc + TILE_ROWS * RAG_KERN_PANEL + 16, stride);
    }
}

/* Up to 32 rows. What is left of n_quads behind whole tiles takes tiles of
 * another shape; setting it clears the sums, so they go by way of acc. */
static void gemm_rows(int32_t *acc, const int8_t *a, size_t a_stride,
                      size_t n_rows, const int8_t *w, size_t n_quads)
{
    size_t r0 = n_rows < TILE_ROWS ? n_rows : TILE_ROWS;
    size_t r1 = n_rows - r0;
    size_t n_blocks = r1 != 0 ? 2 : 1;
    size_t whole = n_quads / TILE_QUADS * TILE_QUADS;

    if (whole != 0) {
        /* a block that is not there still needs a valid shape */
        set_shapes(r0, r1 != 0 ? r1 : 1, TILE_QUADS);
        for (size_t k = 0; k < whole; k += TILE_QUADS)
            tile_step(a + k * RAG_KERN_QUAD, a_stride, n_blocks,
                      w + k * RAG_KERN_PANEL * RAG_KERN_QUAD);
        store_sums(acc, n_blocks);
    }
    if (whole != n_quads) {
        set_shapes(r0, r1 != 0 ? r1 : 1, n_quads - whole);
        if (whole != 0)
            load_sums(acc, n_blocks);
        tile_step(a + whole * RAG_KERN_QUAD, a_stride, n_blocks,
                  w + whole * RAG_KERN_PANEL * RAG_KERN_QUAD);
        store_sums(acc, n_blocks);
    }
}

static void gemm(int32_t *acc, const int8_t *a, size_t a_stride,
                 const int32_t *a_sum, size_t n_rows, const int8_t *w,
                 size_t n_quads)
{
    (void)a_sum; /* the tiles multiply signed by signed */
    if (n_quads == 0) {
        memset(acc, 0, n_rows * RAG_KERN_PANEL * sizeof *acc);
        return;
    }
    while (n_rows != 0) {
        size_t m = n_rows < 2 * TILE_ROWS ? n_rows : 2 * TILE_ROWS;

        gemm_rows(acc, a, a_stride, m, w, n_quads);
        acc += m * RAG_KERN_PANEL;
        a += m * a_stride;
        n_rows -= m;
    }
    tile_release();
}
