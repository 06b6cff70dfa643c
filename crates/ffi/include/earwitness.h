// Earwitness: speech recognition on this device.
//
// A runtime is opened once and runs one session after the other. A session takes audio from the app (ew_session_push_f32,
// ew_session_push_i16) or from a file, and tells events: to a callback, or to whoever polls.
//
// Threads: every function may be called from every thread. The callback of a session is called from the session's own
// thread, never twice at once, maybe before the function that starts the session has returned. A thread that waits for a
// session (finish, free, close) must not be one that its callback waits for. After a fork the child may use none of it.
// Handles are numbers: a wrong or freed one is EW_STATUS_BAD_HANDLE, never a crash.
//
// This file is made from the Rust sources by cbindgen: do not edit it.

#ifndef EARWITNESS_H
#define EARWITNESS_H

#include <stddef.h>
#include <stdint.h>

// The interface's version: it goes up when a program must be compiled anew.
#define EW_ABI_VERSION 1

// What a call came to. Codes 1 to 8 are the exit codes of the command line. `ew_last_error` has the words.
typedef enum EwStatus {
  // It worked.
  EW_STATUS_OK = 0,
  // A fault of ours: please report it.
  EW_STATUS_INTERNAL = 1,
  // What was asked for cannot be, or not now.
  EW_STATUS_USAGE = 2,
  // The audio, or the file that it is in.
  EW_STATUS_AUDIO = 3,
  // A model is missing or damaged.
  EW_STATUS_MODEL = 4,
  // The network, or whoever is at its other end.
  EW_STATUS_NETWORK = 5,
  // The microphone.
  EW_STATUS_MICROPHONE = 6,
  // The profile, a key, a consent.
  EW_STATUS_CONFIG = 7,
  // The disk.
  EW_STATUS_DISK = 8,
  // The handle is none: never given, freed, or of the other kind.
  EW_STATUS_BAD_HANDLE = 100,
  // An address is null that may not be, or an options structure has no size.
  EW_STATUS_BAD_ARGUMENT = 101,
  // The session takes no more audio: it was finished, cancelled, or is over.
  EW_STATUS_CLOSED = 102,
  // The session was given up before its end.
  EW_STATUS_CANCELLED = 103,
} EwStatus;

// Which event.
typedef enum EwEventKind {
  // One that has no number here: see `json`.
  EW_EVENT_KIND_OTHER = 0,
  // Something people must know, such as what leaves this device: `text`.
  EW_EVENT_KIND_NOTICE = 1,
  // Somebody began to speak, at `start_s`.
  EW_EVENT_KIND_SPEECH_STARTED = 2,
  // What an unfinished utterance sounds like so far: `text`. It may change.
  EW_EVENT_KIND_PARTIAL = 3,
  // Somebody stopped; the text follows.
  EW_EVENT_KIND_SPEECH_ENDED = 4,
  // The answer: `text`.
  EW_EVENT_KIND_FINAL = 5,
  // The recognizer failed on an utterance: `text` says why.
  EW_EVENT_KIND_FAILED = 6,
  // An utterance has no answer: the recognizer was too far behind, or the session was cancelled.
  EW_EVENT_KIND_DROPPED = 7,
  // Audio was lost, at `start_s`.
  EW_EVENT_KIND_GAP = 8,
  // The last event. `status` and `text` say how the session ended.
  EW_EVENT_KIND_ENDED = 9,
  // Something is wrong with the input's level, at `start_s`: see `json`.
  EW_EVENT_KIND_LEVEL = 10,
  // An utterance has no answer now, and will have one: it waits on disk (`[spool] keep`).
  EW_EVENT_KIND_DEFERRED = 11,
  // An utterance of an earlier session has its answer: `text`.
  EW_EVENT_KIND_RECOVERED = 12,
  // Audio of an utterance is about to be sent to the host in `text`.
  EW_EVENT_KIND_HOP = 13,
} EwEventKind;

// Called with each line of the library's log, from the thread that logs. It must not call the library, and no exception may
// leave it.
typedef void (*EwLogCallback)(int32_t level, const char *line, void *user);

