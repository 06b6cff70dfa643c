// Since API 33. The generated Kotlin looks for it and has another where it is missing.

package java.lang.ref

class Cleaner {
    interface Cleanable {
        fun clean()
    }

    @Suppress("UNUSED_PARAMETER")
    fun register(value: Any, cleanUp: Runnable): Cleanable = TODO()

    companion object {
        fun create() = Cleaner()
    }
}
