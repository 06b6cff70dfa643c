// Every way of using the interface wrong that C allows: each is an error, none a crash.

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    while (!*(volatile EwSession *)&me->session) {
    }
    IS(ew_session_finish(me->session), EW_STATUS_USAGE);
    EwSession other = 0;
    IS(ew_session_start(me->runtime, 16000, 1, true, NULL, NULL, &other), EW_STATUS_USAGE);
    IS(ew_session_push_i16(me->session, silence, 160, NULL), EW_STATUS_OK);
    IS(ew_session_feedback(me->session, 0, "accepted", NULL), EW_STATUS_OK);
    IS(ew_session_cancel(me->session), EW_STATUS_OK);
    me->done = 1;
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
    options.size = sizeof options;
    options.model_folder = "/nowhere/at/all";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_MODEL);
    options.model_folder = "not utf-8: \xff";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_BAD_ARGUMENT);
    options.model_folder = arguments[1];
    options.profile_toml = "[endpoint]\nno_such_key = 1";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_CONFIG);
    options.profile_toml = "[vad]\ndetector = \"energy\"";
    options.data_folder = "/nonexistent";
    IS(ew_runtime_open(&options, &runtime), EW_STATUS_OK);

    EwSession session = 0;
    int16_t samples[320] = {0};
    float floats[320] = {0};
    size_t lost = 7;
    IS(ew_session_start(runtime, 16000, 1, true, NULL, NULL, NULL), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_start(runtime, 5, 1, true, NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start(runtime, 16000, 0, true, NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start(12345, 16000, 1, true, NULL, NULL, &session), EW_STATUS_BAD_HANDLE);
    IS(ew_session_start_file(runtime, NULL, NULL, NULL, &session), EW_STATUS_BAD_ARGUMENT);
    IS(ew_session_start_file(runtime, "/no/such.wav", NULL, NULL, &session), EW_STATUS_AUDIO);
    IS(ew_session_start_file(runtime, arguments[0], NULL, NULL, &session), EW_STATUS_AUDIO);

    IS(ew_session_start(runtime, 48000, 2, true, NULL, NULL, &session), EW_STATUS_OK);
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
    IS(ew_runtime_close(session), EW_STATUS_BAD_HANDLE);
    IS(ew_session_free(runtime), EW_STATUS_BAD_HANDLE);
    IS(ew_session_finish(session), EW_STATUS_OK);
    IS(ew_session_finish(session), EW_STATUS_USAGE);
    IS(ew_session_push_f32(session, floats, 320, NULL), EW_STATUS_CLOSED);
    const EwEvent *event = NULL;
    do {
        IS(ew_session_poll(session, 1000, &event), EW_STATUS_OK);
    } while (event && event->kind != EW_EVENT_KIND_ENDED);
    assert(event && event->status == EW_STATUS_OK && event->size == sizeof *event && strlen(event->json) > 10);
    IS(ew_session_poll(session, 0, &event), EW_STATUS_OK);
    assert(!event);
    IS(ew_session_cancel(session), EW_STATUS_OK);
    IS(ew_session_free(session), EW_STATUS_OK);
    IS(ew_session_free(session), EW_STATUS_BAD_HANDLE);
    IS(ew_session_push_f32(session, floats, 320, NULL), EW_STATUS_BAD_HANDLE);
    IS(ew_session_free(0), EW_STATUS_BAD_HANDLE);

    struct Reentrant me = {runtime, 0, 0, 0, 0};
    IS(ew_session_start(runtime, 16000, 1, false, reentrant, &me, &session), EW_STATUS_OK);
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
    while (!me.done) {
    }
    ew_session_finish(session);
    assert(me.ended);
    IS(ew_session_free(session), EW_STATUS_OK);
    IS(ew_runtime_close(runtime), EW_STATUS_OK);
    IS(ew_runtime_close(runtime), EW_STATUS_BAD_HANDLE);
    return 0;
}
