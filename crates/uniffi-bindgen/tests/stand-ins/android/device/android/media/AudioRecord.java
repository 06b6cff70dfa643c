package android.media;

/** A microphone that plays 16-bit samples at 16 kHz, and stands still while nobody listens. The fields are a test's. */
public class AudioRecord {
    public static final int STATE_UNINITIALIZED = 0;
    public static final int STATE_INITIALIZED = 1;
    public static final int RECORDSTATE_STOPPED = 1;
    public static final int RECORDSTATE_RECORDING = 3;

    public static byte[] speech = {};
    public static volatile int at;
    public static volatile int open;
    public static volatile int session;
    public static volatile boolean uninitialized;
    public static volatile boolean refused;
    public static volatile int failure;

    private volatile boolean recording;
    private boolean released;
    private final int id = ++session;
    private final boolean initialized = !uninitialized;

    private AudioRecord() { open++; }

    public static class Builder {
        public Builder setAudioSource(int source) { return this; }

        public Builder setAudioFormat(AudioFormat format) { return this; }

        public Builder setBufferSizeInBytes(int size) { return this; }

        public AudioRecord build() { return new AudioRecord(); }
    }

    public int getAudioSessionId() { return id; }

    public int getState() { return initialized && !released ? STATE_INITIALIZED : STATE_UNINITIALIZED; }

    public int getRecordingState() { return recording ? RECORDSTATE_RECORDING : RECORDSTATE_STOPPED; }

    public void startRecording() { recording = !refused; }

    public void stop() {
        if (getState() != STATE_INITIALIZED) throw new IllegalStateException("stop of none");
        recording = false;
    }

    public synchronized void release() {
        if (!released) open--;
        released = true;
        recording = false;
    }

    public int read(byte[] buffer, int offset, int size) {
        try {
            Thread.sleep(size / 32);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
        if (failure != 0) return failure;
        if (!recording) return 0;
        int count = Math.min(size, speech.length - at);
        System.arraycopy(speech, at, buffer, offset, count);
        at += count;
        // After the speech it is quiet; not silent, as a muted one.
        for (int i = count; i < size; i++) buffer[offset + i] = (byte) (i % 4 == 0 ? 3 : 0);
        return size;
    }
}
