// Library module: the generated Kotlin, the native libraries, and a microphone for them.
plugins {
    id("com.android.library") version "8.7.3"
    id("org.jetbrains.kotlin.android") version "2.1.0"
}

android {
    namespace = "org.earwitness.sample"
    compileSdk = 35
    defaultConfig {
        minSdk = 26
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    kotlinOptions { jvmTarget = "17" }
    // scripts/android.sh writes both. Not below Gradle's own build folder, which `gradle clean` empties.
    sourceSets["main"].java.srcDir("generated")
    sourceSets["main"].jniLibs.srcDir("native")
}

dependencies {
    // Since 5.17.0 it runs where memory pages have 16 KB.
    implementation("net.java.dev.jna:jna:5.17.0@aar")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.9.0")
}
