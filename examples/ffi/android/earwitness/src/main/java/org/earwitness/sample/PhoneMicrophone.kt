package org.earwitness.sample

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import kotlin.concurrent.thread
import org.earwitness.AudioInput
import org.earwitness.EarwitnessException
import org.earwitness.Runtime
import org.earwitness.Session
import org.earwitness.SessionListener

/** The phone's microphone into a session. The app has asked for RECORD_AUDIO before. */
class PhoneMicrophone(private val runtime: Runtime, private val listener: SessionListener) : AutoCloseable {
    private var recorder: AudioRecord? = null
    private var session: Session? = null
    private var reader: Thread? = null

    /** Begins to listen; after an interruption (a call, another app) again. */
    @SuppressLint("MissingPermission")
    fun start() {
        stop()
        val format = AudioFormat.Builder().setSampleRate(RATE_HZ).setEncoding(AudioFormat.ENCODING_PCM_16BIT)
            .setChannelMask(AudioFormat.CHANNEL_IN_MONO).build()
        val recorder = AudioRecord.Builder().setAudioSource(MediaRecorder.AudioSource.VOICE_RECOGNITION)
            .setAudioFormat(format).setBufferSizeInBytes(RATE_HZ).build()
        val session = runtime.start(AudioInput.Pushed(RATE_HZ.toUInt(), 1u.toUShort(), true), listener)
        this.recorder = recorder
        this.session = session
        recorder.startRecording()
        reader = thread(name = "microphone") {
            val buffer = ByteArray(RATE_HZ / 50 * 2)
            try {
                while (true) {
                    val count = recorder.read(buffer, 0, buffer.size)
                    if (count <= 0) break // stopped, or taken away
                    session.pushBytes(buffer.copyOf(count))
                }
            } catch (over: EarwitnessException.Closed) {
                // The session was cancelled meanwhile.
            }
        }
    }

    /** Ends listening; what was said until now still gets its text. Not from the listener. */
    fun stop() {
        recorder?.stop()
        reader?.join()
        recorder?.release()
        session?.let { it.finishBlocking(); it.close() }
        recorder = null
        session = null
        reader = null
    }

    /** Ends listening at once, as when the app is about to be killed. */
    fun cancel() {
        session?.cancel()
        stop()
    }

    override fun close() = stop()

    companion object {
        const val RATE_HZ = 16000
    }
}
