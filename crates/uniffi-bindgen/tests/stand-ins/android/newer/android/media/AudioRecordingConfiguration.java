package android.media;

/** Since API 24; isClientSilenced since 29. */
public class AudioRecordingConfiguration {
    private final int session;
    private final boolean silenced;

    public AudioRecordingConfiguration(int session, boolean silenced) {
        this.session = session;
        this.silenced = silenced;
    }

    public int getClientAudioSessionId() { return session; }

    public boolean isClientSilenced() { return silenced; }
}
