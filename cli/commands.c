#include "cmd.h"

extern const cmd cmd_ask;
extern const cmd cmd_config;
extern const cmd cmd_doctor;
extern const cmd cmd_embed;
extern const cmd cmd_eval;
extern const cmd cmd_help_command;
extern const cmd cmd_ingest;
extern const cmd cmd_ls;
extern const cmd cmd_model;
extern const cmd cmd_rm;
extern const cmd cmd_search;
extern const cmd cmd_show;
extern const cmd cmd_status;
extern const cmd cmd_version;

/* in the order that the help shows them */
const cmd *const commands[] = {
    &cmd_ingest, &cmd_ask,    &cmd_search,  &cmd_ls,           &cmd_show,
    &cmd_rm,     &cmd_status, &cmd_doctor,  &cmd_eval,         &cmd_model,
    &cmd_config, &cmd_embed,  &cmd_version, &cmd_help_command,
};
const size_t n_commands = sizeof commands / sizeof *commands;
