#ifndef RAG_TESTS_TEST_H
#define RAG_TESTS_TEST_H

/* What every cmocka test needs, in the order that cmocka wants. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/status.h"

/* An rag_status that must be RAG_OK; shows the message when it is not. */
#define OK(call, err)                                                          \
    do {                                                                       \
        rag_status ok_ = (call);                                               \
        if (ok_ != RAG_OK)                                                     \
            fail_msg("%s: %s: %s", #call, rag_status_name(ok_), (err)->msg);   \
    } while (0)

/* Runs the call again and again, failing the 1st, 2nd, 3rd ... allocation,
 * until it returns RAG_OK; every failure must be RAG_E_NOMEM and leak nothing.
 */
#define CHECK_OOM(call)                                                        \
    do {                                                                       \
        size_t live0_ = rag_mem_live();                                        \
        for (size_t k_ = 1;; k_++) {                                           \
            rag_status st_;                                                    \
            rag_mem_fail_at(k_);                                               \
            st_ = (call);                                                      \
            rag_mem_fail_at(0);                                                \
            assert_int_equal(rag_mem_live(), live0_);                          \
            if (st_ == RAG_OK)                                                 \
                break;                                                         \
            assert_int_equal(st_, RAG_E_NOMEM);                                \
        }                                                                      \
    } while (0)

#endif /* RAG_TESTS_TEST_H */
