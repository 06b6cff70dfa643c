// An app developer copies `earwitness` into their own project; this file makes it a project of its own.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}
dependencyResolutionManagement {
    repositories {
        google()
        mavenCentral()
    }
}
rootProject.name = "earwitness-android"
include(":earwitness")
