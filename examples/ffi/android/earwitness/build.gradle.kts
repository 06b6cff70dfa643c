// Library module: the generated Kotlin, the native libraries, and a microphone for them.
plugins {
    id("com.android.library") version "8.7.3"
    id("org.jetbrains.kotlin.android") version "2.1.0"
}

android {
    namespace = "org.earwitness.sample"
    compileSdk = 35
    defaultConfig {
        minSdk = 26 // AAudio
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
    kotlinOptions { jvmTarget = "17" }
    // scripts/android.sh writes both: see README.md.
    sourceSets["main"].java.srcDir("build/generated/uniffi")
    sourceSets["main"].jniLibs.srcDir("build/native")
}

dependencies {
    implementation("net.java.dev.jna:jna:5.13.0@aar")
    implementation("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.9.0")
}