// How a runtime is opened. Set it to zeros, then `size`, then what differs.
typedef struct EwOptions {
  // `sizeof(EwOptions)`. Later versions add fields at its end; a smaller one is taken as it is.
  uint32_t size;
  // 1: live sessions tell partial texts.
  uint32_t partials;
  // The device's profile in TOML, consents included; null for the defaults.
  const char *profile_toml;
  // What records call the profile; null for `app`.
  const char *profile_name;
  // Where models are; null for the user's cache folder.
  const char *model_folder;
  // Where utterances and records that wait are kept; null for the user's data folder.
  const char *data_folder;
  // Where packed weights are kept, which are made once from a model; null for a folder in `model_folder`, which can be
  // written to then.
  const char *cache_folder;
} EwOptions;

// A loaded runtime. 0 is none.
typedef uint64_t EwRuntime;

// One event. It and its texts live as long as the callback runs, or until the session's next `ew_session_poll`.
typedef struct EwEvent {
  // Size of this structure in bytes: later versions add fields at its end.
  uint32_t size;
  // Which event.
  enum EwEventKind kind;
  // With `EW_EVENT_KIND_ENDED`: how the session ended.
  enum EwStatus status;
  // Which utterance of the session, from 0; `UINT64_MAX` for events of none.
  uint64_t utterance;
  // Where it begins, s since the session began; 0 where that is not known, as of partial texts.
  double start_s;
  // Where it ends; `start_s` for events that are a moment.
  double end_s;
  // Text, UTF-8; never null.
  const char *text;
  // Everything, as the command line's `listen -f jsonl` has it: segments with their times, engine, timings; never null.
  const char *json;
  // With `EW_EVENT_KIND_PARTIAL`: so many bytes of `text` will not change any more.
  uint64_t committed_bytes;
  // How sure the recognizer is of an answer, 0 to 1; negative if that is not known.
  float confidence;
  // Language code of an answer, such as `en`; empty if that is not known. Never null.
  const char *language;
} EwEvent;

// Called for each event, from the session's own thread, never twice at once. It may call every function but
// `ew_session_finish` of its own session. No exception and no `longjmp` may leave it.
typedef void (*EwEventCallback)(const struct EwEvent *event, void *user);

// A session of a runtime. 0 is none.
typedef uint64_t EwSession;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// The library's version, such as `0.1.0`. It lives for ever.
const char *ew_version(void);

// `EW_ABI_VERSION` as the library was built with.
uint32_t ew_abi_version(void);

// Why this thread's last call failed, in words that say what to do; empty after one that did not. It lives until the
// thread's next call.
const char *ew_last_error(void);

// Tells `callback` from now on what the library logs, of level 1 (errors) up to `most`: 2 warnings, 3 what happens, such as
// each request, 4 for developers. Once in a process. There is no text and no audio in it.
//
// # Safety
// `callback` may be called with `user` from every thread as long as the process lives.
enum EwStatus ew_log_to(int32_t most,
                        EwLogCallback callback,
                        void *user);

// Opens a runtime: loads the models that the profile asks for. It takes some tenths of a second, the first time seconds.
//
// # Safety
// `options` is an `EwOptions`, its texts end with NUL, `runtime` can be written to. Null is an error, not a crash.
enum EwStatus ew_runtime_open(const struct EwOptions *options,
                              EwRuntime *runtime);

// What there is to say about a runtime, as JSON: `notices` (what leaves this device, where to, and why: to be shown before the
// first session), `telemetry` (what waits for the collection server, how sending goes; null without one). `*json` lives
// until the thread's next call.
//
// # Safety
// `json` can be written to.
enum EwStatus ew_runtime_info(EwRuntime runtime,
                              const char **json);

// Ends a runtime: a session that runs is cancelled and waited for (not from its own callback), what waits for the collection
// server is sent for at most `flush_ms`, models and folders are let go. Sessions are still freed each by itself.
enum EwStatus ew_runtime_close(EwRuntime runtime,
                               uint32_t flush_ms);

// Whether this device has the token with which it reports: `*enrolled` is 1 or 0.
//
// # Safety
// As `ew_runtime_open`; `enrolled` can be written to.
enum EwStatus ew_is_enrolled(const struct EwOptions *options, uint32_t *enrolled);

