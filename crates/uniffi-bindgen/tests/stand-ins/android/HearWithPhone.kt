// Uses the Android sample as an app would, with the stand-ins for Android's classes beside this file.
//
//     java HearWithPhoneKt MODEL_FOLDER SPEECH.s16     prints what is told, `checked` at the end; a fault ends it

import android.media.AudioManager
import android.media.AudioRecord
import android.media.AudioRecordingConfiguration
import android.os.Build
import java.io.File
import kotlin.system.exitProcess
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.earwitness.RuntimeConfig
import org.earwitness.SessionEvent
import org.earwitness.SessionListener
import org.earwitness.openRuntime
import org.earwitness.sample.PhoneMicrophone

private val lines = mutableListOf<String>()

private fun say(line: String) {
    synchronized(lines) { lines += line }
    println(line)
}

private fun count(beginning: String) = synchronized(lines) { lines.count { it.startsWith(beginning) } }

private object Heard : SessionListener {
    override fun onEvent(event: SessionEvent) {
        when (event) {
            is SessionEvent.Partial -> say("partial ${event.text}")
            is SessionEvent.Final -> say("final ${event.text}")
            is SessionEvent.Ended ->
                say("ended ${event.error ?: if (event.summary!!.cancelled) "cancelled" else "well"}")
            else -> {}
        }
    }
}

/** Waits until a line that begins so was told once more than before. */
private suspend fun next(beginning: String, happens: suspend () -> Unit = {}) {
    val before = count(beginning)
    happens()
    withTimeout(60_000) { while (count(beginning) == before) delay(20) }
}

private suspend fun hear(models: String) {
    val runtime = openRuntime(RuntimeConfig(modelFolder = models))
    val audio = AudioManager()
    val phone = PhoneMicrophone(runtime, audio, Heard) { say("$it") }
    fun isLetGo() = AudioRecord.open == 0 && !audio.hasCallback()

    say("# all of it, and a second start changes nothing")
    phone.start()
    phone.start()
    while (AudioRecord.at < AudioRecord.speech.size) delay(100)
    phone.stop()
    check(count("Listening") == 1 && count("ended well") == 1 && count("Stopped") == 1 && isLetGo())

    say("# start, stop and start at once take their turns")
    AudioRecord.at = 0
    runBlocking {
        launch { phone.start() }
        launch { phone.stop() }
        launch { phone.start() }
    }
    check(count("Failed") == 0 && AudioRecord.open == 1)
    next("partial")

    if (Build.VERSION.SDK_INT >= 29) {
        say("# another app has the microphone, and then not any more")
        val other = AudioRecordingConfiguration(-1, false)
        next("Silenced") { audio.nowRecording(other, AudioRecordingConfiguration(AudioRecord.session, true)) }
        next("Listening") { audio.nowRecording(AudioRecordingConfiguration(AudioRecord.session, false)) }
        check(count("Silenced") == 1)
    }

    say("# the microphone is taken away: told, let go, and begun again")
    next("Failed") { AudioRecord.failure = -6 }
    AudioRecord.failure = 0
    next("ended well") { phone.start() }
    check(AudioRecord.open == 1)

    say("# cancelled while it listens")
    AudioRecord.at = 0
    next("partial")
    next("ended cancelled") { phone.cancel() }
    phone.stop()
    check(isLetGo())

    say("# a microphone that cannot be opened, or that another app has: nothing stays behind")
    AudioRecord.uninitialized = true
    next("Failed") { phone.start() }
    AudioRecord.uninitialized = false
    check(isLetGo())
    AudioRecord.refused = true
    next("Failed") { phone.start() }
    AudioRecord.refused = false
    check(isLetGo())
    next("Listening") { phone.start() }
    phone.stop()
    check(isLetGo())

    say("# who asked is gone, and it is ended nevertheless")
    phone.start()
    runBlocking { async { phone.stop() }.let { asked -> delay(1); asked.cancel() } }
    check(isLetGo())
    runtime.shutDown(0u)
    runtime.close()
    say("checked")
}

fun main(arguments: Array<String>) {
    AudioRecord.speech = File(arguments[1]).readBytes()
    try {
        runBlocking { hear(arguments[0]) }
    } catch (fault: Throwable) {
        fault.printStackTrace()
        exitProcess(1)
    }
}
