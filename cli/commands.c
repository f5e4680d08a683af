#include "cmd.h"

extern const cmd cmd_ask;
extern const cmd cmd_ingest;
extern const cmd cmd_search;

const cmd *const commands[] = {
    &cmd_ingest,
    &cmd_ask,
    &cmd_search,
};
const size_t n_commands = sizeof commands / sizeof *commands;
