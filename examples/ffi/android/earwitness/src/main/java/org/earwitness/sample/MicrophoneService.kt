package org.earwitness.sample

import android.app.Notification
import android.app.NotificationChannel
import android.app.NotificationManager
import android.app.Service
import android.content.Context
import android.content.Intent
import android.os.IBinder

/**
 * While it runs, the app hears in the background, too, and a notification says so. Started from a screen that the user sees and
 * after RECORD_AUDIO was granted: Android 14 refuses it otherwise. The type stands in the manifest.
 */
class MicrophoneService : Service() {
    override fun onStartCommand(intent: Intent?, flags: Int, startId: Int): Int {
        val channel = NotificationChannel(CHANNEL, "Microphone", NotificationManager.IMPORTANCE_LOW)
        (getSystemService(Context.NOTIFICATION_SERVICE) as NotificationManager).createNotificationChannel(channel)
        val notification = Notification.Builder(this, CHANNEL)
            .setSmallIcon(android.R.drawable.ic_btn_speak_now)
            .setContentTitle("Listening")
            .setOngoing(true)
            .build()
        startForeground(1, notification)
        // A service that comes back by itself would show this while nobody listens.
        return START_NOT_STICKY
    }

    override fun onBind(intent: Intent?): IBinder? = null

    companion object {
        private const val CHANNEL = "microphone"

        /** Before [PhoneMicrophone.start]. */
        fun show(context: Context) {
            context.startForegroundService(Intent(context, MicrophoneService::class.java))
        }

        /** After [PhoneMicrophone.stop]. */
        fun hide(context: Context) {
            context.stopService(Intent(context, MicrophoneService::class.java))
        }
    }
}
