// Transcribes a recording, then hears the same speech as a live stream of buffers. See README.md beside this file.

import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.delay
import kotlinx.coroutines.runBlocking
import org.earwitness.AudioInput
import org.earwitness.EarwitnessException
import org.earwitness.RuntimeConfig
import org.earwitness.SessionEvent
import org.earwitness.SessionListener
import org.earwitness.openRuntime

/** Prints what the session tells, from the session's thread. */
class Printer(private val name: String) : SessionListener {
    override fun onEvent(event: SessionEvent) {
        when (event) {
            is SessionEvent.Partial -> println("$name partial ${event.text}")
            is SessionEvent.Final -> println("$name final ${event.text}")
            is SessionEvent.Ended ->
                println("$name ended ${event.error ?: if (event.summary!!.cancelled) "cancelled" else "well"}")
            is SessionEvent.Notice -> System.err.println(event.text)
            else -> {}
        }
    }
}

fun main(arguments: Array<String>) = runBlocking {
    if (arguments.size !in 3..4) {
        System.err.println("usage: transcribe MODEL_FOLDER RECORDING SPEECH.s16 [CANCEL_AFTER_S]")
        exitProcess(2)
    }
    val (models, recording, speech) = arguments
    val cancelAfterS = arguments.getOrNull(3)?.toDouble() ?: 1e9
    try {
        val runtime = openRuntime(RuntimeConfig(modelFolder = models))

        runtime.start(AudioInput.File(recording), Printer("file")).use { it.finish() }

        // On a phone an AudioRecord gives the buffers; here a file does, one every 20 ms.
        val live = AudioInput.Pushed(rateHz = 16000u, channels = 1u, live = true)
        runtime.start(live, Printer("live")).use { session ->
            val bytes = File(speech).readBytes()
            for (at in bytes.indices step 640) {
                val lost = session.pushBytes(bytes.copyOfRange(at, minOf(at + 640, bytes.size)))
                if (lost > 0u) System.err.println("$lost frames lost")
                delay(20)
                if (at / 32000.0 > cancelAfterS) {
                    session.cancel()
                    break
                }
            }
            session.finish()
        }
        runtime.shutDown(0u)
        runtime.close()
    } catch (error: EarwitnessException) {
        System.err.println(error.message)
        exitProcess(1)
    }
}
