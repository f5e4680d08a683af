#ifndef RANDOM_PAIRS_H
#define RANDOM_PAIRS_H

/* Random texts (nn_random.h), alone and in pairs, for models of any kind. */
#include "nn_random.h"

static char rooms[2 * RANDOM_TEXTS][RANDOM_TEXT_BYTES];
static rag_str first[RANDOM_TEXTS];
static rag_str second[RANDOM_TEXTS]; /* of the pairs */

/* A group's setup: writes the texts. */
static inline int random_pairs(void **state)
{
    (void)state;
    for (unsigned j = 0; j < RANDOM_TEXTS; j++) {
        unsigned other = RANDOM_TEXTS + (j * 4 + 3) % RANDOM_TEXTS;

        first[j] = random_text(rooms[j], j);
        second[j] = random_text(rooms[RANDOM_TEXTS + j], other);
    }
    return 0;
}

#endif
