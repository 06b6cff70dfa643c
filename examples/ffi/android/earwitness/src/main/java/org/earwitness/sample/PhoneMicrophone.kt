package org.earwitness.sample

import android.media.AudioManager
import android.media.AudioRecordingConfiguration
import android.os.Build
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock
import kotlinx.coroutines.withContext
import org.earwitness.Runtime
import org.earwitness.SessionListener

/**
 * The phone's microphone into sessions. The app has asked for RECORD_AUDIO before, and shows [MicrophoneService] while it listens
 * in the background. Its functions may be called from every thread, the user interface's too, and take their turns: a session has
 * ended before the next one begins. Only a listener must not wait for them.
 */
class PhoneMicrophone(
    private val runtime: Runtime,
    private val audio: AudioManager,
    private val listener: SessionListener,
    private val tell: (State) -> Unit,
) {
    /** What `tell` hears, from the thread in which it happens: the reader's, the caller's, the main one. */
    sealed interface State {
        data object Listening : State

        /** Another app has the microphone, a call for example: silence is heard until it has `Listening` again. */
        data object Silenced : State

        /** The recognizer is too far behind. The session tells it, too, as `Gap`. */
        data class Lost(val frames: ULong) : State

        /** It does not listen any more; `start` tries again. */
        data class Failed(val why: Exception) : State

        data object Stopped : State
    }

    private val turn = Mutex()
    @Volatile private var listening: Listening? = null

    /** Android 10 lets two apps record, and one of them hears silence. Before, the second does not get the microphone. */
    private val silencing = object : AudioManager.AudioRecordingCallback() {
        private var silenced: Listening? = null

        @Synchronized
        override fun onRecordingConfigChanged(configs: List<AudioRecordingConfiguration>) {
            val here = listening ?: return
            val now = configs.find { it.clientAudioSessionId == here.audioSessionId }?.isClientSilenced ?: return
            if (now != (silenced == here)) tell(if (now) State.Silenced else State.Listening)
            silenced = if (now) here else null
        }
    }

    /** Begins to listen, or again where that had failed. `tell` hears whether it does. */
    suspend fun start() = inTurn {
        if (listening?.isAlive == true) return@inTurn
        // `Ended` has told how the last one failed.
        runCatching { listening?.let { end(it) } }
        listening = Listening(runtime, listener, tell)
        tell(State.Listening)
        if (Build.VERSION.SDK_INT >= 29) {
            audio.registerAudioRecordingCallback(silencing, null)
            silencing.onRecordingConfigChanged(audio.activeRecordingConfigurations)
        }
    }

    /** Ends listening. When it returns, what was said until now has its text. */
    suspend fun stop() = inTurn {
        listening?.let { end(it) }
        tell(State.Stopped)
    }

    /** Ends listening at once, as when the app is about to be killed; `stop` lets the rest go. */
    fun cancel() {
        listening?.cancel()
    }

    private suspend fun end(ending: Listening) {
        listening = null
        if (Build.VERSION.SDK_INT >= 29) audio.unregisterAudioRecordingCallback(silencing)
        ending.end()
    }

    /** Turns in the order of the calls. Who called may be gone meanwhile, as a screen that was turned: it is done nevertheless. */
    private suspend fun inTurn(work: suspend () -> Unit) = withContext(NonCancellable) {
        turn.withLock {
            try {
                withContext(Dispatchers.IO) { work() }
            } catch (failed: Exception) {
                tell(State.Failed(failed))
            }
        }
    }
}
