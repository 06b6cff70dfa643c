// Every way of using the interface wrong that C allows: each is an error, none a crash.

#include <assert.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "earwitness.h"

#undef NDEBUG
#define IS(call, wanted)                                                                         \
    do {                                                                                         \
        EwStatus got = (call);                                                                   \
        if (got != (wanted)) {                                                                   \
            fprintf(stderr, "line %d: %s is %d (%s), not %d\n", __LINE__, #call, got, ew_last_error(), wanted); \
            exit(1);                                                                             \
        }                                                                                        \
        if ((wanted) != EW_STATUS_OK && !*ew_last_error()) {                                      \
            fprintf(stderr, "line %d: %s has no words\n", __LINE__, #call);                      \
            exit(1);                                                                             \
        }                                                                                        \
    } while (0)

// Whoever waits lets others work: under valgrind one thread runs at a time.
static void moment(void) {
    struct timespec moment = {0, 1000000L};
    nanosleep(&moment, NULL);
}

struct Reentrant {
    EwRuntime runtime;
    EwSession session;
    int begun, ended;
    volatile int done;
};

// From within the callback: what would wait for itself is refused, all else works.
static void reentrant(const EwEvent *event, void *user) {
    struct Reentrant *me = user;
    int16_t silence[160] = {0};
    if (event->kind == EW_EVENT_KIND_ENDED) me->ended = 1;
    if (event->kind != EW_EVENT_KIND_SPEECH_STARTED || me->begun++) return;
    while (!*(volatile EwSession *)&me->session) moment();
    IS(ew_session_finish(me->session), EW_STATUS_USAGE);
    EwSession other = 0;
    IS(ew_session_start(me->runtime, 16000, 1, 1, NULL, NULL, &other), EW_STATUS_USAGE);
    IS(ew_session_push_i16(me->session, silence, 160, NULL), EW_STATUS_OK);
    IS(ew_session_feedback(me->session, 0, "accepted", NULL), EW_STATUS_OK);
    IS(ew_session_cancel(me->session), EW_STATUS_OK);
    me->done = 1;
}

static void on_log(int32_t level, const char *line, void *user) {
    (void)user;
    assert(level >= 1 && level <= 2 && *line);
}

enum Busy { SPEAKS, FINISHES, POLLS, PUSHES };

// What the callback uses goes with the session.
struct Mine {
    volatile long told;
    enum Busy busy;
    EwSession session;
};

static void on_event(const EwEvent *event, void *user) {
    struct Mine *mine = user;
    mine->told += (long)strlen(event->json);
    // Freed by its own callback: from then on nothing is told.
    if (mine->busy == SPEAKS && event->kind == EW_EVENT_KIND_SPEECH_STARTED) {
        IS(ew_session_free(mine->session), EW_STATUS_OK);
        free(mine);
    }
}

static void *busy(void *user) {
    struct Mine *mine = user;
    const EwEvent *event = NULL;
    float silence[160] = {0};
    for (;;) {
        EwStatus status = EW_STATUS_OK;
        if (mine->busy == FINISHES) status = ew_session_finish(mine->session);
        if (mine->busy == PUSHES) status = ew_session_push_f32(mine->session, silence, 160, NULL);
        if (mine->busy == POLLS) status = ew_session_poll(mine->session, 60000, &event);
        if (status == EW_STATUS_BAD_HANDLE) break;
        moment();
    }
    assert(mine->busy != POLLS || !event);
    return NULL;
}

// A session is freed while somebody is inside it.
static void free_while(EwRuntime runtime, enum Busy what, const char *speech) {
    for (int turn = 0; turn < 3; turn++) {
        struct Mine *mine = calloc(1, sizeof *mine);
        mine->busy = what;
        EwSession session;
        EwEventCallback callback = what == POLLS ? NULL : on_event;
        static int16_t samples[16000 * 3];
        FILE *file = fopen(speech, "rb");
        size_t count = fread(samples, 2, sizeof samples / 2, file);
        fclose(file);
        EwStatus begun;
        // A session that its own callback freed ends a moment later.
        while ((begun = ew_session_start(runtime, 16000, 1, 1, callback, mine, &session)) == EW_STATUS_USAGE) moment();
        IS(begun, EW_STATUS_OK);
        mine->session = session;
        IS(ew_session_push_i16(session, samples, count, NULL), EW_STATUS_OK);
        if (what == SPEAKS) {
            // Its callback frees it; who comes later finds no session.
            while (ew_session_push_i16(session, samples, 0, NULL) != EW_STATUS_BAD_HANDLE) moment();
            continue;
        }
        pthread_t thread;
        pthread_create(&thread, NULL, busy, mine);
        struct timespec moment = {0, 30000000L * turn};
        nanosleep(&moment, NULL);
        IS(ew_session_free(session), EW_STATUS_OK);
        pthread_join(thread, NULL);
        free(mine);
    }
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    assert(ew_abi_version() == EW_ABI_VERSION && strlen(ew_version()) > 4);
    EwOptions options;
    memset(&options, 0, sizeof options);
    EwRuntime runtime = 0;
    IS(ew_runtime_open(NULL, &runtime), EW_STATUS_BAD_ARGUMENT);
    IS(ew_runtime_open(&options, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_BAD_ARGUMENT);
    IS(ew_enroll(&options, "code", NULL), EW_STATUS_BAD_ARGUMENT);
    // Half an address.
    options.size = offsetof(EwOptions, data_folder) + sizeof(char *) / 2;
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_BAD_ARGUMENT);
    options.size = sizeof options;
    IS(ew_enroll(&options, NULL, NULL), EW_STATUS_BAD_ARGUMENT);
    uint32_t enrolled = 7;
    IS(ew_is_enrolled(&options, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_is_enrolled(&options, &enrolled), EW_STATUS_OK);
    assert(!enrolled);
    IS(ew_enroll(&options, "code", NULL), EW_STATUS_USAGE);
    IS(ew_log_to(2, NULL, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_log_to(7, on_log, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_log_to(2, on_log, NULL), EW_STATUS_OK);
    IS(ew_log_to(2, on_log, NULL), EW_STATUS_USAGE);
    options.model_folder = "/nowhere/at/all";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_MODEL);
    options.model_folder = "not utf-8: \xff";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_BAD_ARGUMENT);
    options.model_folder = arguments[1];
    options.profile_toml = "[endpoint]\nno_such_key = 1";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_CONFIG);
    options.profile_toml = "[vad]\ndetector = \"energy\"";
    options.data_folder = "/nonexistent";
    // A program that was compiled before the last fields were there.
    options.size = offsetof(EwOptions, cache_folder);
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_OK);
    const char *json = NULL;
    IS(ew_runtime_info(runtime, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_runtime_info(0, &json), EW_STATUS_BAD_HANDLE);
    IS(ew_runtime_info(runtime, &json), EW_STATUS_OK);
    assert(strstr(json, "\"notices\":[]") && strstr(json, "\"telemetry\":null"));

    EwSession session = 0;
    int16_t samples[320] = {0};
    float floats[320] = {0};
    size_t lost = 7;
    IS(ew_session_start(runtime, 16000, 1, 1, NULL, NULL, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_start(runtime, 5, 1, 1, NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start(runtime, 16000, 0, 1, NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start(12345, 16000, 1, 1, NULL, NULL, &session), EW_STATUS_BAD_HANDLE);
    IS(ew_session_start_file(runtime, NULL, NULL, NULL, &session), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_start_file(runtime, "/no/such.wav", NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start_file(runtime, arguments[0], NULL, NULL, &session), EW_STATUS_AUDIO);

    IS(ew_session_start(runtime, 48000, 2, 1, NULL, NULL, &session), EW_STATUS_OK);
    IS(ew_session_push_i16(session, NULL, 320, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_push_i16(session, NULL, 0, NULL), EW_STATUS_OK);
    IS(ew_session_push_i16(session, samples, 319, NULL), EW_STATUS_AUDIO);
    IS(ew_session_push_i16(session, samples, (size_t)-1, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_push_f32(session, floats, 320, &lost), EW_STATUS_OK);
    assert(lost == 0);
    IS(ew_session_push_f32(runtime, floats, 320, &lost), EW_STATUS_BAD_HANDLE);
    IS(ew_session_poll(session, 0, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_feedback(session, 0, NULL, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_feedback(session, 0, "sang along", NULL), EW_STATUS_USAGE);
    IS(ew_runtime_close(session, 0), EW_STATUS_BAD_HANDLE);
    IS(ew_session_free(runtime), EW_STATUS_BAD_HANDLE);
    IS(ew_session_finish(session), EW_STATUS_OK);
    IS(ew_session_finish(session), EW_STATUS_OK);
    IS(ew_session_push_f32(session, floats, 320, NULL), EW_STATUS_CLOSED);
    const EwEvent *event = NULL;
    do {
        IS(ew_session_poll(session, 1000, &event), EW_STATUS_OK);
    } while (event && event->kind != EW_EVENT_KIND_ENDED);
    assert(event && event->status == EW_STATUS_OK && event->size == sizeof *event && strlen(event->json) > 10);
    IS(ew_session_poll(session, 60000, &event), EW_STATUS_CLOSED);
    assert(!event);
    IS(ew_session_cancel(session), EW_STATUS_OK);
    IS(ew_session_free(session), EW_STATUS_OK);
    IS(ew_session_free(session), EW_STATUS_BAD_HANDLE);
    IS(ew_session_push_f32(session, floats, 320, NULL), EW_STATUS_BAD_HANDLE);
    IS(ew_session_free(0), EW_STATUS_BAD_HANDLE);

    struct Reentrant me = {runtime, 0, 0, 0, 0};
    IS(ew_session_start(runtime, 16000, 1, 0, reentrant, &me, &session), EW_STATUS_OK);
    me.session = session;
    IS(ew_session_poll(session, 0, &event), EW_STATUS_USAGE);
    FILE *speech = fopen(arguments[2], "rb");
    size_t got;
    EwStatus status = EW_STATUS_OK;
    while (status == EW_STATUS_OK && (got = fread(samples, 2, 320, speech)) > 0) {
        status = ew_session_push_i16(session, samples, got, NULL);
    }
    fclose(speech);
    // Until then the session takes audio.
    while (!me.done) moment();
    ew_session_finish(session);
    assert(me.ended);
    IS(ew_session_free(session), EW_STATUS_OK);
    free_while(runtime, SPEAKS, arguments[2]);
    free_while(runtime, FINISHES, arguments[2]);
    free_while(runtime, POLLS, arguments[2]);
    free_while(runtime, PUSHES, arguments[2]);

    // Closed while a session runs: that ends first. The session is freed by itself.
    IS(ew_session_start(runtime, 16000, 1, 1, NULL, NULL, &session), EW_STATUS_OK);
    IS(ew_runtime_close(runtime, 0), EW_STATUS_OK);
    IS(ew_session_finish(session), EW_STATUS_CANCELLED);
    IS(ew_session_free(session), EW_STATUS_OK);
    IS(ew_runtime_close(runtime, 0), EW_STATUS_BAD_HANDLE);
    return 0;
}
