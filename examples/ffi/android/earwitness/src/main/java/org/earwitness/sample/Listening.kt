package org.earwitness.sample

import android.annotation.SuppressLint
import android.media.AudioFormat
import android.media.AudioRecord
import android.media.MediaRecorder
import android.os.Process
import kotlin.concurrent.thread
import org.earwitness.AudioInput
import org.earwitness.EarwitnessException
import org.earwitness.Runtime
import org.earwitness.Session
import org.earwitness.SessionListener

/** The microphone into one session, from its beginning to its end: what [PhoneMicrophone] begins and ends. */
@SuppressLint("MissingPermission")
internal class Listening(runtime: Runtime, listener: SessionListener, private val tell: (PhoneMicrophone.State) -> Unit) {
    private val recorder = AudioRecord.Builder()
        .setAudioSource(MediaRecorder.AudioSource.VOICE_RECOGNITION)
        .setAudioFormat(
            AudioFormat.Builder().setSampleRate(RATE_HZ).setEncoding(AudioFormat.ENCODING_PCM_16BIT)
                .setChannelMask(AudioFormat.CHANNEL_IN_MONO).build(),
        )
        .setBufferSizeInBytes(RATE_HZ) // half a second
        .build()
    private val session: Session
    private val reader: Thread
    @Volatile private var ending = false

    val audioSessionId: Int = recorder.audioSessionId
    val isAlive get() = reader.isAlive

    init {
        var begun: Session? = null
        try {
            require(recorder.state == AudioRecord.STATE_INITIALIZED, "cannot be opened")
            begun = runtime.start(AudioInput.Pushed(RATE_HZ.toUInt(), 1u, live = true), listener)
            recorder.startRecording()
            require(recorder.recordingState == AudioRecord.RECORDSTATE_RECORDING, "does not record: another app has it")
        } catch (failed: Exception) {
            recorder.release()
            begun?.run { cancel(); close() }
            throw failed
        }
        session = begun
        reader = thread(name = "microphone", block = ::read)
    }

    private fun read() {
        val buffer = ByteArray(RATE_HZ / 50 * 2)
        try {
            Process.setThreadPriority(Process.THREAD_PRIORITY_URGENT_AUDIO)
            while (!ending) {
                val count = recorder.read(buffer, 0, buffer.size)
                if (ending) break
                // 0: it was stopped. Less: the audio server is gone, or the device.
                require(count > 0, "gives no more: $count")
                val lost = session.pushBytes(if (count == buffer.size) buffer else buffer.copyOf(count))
                if (lost > 0u) tell(PhoneMicrophone.State.Lost(lost))
            }
        } catch (over: EarwitnessException.Closed) {
            // `Ended` has told why.
        } catch (failed: Exception) {
            tell(PhoneMicrophone.State.Failed(failed))
        } finally {
            // Nobody hears it: others may have it.
            recorder.stop()
        }
    }

    fun cancel() = session.cancel()

    /** What was said until now has its text when this is over. */
    suspend fun end() {
        session.use {
            ending = true
            try {
                recorder.stop()
                reader.join()
            } finally {
                recorder.release()
            }
            it.finish()
        }
    }

    private fun require(holds: Boolean, fault: String) {
        if (!holds) throw EarwitnessException.Microphone("the microphone $fault")
    }

    private companion object {
        const val RATE_HZ = 16000
    }
}
