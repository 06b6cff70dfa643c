// Transcribes a recording, then hears the same speech as a live stream of buffers.
//
//   cc -I crates/ffi/include examples/ffi/c/transcribe.c -L target/release -learwitness_ffi -o transcribe
//   LD_LIBRARY_PATH=target/release ./transcribe MODEL_FOLDER RECORDING.wav SPEECH.s16   (raw, 16 bit, mono, 16 kHz)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "earwitness.h"

enum { RATE = 16000, BUFFER = RATE / 50 };

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, ew_last_error());
    exit(1);
}

// Called from the session's thread.
static void on_event(const EwEvent *event, void *user) {
    const char *session = user;
    switch (event->kind) {
    case EW_EVENT_KIND_NOTICE:
        fprintf(stderr, "%s\n", event->text);
        break;
    case EW_EVENT_KIND_PARTIAL:
        printf("%s partial %s\n", session, event->text);
        break;
    case EW_EVENT_KIND_FINAL:
        printf("%s final %s\n", session, event->text);
        break;
    case EW_EVENT_KIND_ENDED:
        printf("%s ended %s\n", session, event->status ? event->text : "well");
        break;
    default:
        break;
    }
}

static void finish(EwSession session) {
    EwStatus end = ew_session_finish(session);
    if (end && end != EW_STATUS_CANCELLED) fail("finish");
    ew_session_free(session);
}

static void live(EwRuntime runtime, const char *path, double cancel_after_s) {
    EwSession session;
    if (ew_session_start(runtime, RATE, 1, 1, on_event, "live", &session)) fail("start");
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(1);
    }
    // A microphone would call from its own thread; this is one that gives a buffer every 20 ms.
    int16_t buffer[BUFFER];
    size_t count, lost, pushed = 0;
    struct timespec pause = {0, 20 * 1000 * 1000};
    while ((count = fread(buffer, sizeof *buffer, BUFFER, file)) > 0) {
        if (ew_session_push_i16(session, buffer, count, &lost)) fail("push");
        if (lost) fprintf(stderr, "%zu frames lost\n", lost);
        if ((pushed += count) > cancel_after_s * RATE) {
            ew_session_cancel(session);
            break;
        }
        nanosleep(&pause, NULL);
    }
    fclose(file);
    finish(session);
}

int main(int count, char **arguments) {
    if (count < 4 || count > 5) {
        fprintf(stderr, "usage: %s MODEL_FOLDER RECORDING SPEECH.s16 [CANCEL_AFTER_S]\n", arguments[0]);
        return 2;
    }
    EwOptions options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.model_folder = arguments[1];
    options.partials = 1;
    EwRuntime runtime;
    if (ew_runtime_open(&options, &runtime)) fail("open");

    EwSession session;
    if (ew_session_start_file(runtime, arguments[2], on_event, "file", &session)) fail("start");
    finish(session);

    live(runtime, arguments[3], count == 5 ? atof(arguments[4]) : 1e9);
    ew_runtime_close(runtime, 0);
    return 0;
}
