// A hundred sessions, each begun, fed and ended in one of the ways there are: finished, cancelled, freed while it runs.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "earwitness.h"

static int ended;

static void on_event(const EwEvent *event, void *user) {
    (void)user;
    if (event->kind == EW_EVENT_KIND_ENDED) ended++;
}

static void must(EwStatus status, const char *what) {
    if (status != EW_STATUS_OK) {
        fprintf(stderr, "%s: %s\n", what, ew_last_error());
        exit(1);
    }
}

static void *canceller(void *session) {
    ew_session_cancel(*(EwSession *)session);
    return NULL;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    EwOptions options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.model_folder = arguments[1];
    options.profile_toml = "[vad]\ndetector = \"energy\"";
    EwRuntime runtime;
    must(ew_runtime_open(&options, &runtime), "open");
    static int16_t speech[16000 * 2];
    FILE *file = fopen(arguments[2], "rb");
    size_t samples = file ? fread(speech, 2, sizeof speech / 2, file) : 0;
    if (!samples) return 3;
    fclose(file);
    for (int cycle = 0; cycle < 100; cycle++) {
        EwSession session;
        int polls = cycle % 2;
        must(ew_session_start(runtime, 16000, 1, 1, polls ? NULL : on_event, NULL, &session), "start");
        size_t lost;
        // Of the first only one is heard to its end: under valgrind a recognition takes long.
        size_t pushed = cycle == 0 ? samples : 1600;
        must(ew_session_push_i16(session, speech, pushed, &lost), "push");
        pthread_t thread;
        switch (cycle % 4) {
        case 0:
            must(ew_session_finish(session), "finish");
            break;
        case 1:
            ew_session_cancel(session);
            break;
        case 2:
            pthread_create(&thread, NULL, canceller, &session);
            ew_session_finish(session);
            pthread_join(thread, NULL);
            break;
        default:
            break;
        }
        must(ew_session_free(session), "free");
    }
    must(ew_runtime_close(runtime, 0), "close");
    if (ended != 50) {
        fprintf(stderr, "%d of 50 callbacks heard of the end\n", ended);
        return 4;
    }
    return 0;
}
