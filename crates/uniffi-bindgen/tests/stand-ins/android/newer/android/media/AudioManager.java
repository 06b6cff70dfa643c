package android.media;

import android.os.Handler;
import java.util.List;

/** What it has since API 24; what it has before is not used. */
public class AudioManager {
    public abstract static class AudioRecordingCallback {
        public void onRecordingConfigChanged(List<AudioRecordingConfiguration> configs) {}
    }

    private AudioRecordingCallback callback;
    private List<AudioRecordingConfiguration> recording = List.of();

    public void registerAudioRecordingCallback(AudioRecordingCallback callback, Handler handler) {
        if (this.callback != null) throw new AssertionError("registered twice");
        this.callback = callback;
    }

    public void unregisterAudioRecordingCallback(AudioRecordingCallback callback) {
        if (this.callback == callback) this.callback = null;
    }

    public List<AudioRecordingConfiguration> getActiveRecordingConfigurations() { return recording; }

    /** A test's: another app begins or ends to record. */
    public void nowRecording(AudioRecordingConfiguration... configs) {
        recording = List.of(configs);
        if (callback != null) callback.onRecordingConfigChanged(recording);
    }

    public boolean hasCallback() { return callback != null; }
}
