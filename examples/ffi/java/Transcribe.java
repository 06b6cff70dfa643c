// Transcribes a recording, then hears the same speech as a live stream of buffers, through the C interface and JNA.
//
//   javac -cp /usr/share/java/jna.jar -d out examples/ffi/java/Transcribe.java
//   java -cp out:/usr/share/java/jna.jar -Djna.library.path=target/release Transcribe MODEL_FOLDER RECORDING \
//     SPEECH.s16 [CANCEL_AFTER_S]

import com.sun.jna.Callback;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import com.sun.jna.Structure;
import com.sun.jna.ptr.LongByReference;
import java.nio.file.Files;
import java.nio.file.Path;

public class Transcribe {
    @Structure.FieldOrder({"size", "partials", "profileToml", "profileName", "modelFolder", "dataFolder", "cacheFolder"})
    public static class Options extends Structure {
        public int size, partials;
        public String profileToml, profileName, modelFolder, dataFolder, cacheFolder;
    }

    @Structure.FieldOrder({"size", "kind", "status", "utterance", "startS", "endS", "text", "json"})
    public static class Event extends Structure {
        public int size, kind, status;
        public long utterance;
        public double startS, endS;
        public Pointer text, json;

        public Event(Pointer at) {
            super(at);
            read();
        }
    }

    public interface OnEvent extends Callback {
        void call(Pointer event, Pointer user);
    }

    public interface Earwitness extends Library {
        int NOTICE = 1, PARTIAL = 3, FINAL = 5, ENDED = 9, CANCELLED = 103;

        String ew_last_error();
        int ew_runtime_open(Options options, LongByReference runtime);
        int ew_runtime_close(long runtime, int flushMs);
        int ew_session_start(long runtime, int rate, short channels, int live, OnEvent call, Pointer user, LongByReference session);
        int ew_session_start_file(long runtime, String path, OnEvent call, Pointer user, LongByReference session);
        int ew_session_push_i16(long session, byte[] samples, long count, Pointer lost);
        int ew_session_cancel(long session);
        int ew_session_finish(long session);
        int ew_session_free(long session);
    }

    static final Earwitness LIBRARY = Native.load("earwitness_ffi", Earwitness.class,
        java.util.Map.of(Library.OPTION_STRING_ENCODING, "UTF-8"));

    static void check(int status) {
        if (status != 0 && status != Earwitness.CANCELLED) throw new IllegalStateException(LIBRARY.ew_last_error());
    }

    static void finish(long session) {
        check(LIBRARY.ew_session_finish(session));
        check(LIBRARY.ew_session_free(session));
    }

    // Called from the session's thread. It must be held as long as the session runs.
    static OnEvent printer(String name) {
        return (at, user) -> {
            Event event = new Event(at);
            String text = event.text.getString(0, "UTF-8");
            if (event.kind == Earwitness.NOTICE) System.err.println(text);
            if (event.kind == Earwitness.PARTIAL) System.out.println(name + " partial " + text);
            if (event.kind == Earwitness.FINAL) System.out.println(name + " final " + text);
            if (event.kind == Earwitness.ENDED) System.out.println(name + " ended " + (event.status == 0 ? "well" : text));
        };
    }

    public static void main(String[] arguments) throws Exception {
        Options options = new Options();
        options.size = options.size();
        options.modelFolder = arguments[0];
        options.partials = 1;
        LongByReference runtime = new LongByReference(), session = new LongByReference();
        check(LIBRARY.ew_runtime_open(options, runtime));
        OnEvent file = printer("file"), live = printer("live");
        check(LIBRARY.ew_session_start_file(runtime.getValue(), arguments[1], file, null, session));
        finish(session.getValue());

        check(LIBRARY.ew_session_start(runtime.getValue(), 16000, (short) 1, 1, live, null, session));
        byte[] speech = Files.readAllBytes(Path.of(arguments[2]));
        for (int at = 0; at < speech.length; at += 640) {
            byte[] buffer = java.util.Arrays.copyOfRange(speech, at, Math.min(at + 640, speech.length));
            check(LIBRARY.ew_session_push_i16(session.getValue(), buffer, buffer.length / 2, null));
            Thread.sleep(20);
            if (arguments.length > 3 && at / 32000.0 > Double.parseDouble(arguments[3])) {
                check(LIBRARY.ew_session_cancel(session.getValue()));
                break;
            }
        }
        finish(session.getValue());
        check(LIBRARY.ew_runtime_close(runtime.getValue(), 0));
        for (OnEvent held : new OnEvent[] {file, live}) java.lang.ref.Reference.reachabilityFence(held);
    }
}
