// Coroutines that go on in whatever thread wakes them, the library's own included.

import java.io.File
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.runBlocking
import org.earwitness.AudioInput
import org.earwitness.RuntimeConfig
import org.earwitness.SessionEvent
import org.earwitness.SessionListener
import org.earwitness.openRuntime

fun main(arguments: Array<String>) = runBlocking(Dispatchers.Unconfined) {
    val (models, speech) = arguments
    val runtime = openRuntime(RuntimeConfig(modelFolder = models))
    val listener = object : SessionListener {
        override fun onEvent(event: SessionEvent) {
            if (event is SessionEvent.Final) println("final ${event.text}")
        }
    }
    val session = runtime.start(AudioInput.Pushed(16000u, 1u, false), listener)
    session.pushBytes(File(speech).readBytes())
    println("ended ${session.finish().utterances}")
    session.close()
    runtime.shutDown(0u)
    runtime.close()
}
