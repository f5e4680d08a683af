/*
 * The first process of the machine that amx_emulated.py makes: runs the lines
 * of /list one by one and says how each ended, then restarts the machine,
 * which ends the emulator.
 *
 * A line: [NAME=VALUE ...] PROGRAM [ARGUMENT ...] [<FILE]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MOST_WORDS 32

static void run(char *line)
{
    char *args[MOST_WORDS + 1] = {NULL};
    size_t n = 0;

    for (char *w = strtok(line, " \n"); w != NULL; w = strtok(NULL, " \n")) {
        if (w[0] == '<') {
            int in = open(w + 1, O_RDONLY);

            if (in < 0 || dup2(in, 0) < 0)
                _exit(126);
        } else if (n == 0 && strchr(w, '=') != NULL) {
            if (putenv(w) != 0)
                _exit(126);
        } else if (n < MOST_WORDS) {
            args[n++] = w;
        }
    }
    if (n != 0)
        execv(args[0], args);
    _exit(127);
}

int main(void)
{
    char line[512];
    char copy[512];
    FILE *list = fopen("/list", "r");

    (void)mount("proc", "/proc", "proc", 0, NULL);
    while (list != NULL && fgets(line, sizeof line, list) != NULL) {
        int status = 0;
        pid_t child;

        memcpy(copy, line, sizeof copy);
        copy[strcspn(copy, "\n")] = '\0';
        printf("run: %s\n", copy);
        (void)fflush(stdout);
        child = fork();
        if (child == 0)
            run(line);
        if (child < 0 || waitpid(child, &status, 0) < 0)
            status = -1;
        printf("end: %s: %s %d\n", copy, WIFEXITED(status) ? "exit" : "signal",
               WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
        (void)fflush(stdout);
    }
    printf("all run\n");
    (void)fflush(stdout);
    (void)tcdrain(1);
    (void)sleep(1);
    (void)reboot(RB_AUTOBOOT);
    return 1;
}
