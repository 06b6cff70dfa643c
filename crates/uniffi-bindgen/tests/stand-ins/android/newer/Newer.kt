// What classes of API 23 have had since. Where they have it themselves, this is not used.

package org.earwitness.sample

import android.content.ComponentName
import android.content.Context
import android.content.Intent

/** Since API 26. */
fun Context.startForegroundService(service: Intent): ComponentName? = startService(service)
