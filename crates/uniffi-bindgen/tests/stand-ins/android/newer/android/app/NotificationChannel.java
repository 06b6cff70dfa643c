package android.app;

/** Since API 26. */
public class NotificationChannel {
    public NotificationChannel(String id, CharSequence name, int importance) {}
}