// Makes this device known to the server of the profile's `telemetry.url`, which gave out `code`; before the first
// `ew_runtime_open` with telemetry, and again if the server has revoked it. `device_id` (null: `telemetry.device_id`, or the
// machine's name) is its name there. The token goes into the data folder. Waits for the server, at most half a minute.
//
// # Safety
// As `ew_runtime_open`; `code` ends with NUL, `device_id` is null or does.
enum EwStatus ew_enroll(const struct EwOptions *options,
                        const char *code,
                        const char *device_id);

// Deletes what waits here for the collection server, and everything that it has from this device. Close the runtime first.
//
// # Safety
// As `ew_runtime_open`.
enum EwStatus ew_erase(const struct EwOptions *options);

// Starts a session whose audio is pushed. `live` (1): it comes as it is spoken, pushes never wait, and what cannot be kept up
// with is lost and told; otherwise (0) a push waits for room. Without a callback events are polled. There is one session of a
// runtime at a time. The callback may be called before this returns.
//
// # Safety
// `session` can be written to; `callback` may be called with `user` from another thread until the event
// `EW_EVENT_KIND_ENDED` was told or the session was freed.
enum EwStatus ew_session_start(EwRuntime runtime,
                               uint32_t rate_hz,
                               uint16_t channels,
                               uint32_t live,
                               EwEventCallback callback,
                               void *user,
                               EwSession *session);

// Starts a session on a recording: wav, flac, mp3, ogg, m4a, aiff.
//
// # Safety
// As `ew_session_start`; `path` ends with NUL.
enum EwStatus ew_session_start_file(EwRuntime runtime,
                                    const char *path,
                                    EwEventCallback callback,
                                    void *user,
                                    EwSession *session);

// Starts a session on a microphone that the library opens: its id or name, the system's default if `name` is null or empty.
// EW_STATUS_USAGE if this library was built without. `ew_session_finish` ends it.
//
// # Safety
// As `ew_session_start`; `name` is null or ends with NUL.
enum EwStatus ew_session_start_microphone(EwRuntime runtime,
                                          const char *name,
                                          EwEventCallback callback,
                                          void *user,
                                          EwSession *session);

// Hands over `count` samples in [-1, 1], whole frames, interleaved. `lost_frames` (may be null) tells how many frames were
// lost because the recognizer is too far behind. May be called from an audio callback, from one thread at a time.
//
// # Safety
// `samples` has `count` samples; `lost_frames` is null or can be written to.
enum EwStatus ew_session_push_f32(EwSession session,
                                  const float *samples,
                                  size_t count,
                                  size_t *lost_frames);

// The same with 16-bit samples.
//
// # Safety
// As `ew_session_push_f32`.
enum EwStatus ew_session_push_i16(EwSession session,
                                  const int16_t *samples,
                                  size_t count,
                                  size_t *lost_frames);

// The next event of a session without callback, waiting at most `timeout_ms` for it; `*event` is null if none came.
// EW_STATUS_CLOSED after the last, EW_EVENT_KIND_ENDED. An event lives until the session's next poll, or until the session is
// freed. An app that does not poll for an hour loses the oldest.
//
// # Safety
// `event` can be written to. One thread polls a session at a time.
enum EwStatus ew_session_poll(EwSession session,
                              uint32_t timeout_ms,
                              const struct EwEvent **event);

// What the user made of an utterance: `accepted`, `edited` (with the new `text`, or null), `redo`, `switched-input`,
// `result-clicked`, `abandoned`. Recorded where telemetry is on, until the session is freed or the next one begins.
//
// # Safety
// `kind` ends with NUL, `text` is null or does.
enum EwStatus ew_session_feedback(EwSession session,
                                  uint64_t utterance,
                                  const char *kind,
                                  const char *text);

// Ends the audio and waits until the last answer was told. The status says how the session ended: EW_STATUS_CANCELLED if it
// was given up meanwhile. Whoever asks again is told the same. Not from its own callback, and not from a thread that its
// callback waits for.
enum EwStatus ew_session_finish(EwSession session);

// Gives a session up: what has no answer gets none, nothing more is sent anywhere, and the end is told. It does not wait.
enum EwStatus ew_session_cancel(EwSession session);

// Frees a session. One that still runs is cancelled and, unless this is its own callback, waited for. After that its callback
// is not called any more, nor after this callback if it is that. Other threads' calls of the session come back.
enum EwStatus ew_session_free(EwSession session);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* EARWITNESS_H */
