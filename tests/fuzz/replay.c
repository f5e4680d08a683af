/* Runs a fuzz target over the files of folders, without libFuzzer: every crash
 * that was ever found is tried again in every build. */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int main(int argc, char **argv)
{
    size_t n_files = 0;

    for (int i = 1; i < argc; i++) {
        DIR *d = opendir(argv[i]);
        struct dirent *e;

        if (d == NULL) {
            fprintf(stderr, "no corpus: %s\n", argv[i]);
            return 1;
        }
        while ((e = readdir(d)) != NULL) {
            char *path;
            rag_buf b;

            if (e->d_name[0] == '.')
                continue;
            path = rag_file_join(argv[i], e->d_name);
            rag_buf_init(&b, (size_t)1 << 26);
            if (path == NULL ||
                rag_file_read(&b, path, (size_t)1 << 25, NULL) != RAG_OK)
                return 1;
            (void)LLVMFuzzerTestOneInput((const uint8_t *)b.ptr, b.len);
            n_files++;
            rag_buf_dispose(&b);
            rag_free(path);
        }
        (void)closedir(d);
    }
    printf("%zu files\n", n_files);
    return n_files != 0 ? 0 : 1;
}
